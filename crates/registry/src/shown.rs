//! What a registry was shown before it refused: what is wrong then, and what helps.

use nex_fault::{Remedy, Setting};

use crate::credentials::Place;

/// What a registry was shown of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Nothing: it refused without asking for credentials.
    Nothing,
    /// Nothing: it asked for credentials, and there are none.
    NoCredentials,
    /// Nothing: it asked for another kind of credentials than there are.
    OtherKind,
    /// Credentials from a place where podman and docker keep them.
    Found,
    /// The credentials that the user has given for it.
    Given,
}

impl Shown {
    /// What that means, with the places where credentials were looked for.
    pub(crate) fn words(self, places: &[Place]) -> String {
        let list = places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Nothing => "it refuses without asking for credentials, so none were sent".to_owned(),
            Self::Given => "it does not accept the credentials that were given".to_owned(),
            Self::OtherKind => format!("it asks for another kind of credentials; looked in {list}"),
            Self::Found => format!("the credentials were not accepted; looked in {list}"),
            Self::NoCredentials if list.is_empty() => "no place to look for credentials is known".to_owned(),
            Self::NoCredentials => format!("no credentials found; looked in {list}"),
        }
    }

    pub(crate) fn remedy(self, registry: &str) -> Remedy {
        let is_there = "and that the repository exists";
        match self {
            Self::Nothing => {
                Remedy::say("check the repository's name, and whether the registry serves this machine at all")
            }
            Self::NoCredentials => Remedy::say(format!("log in (podman login {registry}), or give credentials with"))
                .choose(Setting::Creds)
                .and("; or check that the repository exists"),
            Self::OtherKind => {
                Remedy::say(format!("log in again (podman login {registry}), or give a user and a password with"))
                    .choose(Setting::Creds)
            }
            Self::Found => Remedy::say(format!(
                "log in again (podman login {registry}); check that this user may read the repository, {is_there}"
            )),
            Self::Given => Remedy::say("check the user and the password of")
                .choose(Setting::Creds)
                .and(format!(", that this user may read the repository, {is_there}")),
        }
    }
}
