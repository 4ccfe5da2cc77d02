//! What a client asks for at a guest's socket. A connection is for one request.

use serde::{Deserialize, Serialize};

/// The first line of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// How it stands with the guest. Answered by [`Answer::Guest`](super::Answer::Guest).
    Inspect {},
    /// What happens to it. Answered by [`Answer::Events`](super::Answer::Events), behind which the journal's lines come, from
    /// the first on, each as soon as it is written. The connection is closed behind the last one.
    Events {},
    /// That it ends. Answered by [`Answer::Ended`](super::Answer::Ended), once nothing of it is left but its record.
    Stop {
        /// How long the guest may take, in milliseconds, before it is killed; as long as its starter has said where this is missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
    },
    /// That its program gets a signal. Answered by [`Answer::Killed`](super::Answer::Killed), once it is on its way.
    Kill {
        /// The signal's number, 1 to 64.
        signal: u8,
    },
    /// A session of the channel (`docs/channel.md`), in which the client has the role of the host. Answered by
    /// [`Answer::Channel`](super::Answer::Channel), behind which there are frames.
    Channel {},
}
