//! How far a boot has come, by what stands on the console.

use std::time::Duration;

use nex_protocol::{Event, Item, Ready, Role};

/// The kernel's first line.
const KERNEL: &str = "Linux version ";
/// The kernel's last line of its own: `Run /sbin/init as init process`.
const INIT: (&str, &str) = ("Run ", " as init process");

/// The stages that a boot has come to, and when, since the VMM's start.
#[derive(Debug, Default)]
pub struct Stages {
    /// The kernel runs.
    pub kernel: Option<Duration>,
    /// The first process runs, of an initramfs if there is one.
    pub init: Option<Duration>,
    /// The agent has reported.
    pub ready: Option<(Duration, Ready)>,
    /// When the kernel started its first process by its own clock, in milliseconds.
    pub init_ms: Option<u64>,
    /// The last thing that the agent could not do.
    pub failure: Option<String>,
}

impl Stages {
    /// Takes note of what has come at this time.
    pub fn note(&mut self, items: &[Item], now: Duration) {
        for item in items {
            match item {
                Item::Console(line) => self.line(&String::from_utf8_lossy(line), now),
                Item::Event(Event::Ready(ready)) => {
                    self.ready.get_or_insert_with(|| (now, ready.clone()));
                }
                Item::Event(Event::Start(start)) => {
                    // A kernel that is told to be quiet says nothing about its init.
                    let is_first = matches!(start.role, Role::Init | Role::Initramfs | Role::Overlay);
                    if is_first && self.init.is_none() {
                        (self.init, self.init_ms) = (Some(now), Some(start.uptime_ms));
                    }
                }
                Item::Event(Event::Fail(text)) => self.failure = Some(String::from_utf8_lossy(&text.text).into_owned()),
                Item::Event(_) | Item::Damaged(_) | Item::Lost(_) | Item::Back(_) => {}
            }
        }
    }

    fn line(&mut self, line: &str, now: Duration) {
        if self.kernel.is_none() && line.contains(KERNEL) {
            self.kernel = Some(now);
        }
        let (start, end) = INIT;
        if self.init.is_none() && line.trim_end().ends_with(end) && line.contains(start) {
            (self.init, self.init_ms) = (Some(now), printk_ms(line));
        }
    }
}

/// The time before a kernel's message: `[    0.412345] `.
fn printk_ms(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once('[')?;
    let (time, _) = rest.split_once(']')?;
    let seconds: f64 = time.trim().parse().ok()?;
    // Kernels' times are far from the limits of either type.
    Some((seconds * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_found_in_the_kernels_lines() {
        let mut stages = Stages::default();
        let at = Duration::from_millis;
        let line = |text: &str| [Item::Console(text.into())];
        stages.note(&line("SeaBIOS"), at(1));
        stages.note(&line("[    0.000000] Linux version 6.1.0 (x) #1"), at(2));
        stages.note(&line("[    1.519123] Run /sbin/init as init process\r"), at(3));
        stages.note(&line("[    1.600000] Run /bin/sh as init process"), at(4));
        assert_eq!((stages.kernel, stages.init, stages.init_ms), (Some(at(2)), Some(at(3)), Some(1519)));
    }

    #[test]
    fn a_quiet_kernels_init_is_the_agents_start() {
        let mut stages = Stages::default();
        let start = nex_protocol::Start { version: "1".into(), role: Role::Service, uptime_ms: 7 };
        stages.note(&[Item::Event(Event::Start(start.clone()))], Duration::from_millis(1));
        assert_eq!(stages.init, None);
        stages.note(
            &[Item::Event(Event::Start(nex_protocol::Start { role: Role::Init, ..start }))],
            Duration::from_millis(2),
        );
        assert_eq!((stages.init, stages.init_ms), (Some(Duration::from_millis(2)), Some(7)));
    }
}
