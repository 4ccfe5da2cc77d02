//! What there is to tell.

/// One event. All times are milliseconds since the kernel's start (`CLOCK_BOOTTIME`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The agent runs, and has done nothing yet.
    Start(Start),
    /// The guest is up.
    Ready(Ready),
    /// A program's output.
    Output(Output),
    /// Output that nobody could take in time.
    Dropped {
        /// How many bytes of the programs' output are missing before the next event.
        bytes: u64,
    },
    /// A program has ended.
    Exit(Exit),
    /// The agent becomes the image's program, which is process 1 from now on. Only where that fails, another event follows.
    Handover {
        /// When.
        uptime_ms: u64,
    },
    /// Something that the agent should have done and could not.
    Fail(Text),
    /// Something that the reader of a log may want to know.
    Note(Text),
    /// The machine ends now. It is the last event.
    End(MachineEnd),
}

/// The agent's first event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The agent's version.
    pub version: String,
    /// What it is in this guest.
    pub role: Role,
    /// When it was started.
    pub uptime_ms: u64,
}

/// The guest is up: what an init has to set up is there, and the boot script has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The agent's version.
    pub version: String,
    /// What it is in this guest.
    pub role: Role,
    /// When the agent was started.
    pub start_ms: u64,
    /// Now.
    pub uptime_ms: u64,
}

/// What the agent is in a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Process 1 of the kernel's first root file system, which goes on to the real one.
    Initramfs,
    /// Process 1 for as long as it takes to lay an overlay over the root.
    Overlay,
    /// Process 1.
    Init,
    /// A service of another init.
    Service,
}

/// Whose output or end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The program that the guest is there for.
    Workload,
    /// The script that runs at every boot.
    BootScript,
}

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line of a program's output, or a part of one.
///
/// Nothing is lost or added: the texts one after the other, with a newline behind each whose line ends, are what the program
/// wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Whose.
    pub source: Source,
    /// Where it was written.
    pub stream: Stream,
    /// When the agent read it.
    pub uptime_ms: u64,
    /// The bytes, without the newline.
    pub text: Vec<u8>,
    /// Whether a newline follows. A line is split where it is long, where the program pauses in it, and where it ends without
    /// a newline.
    pub line_ends: bool,
}

/// A program has ended, or could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Which.
    pub source: Source,
    /// How.
    pub end: Ended,
    /// When.
    pub uptime_ms: u64,
    /// After how many milliseconds it is started again; `None` when that was the last of it.
    pub restart_ms: Option<u64>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// It could not be started; [`Event::Fail`] before has the reason. The code is what a shell gives: 127 where there is no
    /// such program, 126 where it cannot be executed, 125 where the agent could not get so far.
    Unstarted(u8),
}

/// A text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// When.
    pub uptime_ms: u64,
    /// What. It is cut at [`MAX_TEXT`](crate::MAX_TEXT) bytes.
    pub text: Vec<u8>,
}

/// The machine's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineEnd {
    /// How.
    pub by: EndBy,
    /// When.
    pub uptime_ms: u64,
}

/// How a machine is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndBy {
    /// The power is switched off.
    PowerOff,
    /// It is reset, which is how a VMM without a power switch is told to exit.
    Reset,
}

impl Role {
    pub(crate) const ALL: [(Self, &'static [u8]); 4] = [
        (Self::Initramfs, b"initramfs"),
        (Self::Overlay, b"overlay"),
        (Self::Init, b"init"),
        (Self::Service, b"service"),
    ];
}

impl EndBy {
    pub(crate) const ALL: [(Self, &'static [u8]); 2] = [(Self::PowerOff, b"power-off"), (Self::Reset, b"reset")];
}
