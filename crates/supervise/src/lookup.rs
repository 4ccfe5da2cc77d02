//! Which guest is meant by a word: an id, a name, or the start of an id.

use std::fmt;

use nex_fault::{Code, Fault, Remedy};

use crate::codes;
use crate::error::StateError;
use crate::id::Id;
use crate::name::Name;
use crate::record::{Record, State};
use crate::state_dir::StateDir;

/// As many candidates are named.
const MOST_NAMED: usize = 5;

/// A guest as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its record.
    pub record: Record,
    /// How it stands with it.
    pub state: State,
}

/// All guests that have a record, the newest first, and what is wrong with records that cannot be read.
///
/// # Errors
/// When the directory cannot be read.
pub fn list(state: &StateDir) -> Result<(Vec<Listed>, Vec<StateError>), StateError> {
    let (mut guests, mut unreadable) = (Vec::new(), Vec::new());
    for id in state.ids()? {
        let listed = (|| {
            // Another process may remove it just now.
            let Some(guest) = state.guest(&id)? else { return Ok(None) };
            let record = guest.record()?;
            Ok(Some(Listed { state: guest.state(&record)?, record }))
        })();
        match listed {
            Ok(listed) => guests.extend(listed),
            Err(error) => unreadable.push(error),
        }
    }
    guests.sort_by(|a, b| (b.record.created, &b.record.id).cmp(&(a.record.created, &a.record.id)));
    Ok((guests, unreadable))
}

/// Why it is not known which guest is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// No guest is.
    NotFound {
        /// What was asked for.
        text: String,
    },
    /// Several may be.
    Ambiguous {
        /// What was asked for.
        text: String,
        /// The guests, the newest first.
        candidates: Vec<(Id, Option<Name>)>,
    },
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { text } => {
                write!(f, "no guest has the name '{0}', or an id that begins with it", nex_text::short_name(text))
            }
            Self::Ambiguous { text, candidates } => {
                write!(f, "the ids of {} guests begin with '{}':", candidates.len(), nex_text::short_name(text))?;
                let length = Id::shown_length(candidates.iter().map(|(id, _)| id));
                for (number, (id, name)) in candidates.iter().take(MOST_NAMED).enumerate() {
                    let separator = if number == 0 { "" } else { "," };
                    write!(f, "{separator} {}", id.start(length))?;
                    name.as_ref().map_or(Ok(()), |name| write!(f, " ({name})"))?;
                }
                if candidates.len() > MOST_NAMED { f.write_str(", and others") } else { Ok(()) }
            }
        }
    }
}

impl std::error::Error for LookupError {}

impl Fault for LookupError {
    fn code(&self) -> Code {
        match self {
            Self::NotFound { .. } => codes::NOT_FOUND,
            Self::Ambiguous { .. } => codes::AMBIGUOUS,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::say(match self {
            Self::NotFound { .. } => "list all guests, those that have ended too, and name one of them",
            Self::Ambiguous { .. } => "give more of the id",
        }))
    }
}

/// Finds the guest that a word means: the whole id of one, else a name, else what only one id begins with. Of guests that have the
/// same name, it is the one that is there, else the newest.
///
/// # Errors
/// When that is no guest, or more than one.
pub fn find<'a>(guests: &'a [Listed], text: &str) -> Result<&'a Listed, LookupError> {
    let by_id = || guests.iter().find(|guest| guest.record.id.as_str() == text);
    let by_name = || {
        let named = guests.iter().filter(|guest| guest.record.name.as_ref().is_some_and(|name| name.as_str() == text));
        named.max_by_key(|guest| (guest.state.is_living(), guest.record.created, &guest.record.id))
    };
    if let Some(guest) = by_id().or_else(by_name) {
        return Ok(guest);
    }
    let begin: Vec<_> =
        guests.iter().filter(|guest| !text.is_empty() && guest.record.id.as_str().starts_with(text)).collect();
    match begin.as_slice() {
        [] => Err(LookupError::NotFound { text: text.into() }),
        [guest] => Ok(guest),
        several => {
            let candidates = several.iter().map(|guest| (guest.record.id.clone(), guest.record.name.clone()));
            Err(LookupError::Ambiguous { text: text.into(), candidates: candidates.collect() })
        }
    }
}
