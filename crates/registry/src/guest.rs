//! Behind a gateway: a registry that redirects to another one, which wants a token from everybody, also from those without a name.
//!
//! Such a token is asked for without anybody's credentials, and is sent to the origin alone that has asked for it.

use crate::challenge::Challenge;
use crate::error::Error;
use crate::refusal::{Subject, Wanted, refusal};
use crate::scope::Scopes;
use crate::token::{TokenRequest, read_token};
use crate::transport::{Answer, Budget, Caller, Origin, OriginAuthorization, Transport};

/// The token request that an answer from behind a redirect asks for.
pub(crate) fn challenge(answer: &Answer) -> Option<Challenge> {
    let is_asked = answer.status().as_u16() == 401 && answer.origin() == Origin::Other;
    let challenges = if is_asked { Challenge::of(answer.headers()) } else { Vec::new() };
    challenges.into_iter().find(|challenge| challenge.scheme == "bearer")
}

/// Gets the token. Its server may be no further inside the network than the one that asks for it.
pub(crate) fn enter(
    answer: &Answer,
    challenge: &Challenge,
    scopes: &Scopes,
    subject: &Subject,
    transport: &Transport,
    budget: &Budget,
) -> Result<OriginAuthorization, Error> {
    let request = TokenRequest::new(challenge, &answer.host(), answer.uri(), scopes, answer.reach())?;
    let token = request.send(None, Caller::Nobody, transport, budget)?;
    if !token.status().is_success() {
        return Err(refusal(token, subject, &Wanted::Token));
    }
    Ok(OriginAuthorization::new(answer.uri().clone(), read_token(token)?))
}
