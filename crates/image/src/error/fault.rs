//! The errors' codes, and what to do about them.

use std::io;

use nex_cancel::Cancelled;
use nex_fault::{Code, Fault, Remedy, Setting};
use nex_registry::transport;

use super::{Error, LayerError};
use crate::codes;

/// What helps where the bytes are not those of the image.
const FETCH_AGAIN: &str = "fetch or copy the image again";

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Reference(error) => error.code(),
            Self::Registry(error) => error.code(),
            Self::Io { source, .. } => carried(source).map_or(codes::UNREADABLE, Fault::code),
            Self::WrongForm { .. } => codes::WRONG_FORM,
            Self::NotFetched { problem: own, .. } | Self::AfterMirrors { own, .. } => own.code(),
            Self::Offline { .. } => codes::OFFLINE,
            Self::NoSuchImage { .. } => codes::NOT_FOUND,
            Self::Installed(error) => error.code(),
            Self::SeveralImages { .. } => codes::AMBIGUOUS,
            Self::NoLayers { .. } => codes::EMPTY,
            Self::NoSuchPlatform { .. } => codes::NO_PLATFORM,
            Self::Document { .. } => codes::INVALID,
            Self::Unsupported { .. } => codes::UNSUPPORTED,
            Self::Unpack { problem, .. } | Self::Layer { problem, .. } => problem.code(),
            Self::Changed { .. } => codes::CHANGED,
            Self::Artifact { .. } => codes::ARTIFACT,
            Self::Incomplete { .. } | Self::DamagedArchive { .. } | Self::Digest { .. } | Self::Size { .. } => {
                codes::DAMAGED
            }
            Self::ArchiveBytes { .. } | Self::ArchiveRatio { .. } | Self::Limit { .. } => codes::OVER_LIMIT,
            Self::NoRoot(no_root) => no_root.code(),
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Reference(error) => return error.remedy(),
            Self::Registry(error) => return at_registry(error),
            Self::Io { source, .. } => return carried_remedy(source),
            Self::WrongForm { advice, .. } => Remedy::say(*advice),
            Self::NotFetched { problem: own, .. } | Self::AfterMirrors { own, .. } => return own.remedy(),
            Self::Offline { .. } => {
                Remedy::say("give the image as oci:DIR (made by skopeo copy) or docker-archive:FILE (made by docker save), or leave out")
                    .omit(Setting::Offline)
            }
            Self::Installed(error) => return error.remedy(),
            Self::SeveralImages { .. } => Remedy::say("add :NAME to the reference"),
            Self::NoLayers { .. } => Remedy::say("if that is what you want, give `scratch` as the image"),
            Self::NoSuchPlatform { .. } => Remedy::say("choose with").choose(Setting::Platform),
            Self::Unsupported { advice, .. } => Remedy::say(advice.clone()),
            Self::Unpack { problem, .. } | Self::Layer { problem, .. } => return problem.remedy(),
            Self::ArchiveBytes { .. } => more_bytes(),
            Self::ArchiveRatio { .. } => no_bomb(),
            Self::Changed { .. } => Remedy::say("let nothing write to the tree meanwhile"),
            Self::Incomplete { .. } | Self::DamagedArchive { .. } | Self::Digest { .. } | Self::Size { .. } => {
                Remedy::say(FETCH_AGAIN)
            }
            Self::NoRoot(no_root) => return no_root.remedy(),
            Self::NoSuchImage { .. } | Self::Document { .. } | Self::Artifact { .. } | Self::Limit { .. } => {
                return None;
            }
        })
    }
}

impl Fault for LayerError {
    fn code(&self) -> Code {
        match self {
            Self::Cancelled => Cancelled.code(),
            Self::NoSuchLayer { .. } => codes::NO_LAYER,
            Self::CutShort { .. }
            | Self::TooLong { .. }
            | Self::Digest(_)
            | Self::DiffId(_)
            | Self::Truncated { .. }
            | Self::Corrupt { .. }
            | Self::TrailingGarbage { .. } => codes::DAMAGED,
            Self::NotALayer { .. } => codes::NOT_A_TAR,
            Self::NoRoot(no_root) => no_root.code(),
            Self::TooManyBytes { .. } | Self::Ratio { .. } => codes::OVER_LIMIT,
            Self::ReadTwice => codes::READ_TWICE,
            Self::Read(error) => carried(error).map_or(codes::UNREADABLE, Fault::code),
            Self::Tree(error) => error.code(),
            Self::Registry(error) => error.code(),
            Self::StageDied { .. } | Self::Thread(_) => codes::THREAD,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::CutShort { .. }
            | Self::TooLong { .. }
            | Self::Digest(_)
            | Self::Truncated { .. }
            | Self::Corrupt { .. } => Remedy::say(FETCH_AGAIN),
            Self::NoRoot(no_root) => return no_root.remedy(),
            Self::TooManyBytes { .. } => more_bytes(),
            Self::Ratio { .. } => no_bomb(),
            Self::Read(error) => return carried_remedy(error),
            Self::Tree(error) => return error.remedy(),
            Self::Registry(error) => return at_registry(error),
            Self::StageDied { .. } => Remedy::say("please report this"),
            Self::Cancelled
            | Self::NoSuchLayer { .. }
            | Self::DiffId(_)
            | Self::TrailingGarbage { .. }
            | Self::NotALayer { .. }
            | Self::ReadTwice
            | Self::Thread(_) => return None,
        })
    }
}

fn more_bytes() -> Remedy {
    Remedy::say("where that is right, allow more with").raise(Setting::MaxUnpacked)
}

fn no_bomb() -> Remedy {
    Remedy::say("where it is none, allow more with").raise(Setting::MaxRatio)
}

/// What helps with a registry. One that wants no more requests is not the only place that an image may come from.
fn at_registry(error: &nex_registry::Error) -> Option<Remedy> {
    let remedy = error.remedy()?;
    Some(match last(error) {
        nex_registry::Error::Transport(transport::Error::RateLimited { .. }) => {
            remedy.and(", or save the image elsewhere and use docker-archive:FILE")
        }
        _ => remedy,
    })
}

fn last(error: &nex_registry::Error) -> &nex_registry::Error {
    match error {
        nex_registry::Error::GaveUp { last: earlier, .. } => last(earlier),
        error => error,
    }
}

/// What a stream that is read like a file has failed with.
fn carried(error: &io::Error) -> Option<&dyn Fault> {
    let inner = error.get_ref()?;
    let registry = inner.downcast_ref::<nex_registry::Error>().map(|error| error as &dyn Fault);
    let image = || inner.downcast_ref::<Error>().map(|error| error as &dyn Fault);
    let layer = || inner.downcast_ref::<LayerError>().map(|error| error as &dyn Fault);
    registry.or_else(image).or_else(layer)
}

fn carried_remedy(error: &io::Error) -> Option<Remedy> {
    match error.get_ref()?.downcast_ref() {
        Some(error) => at_registry(error),
        None => carried(error)?.remedy(),
    }
}
