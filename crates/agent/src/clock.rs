//! The guest's clocks.

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

/// Milliseconds since the kernel's start, the time of the protocol.
pub fn uptime_ms() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Sets the time of day by the hardware's clock, where the kernel has not: its driver may be a module, or the kernel built
/// without `CONFIG_RTC_HCTOSYS`. A guest without such a clock stays in 1970.
pub fn set_time_of_day() -> Result<(), String> {
    /// The first second of 2000: a clock before that has not been set.
    const SET_SINCE: Duration = Duration::from_secs(946_684_800);
    let now = clock_gettime(ClockId::CLOCK_REALTIME).map(Duration::from).unwrap_or_default();
    if now >= SET_SINCE {
        return Ok(());
    }
    let Ok(text) = std::fs::read_to_string("/sys/class/rtc/rtc0/since_epoch") else { return Ok(()) };
    let Some(time) = text.trim().parse().ok().map(Duration::from_secs).filter(|time| *time >= SET_SINCE) else {
        return Ok(());
    };
    clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::from(time))
        .map_err(|error| format!("cannot set the time: {error}"))
}
