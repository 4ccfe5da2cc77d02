//! What a guest has told so far.

use nex_diagnose::console::Status;
use nex_protocol::{Ended, Event, Exit, Item, Output, Role, Source, Stream, split_at_kernel_message};

use crate::report::{End, Report};
use crate::supervisor::Output as Sink;
use crate::tail::{Tail, readable};

/// As many of the agent's failures and notes are kept; a guest can write any number.
const MOST_TEXTS: usize = 100;

/// As many bytes are kept of the console, from its beginning.
const MOST_CONSOLE: usize = 16 << 20;

/// What the kernel writes when it gives up.
const PANIC: &str = "Kernel panic - not syncing";

/// A guest's words, taken one by one: output goes on at once, the rest is kept.
#[derive(Default)]
pub struct Record {
    /// What is told in the end.
    pub report: Report,
    /// All that the console held until the guest was up, and then what others than the agent wrote.
    pub console: Vec<u8>,
    /// The last of what others than the agent wrote.
    pub tail: Tail,
    /// Whether the guest is up, or at work without having said so.
    pub is_up: bool,
    /// Whether nothing more is to come but the machine's end.
    pub is_over: bool,
    /// Whether the kernel has given up after the program became process 1.
    pub has_panicked: bool,
}

impl Record {
    /// Keeps what the console held, as long as the guest is not up.
    pub fn record_console(&mut self, bytes: &[u8]) {
        if !self.is_up && self.console.len() + bytes.len() <= MOST_CONSOLE {
            self.console.extend_from_slice(bytes);
        }
    }

    /// The guest has switched itself off. A program that was process 1 has no exit code then.
    pub fn take_power_off(&mut self) {
        let report = &mut self.report;
        if report.handed_over && report.end.is_none() && report.stopped.is_none() && !self.has_panicked {
            report.end = Some(End::Code(0));
        }
    }

    /// Takes the next item.
    pub fn take(&mut self, item: Item, sink: &mut Sink) {
        match item {
            Item::Event(event) => self.event(event, sink),
            Item::Console(line) => self.line(&line, sink),
            Item::Damaged(line) => {
                self.report.missing.damaged_lines += 1;
                self.line(&line, sink);
            }
            Item::Lost(lines) => {
                let lost = &mut self.report.missing.lost_lines;
                *lost = lost.saturating_add(lines);
            }
            Item::Back(_) => self.report.missing.out_of_order += 1,
        }
    }

    fn event(&mut self, event: Event, sink: &mut Sink) {
        let report = &mut self.report;
        match event {
            // The first root file system's, and the overlay's, only make way for the next.
            Event::Start(start) if matches!(start.role, Role::Initramfs | Role::Overlay) => {
                report.times.agent_ms = report.times.agent_ms.or(Some(start.uptime_ms));
            }
            Event::Start(start) => report.times.agent_ms = Some(start.uptime_ms),
            Event::Ready(ready) => {
                report.times.ready_ms = Some(ready.uptime_ms);
                self.is_up = true;
            }
            Event::Output(output) => {
                self.is_up = true;
                self.output(&output, sink);
            }
            Event::Dropped { bytes } => {
                report.missing.dropped_bytes = report.missing.dropped_bytes.saturating_add(bytes);
            }
            Event::Handover { .. } => {
                report.handed_over = true;
                self.is_up = true;
            }
            Event::Exit(exit) if exit.source == Source::Workload => self.exit(exit),
            Event::Exit(_) => {}
            Event::Fail(text) => add_text(&mut report.agent_failures, &text.text),
            Event::Note(text) => add_text(&mut report.agent_notes, &text.text),
            Event::End(_) => self.is_over = true,
        }
    }

    fn output(&mut self, output: &Output, sink: &mut Sink) {
        if output.source == Source::BootScript {
            // Not the workload's, so it stands among what the guest's other programs write.
            return self.console(&output.text, sink);
        }
        sink.push(output.stream, &output.text);
        if output.line_ends {
            sink.push(output.stream, b"\n");
        }
    }

    fn exit(&mut self, exit: Exit) {
        if exit.restart_ms.is_some() {
            self.report.restarts = self.report.restarts.saturating_add(1);
            return;
        }
        self.report.times.end_ms = Some(exit.uptime_ms);
        self.report.end = Some(match exit.end {
            Ended::Code(code) => End::Code(code),
            Ended::Signal(signal) => End::Signal(signal),
            Ended::Unstarted(code) => End::Unstarted(code),
        });
    }

    /// A line of others than the agent. Of the program, if that has the console.
    fn line(&mut self, line: &[u8], sink: &mut Sink) {
        if !self.report.handed_over {
            return self.console(line, sink);
        }
        let Some((own, message)) = split_at_kernel_message(line) else {
            sink.push(Stream::Out, line);
            sink.push(Stream::Out, b"\n");
            return;
        };
        sink.push(Stream::Out, own);
        if let Some(status) = Status::of_process_one(message) {
            let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
            self.report.end = Some(match status {
                Status::Code(code) => End::Code(small(code)),
                Status::Signal(signal) => End::Signal(small(signal)),
            });
        }
        self.has_panicked |= String::from_utf8_lossy(message).contains(PANIC);
        self.console(message, sink);
    }

    fn console(&mut self, line: &[u8], sink: &Sink) {
        self.tail.add(line);
        if self.is_up {
            let room = MOST_CONSOLE.saturating_sub(self.console.len() + 1);
            self.console.extend_from_slice(line.get(..room).unwrap_or(line));
            self.console.push(b'\n');
        }
        sink.show(readable(line));
    }
}

fn add_text(texts: &mut Vec<String>, text: &[u8]) {
    if texts.len() < MOST_TEXTS {
        texts.push(readable(text));
    }
}
