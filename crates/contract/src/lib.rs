//! What nex and others agree on. With the guest: the words of the kernel's command line, the paths, and the files that tell the agent
//! what to run. With the programs that call it: the versions of its documents.
//!
//! A [`Word`] is what the host writes on the command line and the agent reads there. A [`Carrier`] is by what the two have a channel.
//!
//! A root filesystem has what its image says about itself in [`IMAGE_FILE`], as an [`ImageConfig`]. A workload drive, a small ext4 beside
//! the root, has a [`Workload`] in [`WORKLOAD_FILE`] and, unless that names one of the root's, the program beside it in
//! [`BINARY_FILE`].
//!
//! A [`Request`] is what a host asks of a guest that runs: a program, a tar, the workload's terminal. It opens a stream of the channel
//! between them (`crates/channel`).
//!
//! Root's password in a guest is what [`Password`] makes of its field. [`Mark`] is how a host knows an agent of nex's own.
//!
//! [`Document`] is a kind of what nex writes for programs, with the version that both go by.
//!
//! [`find_program`], [`find_directory`], [`User::find`] and [`stop_signal`] say what keeps a workload from starting. The agent asks them
//! in the guest, and nex before the guest boots.

pub mod codes;

mod byte_string;
mod carrier;
mod document;
mod form;
mod image_config;
mod json;
mod mark;
mod password;
mod paths;
mod pid1;
mod port;
mod request;
mod request_error;
mod request_limits;
mod restart;
mod start;
mod stop_signal;
mod tar_request;
mod user;
mod variable;
mod word;
mod workload;

pub use byte_string::{ByteString, ZeroByte};
pub use carrier::{CHANNEL_PORT_NAME, CHANNEL_VSOCK_PORT, Carrier, ParseCarrierError};
pub use document::Document;
pub use image_config::ImageConfig;
pub use json::Json;
pub use mark::{Mark, MarkNote, PROTOCOL};
pub use password::{Password, may_be_asked_for};
pub use paths::{
    AGENT, AGENT_RESOLV_CONF, BINARY_FILE, BOOT_SCRIPT, DRIVE_LABEL, IMAGE_FILE, MAX_FILE, OPENRC_SERVICE, RUN_AGENT,
    RUN_BOOT_SCRIPT, SYSTEMD_UNIT, WORKLOAD_FILE,
};
pub use pid1::Pid1;
pub use request::{Attach, Exec, Request, Stdin, Terminal, TerminalSize};
pub use request_error::RequestError;
pub use request_limits::{MAX_NAME, MAX_PATH, MAX_REQUEST, MAX_STRING, MAX_STRINGS};
pub use restart::{ParseRestartError, Restart};
pub use start::{Found, NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, PATH, Root, Unstarted, find_directory, find_program};
pub use stop_signal::stop_signal;
pub use tar_request::{TarIn, TarLink, TarOut, TarOwners, TarPlace};
pub use user::User;
pub use variable::{split_os_variable, split_variable};
pub use word::{PowerOff, Upper, Word, WordError, WordName, WorkloadSource};
pub use workload::{ChannelStreams, Streams, Workload};
