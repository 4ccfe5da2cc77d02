//! What a guest has told so far.

use std::io::{self, Write};

use nex_diagnose::console::Status;
use nex_protocol::{Ended, Event, Exit, Item, Output, Role, Source, Stream, split_at_kernel_message};

use crate::report::{End, Report};
use crate::streams::Streams;
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
    /// Where the workload has written last.
    last_stream: Option<Stream>,
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

    /// Takes the next item.
    ///
    /// # Errors
    /// When output cannot be handed on.
    pub fn take(&mut self, item: Item, streams: &mut Streams<'_>) -> io::Result<()> {
        match item {
            Item::Event(event) => self.event(event, streams),
            Item::Console(line) => self.line(&line, streams),
            Item::Damaged(line) => {
                self.report.missing.damaged_lines += 1;
                self.line(&line, streams)
            }
            Item::Lost(lines) => {
                let lost = &mut self.report.missing.lost_lines;
                *lost = lost.saturating_add(lines);
                Ok(())
            }
            Item::Back(_) => {
                self.report.missing.out_of_order += 1;
                Ok(())
            }
        }
    }

    fn event(&mut self, event: Event, streams: &mut Streams<'_>) -> io::Result<()> {
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
                return self.output(&output, streams);
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
        Ok(())
    }

    fn output(&mut self, output: &Output, streams: &mut Streams<'_>) -> io::Result<()> {
        let newline: &[u8] = if output.line_ends { b"\n" } else { b"" };
        if output.source == Source::BootScript {
            // Not the workload's, so it stands among what the guest's other programs write.
            return self.console(&output.text, streams);
        }
        let count = match output.stream {
            Stream::Out => &mut self.report.stdout_bytes,
            Stream::Err => &mut self.report.stderr_bytes,
        };
        *count += (output.text.len() + newline.len()) as u64;
        // Who shows both in one place shows them in this order.
        if self.last_stream.replace(output.stream).is_some_and(|last| last != output.stream) {
            streams.flush()?;
        }
        let stream = match output.stream {
            Stream::Out => &mut streams.out,
            Stream::Err => &mut streams.err,
        };
        stream.write_all(&output.text)?;
        stream.write_all(newline)
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
    fn line(&mut self, line: &[u8], streams: &mut Streams<'_>) -> io::Result<()> {
        if !self.report.handed_over {
            return self.console(line, streams);
        }
        let Some((own, message)) = split_at_kernel_message(line) else {
            self.report.stdout_bytes += line.len() as u64 + 1;
            streams.out.write_all(line)?;
            return streams.out.write_all(b"\n");
        };
        self.report.stdout_bytes += own.len() as u64;
        streams.out.write_all(own)?;
        if let Some(status) = Status::of_process_one(message) {
            let small = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
            self.report.end = Some(match status {
                Status::Code(code) => End::Code(small(code)),
                Status::Signal(signal) => End::Signal(small(signal)),
            });
        }
        self.has_panicked |= String::from_utf8_lossy(message).contains(PANIC);
        self.console(message, streams)
    }

    fn console(&mut self, line: &[u8], streams: &mut Streams<'_>) -> io::Result<()> {
        self.tail.add(line);
        if self.is_up {
            let room = MOST_CONSOLE.saturating_sub(self.console.len() + 1);
            self.console.extend_from_slice(line.get(..room).unwrap_or(line));
            self.console.push(b'\n');
        }
        match &mut streams.console {
            Some(console) => writeln!(console, "{}", readable(line)),
            None => Ok(()),
        }
    }
}

fn add_text(texts: &mut Vec<String>, text: &[u8]) {
    if texts.len() < MOST_TEXTS {
        texts.push(readable(text));
    }
}
