//! Behind a gateway: a registry that redirects to another one, which wants a token from everybody, also from those without a name.
//!
//! Such a token is asked for without anybody's credentials, and is sent to the origin alone that has asked for it.

use ureq::http::{HeaderValue, Uri};

use super::address::{host_of, same_origin};
use super::challenge::Challenge;
use super::error::Error;
use super::http::{Answer, Http};
use super::line::Caller;
use super::patience::Budget;
use super::refusal::{Subject, Wanted, refusal};
use super::token::{TokenRequest, read_token};

/// What lets somebody without a name in at an origin.
#[derive(Debug)]
pub(super) struct Guest {
    origin: Uri,
    authorization: HeaderValue,
}

impl Guest {
    /// The header for an address, if it is of that origin.
    pub(super) fn authorization(&self, uri: &Uri) -> Option<&HeaderValue> {
        same_origin(&self.origin, uri).then_some(&self.authorization)
    }

    /// The token request that an answer from behind a redirect asks for.
    pub(super) fn challenge(answer: &Answer) -> Option<Challenge> {
        let is_asked = answer.status.as_u16() == 401 && !answer.is_home;
        let challenges = if is_asked { Challenge::of(&answer.headers) } else { Vec::new() };
        challenges.into_iter().find(|challenge| challenge.scheme == "bearer")
    }

    /// Gets the token. Its server may be no further inside the network than the one that asks for it.
    pub(super) fn enter(
        answer: &Answer,
        challenge: &Challenge,
        subject: &Subject,
        http: &Http,
        budget: &Budget,
    ) -> Result<Guest, Error> {
        let scope = format!("repository:{}:pull", subject.repository);
        let request = TokenRequest::new(challenge, &host_of(&answer.uri), &answer.uri, scope, answer.reach)?;
        let token = request.send(None, Caller::Nobody, http, budget)?;
        if !token.status.is_success() {
            return Err(refusal(token, subject, &Wanted::Token));
        }
        Ok(Guest { origin: answer.uri.clone(), authorization: read_token(token)? })
    }
}
