//! Signals that the caller wants nex to ignore.

/// The signals that are ignored now. Where a program looks before it catches any, they are those that its caller had it ignore: nohup(1)
/// asks for that, and shells without job control do so for what they run in the background. To catch them would bring them back.
#[derive(Clone, Copy, Debug)]
pub struct IgnoredSignals(u64);

impl IgnoredSignals {
    /// Asks the kernel. What it does not tell is not ignored.
    pub fn now() -> Self {
        Self::of(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    /// The mask in a process's status; signal 1 is its lowest bit.
    fn of(status: &str) -> Self {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        Self(mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default())
    }

    /// Whether the signal of this number is among them.
    pub fn has(self, signal: i32) -> bool {
        let bit = u32::try_from(signal).ok().and_then(|signal| signal.checked_sub(1));
        bit.and_then(|bit| self.0.checked_shr(bit)).is_some_and(|mask| mask & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_the_kernel_is_read() {
        let ignored =
            IgnoredSignals::of("Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t8000000000001001\nSigCgt:\t0\n");
        let among: Vec<_> = (-1..=65).filter(|signal| ignored.has(*signal)).collect();
        assert_eq!(among, [1, 13, 64]);
        assert!(!IgnoredSignals::of("SigIgn:\tx").has(1) && !IgnoredSignals::of("").has(1));
    }
}
