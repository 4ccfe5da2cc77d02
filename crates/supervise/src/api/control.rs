//! What a supervisor and the process that has started it say to each other, over the supervisor's standard input.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::api::answer::Ended;
use crate::api::failure::Failure;
use crate::id::Id;
use crate::identity::Identity;
use crate::mode::Mode;
use crate::name::Name;

/// A line of the supervisor's. [`Refused`](Self::Refused) or [`Ended`](Self::Ended) is the last one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Notice {
    /// Something to be shown to people: a warning, or a word of what goes on where that is asked for.
    Note {
        /// It, lines with line feeds between.
        text: String,
    },
    /// There is no guest.
    Refused {
        /// Why.
        error: Failure,
        /// The exit code that stands for it.
        exit_code: u8,
        /// The same for people, lines with line feeds between; empty where nobody has to know.
        text: String,
    },
    /// The guest has a directory, and a socket in it. Without records of guests, this line is left out.
    Created {
        /// The guest's id.
        id: Id,
        /// Its name, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Name>,
        /// Its directory.
        directory: PathBuf,
        /// How it was started.
        #[serde(flatten)]
        mode: Mode,
    },
    /// The VMM runs.
    Started {
        /// Its process.
        vmm: Identity,
        /// Which VMM it is.
        name: String,
    },
    /// The guest is up.
    Up {},
    /// The program was started again.
    Restarted {
        /// How many times so far.
        times: u32,
    },
    /// The guest's console has this line, printable. Only where `--console` asks for it.
    Console {
        /// The line, without its end.
        text: String,
    },
    /// The guest has ended, and nothing of it is left.
    Ended(Ended),
}

/// A line of the one who has started the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Order {
    /// The starter has got this signal: the first one asks the guest to end, the second one kills it.
    Signal {
        /// The signal's number.
        number: u8,
    },
}
