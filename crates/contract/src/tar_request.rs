//! What a tar into a guest, and one out of it, are asked for with.

use serde::{Deserialize, Serialize};

use crate::ByteString;
use crate::form;

/// Where a tar goes, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TarIn {
    /// An absolute path.
    pub path: ByteString,
    /// What the path is to the tar.
    #[serde(default, deserialize_with = "form::word")]
    pub place: TarPlace,
    /// Whom it belongs to.
    #[serde(default, deserialize_with = "form::word")]
    pub owners: TarOwners,
}

/// What a path is to the tar that goes there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TarPlace {
    /// The directory that the names of the tar are in.
    #[default]
    Below,
    /// The destination of a copy. The tar holds one file or directory, whose entry is the first; a directory by the name `./` stands for
    /// what is in it. Where there is a directory already, the copy goes into it under its own name, else it gets this path.
    Copy,
}

/// Whom the files of a tar belong to, once they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TarOwners {
    /// Those who write them: root in a guest.
    #[default]
    Own,
    /// The users and groups of the tar.
    Kept,
}

/// What becomes a tar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TarOut {
    /// An absolute path. The tar has what is there under its last name, or, where it ends with `/.`, under `./`.
    pub path: ByteString,
    /// What becomes of a symbolic link at its end.
    #[serde(default, deserialize_with = "form::word")]
    pub link: TarLink,
}

/// What becomes of a symbolic link that a path ends with. Those in a tree are always kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TarLink {
    /// The tar has the link.
    #[default]
    Kept,
    /// The tar has what the link leads to.
    Followed,
}
