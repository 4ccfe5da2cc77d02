//! How many files a program may have open: `RLIMIT_NOFILE`.

use std::fs;

use nex_contract::{NOT_STARTED, Unstarted};

/// As many as container engines give: servers ask for tens of thousands, and the kernel gives an init 1024, or 4096 at the most.
const USUAL: u64 = 1 << 20;

/// The limit of a program, soft and hard: as many as it asks for, or else as container engines give, as far as the kernel goes.
///
/// # Errors
/// When more are asked for than the kernel gives to anybody.
pub fn limit(asked: Option<u64>) -> Result<u64, Unstarted> {
    let most = fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|text| text.trim().parse().ok());
    choose(asked, most.unwrap_or(USUAL))
}

fn choose(asked: Option<u64>, most: u64) -> Result<u64, Unstarted> {
    match asked {
        Some(asked) if asked > most => {
            let reason = format!("it is to have {asked} open files, and the guest's kernel gives {most} (fs.nr_open)");
            Err(Unstarted::new(NOT_STARTED, reason))
        }
        Some(asked) => Ok(asked),
        None => Ok(USUAL.min(most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_bounds_what_is_given() {
        assert_eq!(choose(None, 1 << 30), Ok(USUAL));
        assert_eq!(choose(None, 1000), Ok(1000));
        assert_eq!(choose(Some(64), 1000), Ok(64));
        assert!(choose(Some(1001), 1000).unwrap_err().reason.contains("fs.nr_open"));
    }
}
