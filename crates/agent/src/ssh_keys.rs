//! Host keys for an SSH server whose image has none: each guest makes its own, once.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use nex_contract::Pid1;
use nex_protocol::{Ended, Source};
use nix::sys::signal::Signal;

use crate::spawn::{Job, JobStreams};
use crate::supervisor::Supervisor;
use crate::workload;

/// Where programs of the system stand, the image's own first.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/// The kinds of keys that Dropbear looks for.
const DROPBEAR_KINDS: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

/// Makes the keys that are missing. A failure is told, and the guest comes up without them.
///
/// # Errors
/// A signal that asks for an end.
pub fn make(supervisor: &mut Supervisor) -> Result<(), Signal> {
    for job in jobs(Path::new("/")) {
        let end = workload::run_once(supervisor, &job)?;
        let how = match end {
            Ended::Code(0) => continue,
            Ended::Code(code) => format!("ended with code {code}"),
            Ended::Signal(signal) => format!("was ended by signal {signal}"),
            Ended::Unstarted(_) => "did not start".into(),
        };
        supervisor.host.fail(format!("no SSH host keys: {} {how}", shown(&job)));
    }
    Ok(())
}

/// What is to be run in a root. Where a server has any key, it has had its first boot, or somebody has chosen the key.
fn jobs(root: &Path) -> Vec<Job> {
    let find = |name: &str| {
        let mut paths = DIRECTORIES.iter().map(|directory| format!("{directory}/{name}"));
        paths.find(|path| root.join(&path[1..]).is_file())
    };
    let lacks = |directory: &str, start: &str, end: &str| {
        let is_key = |name: String| name.starts_with(start) && name.ends_with(end);
        fs::read_dir(root.join(directory))
            .is_ok_and(|names| !names.flatten().any(|entry| is_key(entry.file_name().to_string_lossy().into_owned())))
    };
    let mut jobs = Vec::new();
    if let (Some(_), Some(maker)) = (find("sshd"), find("ssh-keygen"))
        && lacks("etc/ssh", "ssh_host_", "_key")
    {
        jobs.push(job(maker, vec!["-A".into()]));
    }
    if let (Some(_), Some(maker)) = (find("dropbear"), find("dropbearkey"))
        && lacks("etc/dropbear", "dropbear_", "_host_key")
    {
        jobs.extend(DROPBEAR_KINDS.map(|kind| {
            let file = format!("/etc/dropbear/dropbear_{kind}_host_key");
            job(maker.clone(), vec!["-t".into(), kind.into(), "-f".into(), file])
        }));
    }
    jobs
}

/// The program and its arguments, which are this file's.
fn shown(job: &Job) -> String {
    let words: Vec<_> = [&job.program].into_iter().chain(&job.args).map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn job(program: String, args: Vec<String>) -> Job {
    Job {
        source: Source::BootScript,
        argv0: program.clone().into(),
        program: program.into(),
        args: args.into_iter().map(Into::into).collect(),
        env: Vec::new(),
        user: String::new(),
        working_dir: OsString::new(),
        stop_signal: Signal::SIGTERM as i32,
        open_files: None,
        streams: JobStreams::Nowhere,
        pid1: Pid1::Agent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(files: &[&str]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        jobs(root.path()).iter().map(shown).collect()
    }

    #[test]
    fn servers_without_keys_get_some() {
        let none = <[&str; 0]>::default();
        let sshd = ["usr/sbin/sshd", "usr/bin/ssh-keygen", "etc/ssh/sshd_config"];
        assert_eq!(commands(&sshd), ["/usr/bin/ssh-keygen -A"]);
        assert_eq!(commands(&sshd[1..]), none, "a client");
        assert_eq!(commands(&sshd[..2]), none, "no directory");
        assert_eq!(commands(&[&sshd[..], &["etc/ssh/ssh_host_rsa_key"]].concat()), none);
        let dropbear = ["usr/sbin/dropbear", "usr/bin/dropbearkey", "etc/dropbear/x"];
        assert_eq!(
            commands(&dropbear),
            ["ed25519", "ecdsa", "rsa"]
                .map(|kind| format!("/usr/bin/dropbearkey -t {kind} -f /etc/dropbear/dropbear_{kind}_host_key"))
        );
        assert_eq!(commands(&[&dropbear[..], &["etc/dropbear/dropbear_rsa_host_key"]].concat()), none);
    }
}
