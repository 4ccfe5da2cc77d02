//! What a registry is shown: the credentials that it asks for, or a token for them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::challenge::Challenge;
use crate::credential::Credential;
use crate::credentials::{CredentialPlaces, Lookup};
use crate::error::Error;
use crate::refusal::{Said, Subject, Wanted, refusal};
use crate::scope::Scopes;
use crate::shown::Shown;
use crate::token::{TokenRequest, basic, bearer, read_token};
use crate::transport::http::{HeaderValue, Uri};
use crate::transport::{Answer, Budget, Caller, Origin, Transport};

/// Answers the challenges of one registry.
pub(crate) struct Authorizer {
    subject: Subject,
    places: CredentialPlaces,
    /// Looked up when the registry first asks for it, once.
    lookup: OnceLock<Lookup>,
    /// What the registry accepted last, by what was to be done. A token that has expired is answered with a new challenge.
    accepted: Mutex<BTreeMap<Scopes, HeaderValue>>,
}

impl Authorizer {
    /// Nothing is looked up yet.
    pub(crate) fn new(subject: Subject, places: CredentialPlaces) -> Self {
        Self { subject, places, lookup: OnceLock::new(), accepted: Mutex::default() }
    }

    /// What opened the registry the last time.
    pub(crate) fn accepted(&self, scopes: &Scopes) -> Option<HeaderValue> {
        self.lock().get(scopes).cloned()
    }

    /// Remembers what has opened it.
    pub(crate) fn accept(&self, scopes: &Scopes, value: HeaderValue) {
        self.lock().insert(scopes.clone(), value);
    }

    /// The header that answers the registry's challenges, the safest of them first. `home` is the address that was asked.
    pub(crate) fn answer(
        &self,
        answer: Answer,
        home: &Uri,
        scopes: &Scopes,
        transport: &Transport,
        budget: &mut Budget,
    ) -> Result<HeaderValue, Error> {
        let challenges = Challenge::of(answer.headers());
        let of_scheme = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        match (of_scheme("bearer"), of_scheme("basic"), &budget.stopped(|| self.lookup()).found) {
            (Some(_), _, Some(Credential::RegistryToken(token))) => {
                bearer(token).ok_or_else(|| self.unauthorized(answer, Shown::OtherKind))
            }
            (Some(challenge), _, credential) => {
                let registry = &self.subject.registry;
                let request = TokenRequest::new(challenge, registry, home, scopes, answer.home_reach())?;
                self.fetch_token(&request, credential.as_ref(), transport, budget)
            }
            (None, Some(_), Some(Credential::Password { user, password })) => {
                basic(user, password).ok_or_else(|| self.unauthorized(answer, Shown::OtherKind))
            }
            (None, _, Some(_)) => Err(self.unauthorized(answer, Shown::OtherKind)),
            (None, _, None) => Err(self.unauthorized(answer, Shown::NoCredentials)),
        }
    }

    fn fetch_token(
        &self,
        request: &TokenRequest,
        credential: Option<&Credential>,
        transport: &Transport,
        budget: &Budget,
    ) -> Result<HeaderValue, Error> {
        let answer = request.send(credential, Caller::Known, transport, budget)?;
        if answer.status().is_success() {
            read_token(answer)
        } else if is_denial(&answer) {
            Err(self.unauthorized(answer, self.shown()))
        } else {
            Err(refusal(answer, &self.subject, &Wanted::Token))
        }
    }

    /// The error for a denial of a request, which may have had an authorization.
    pub(crate) fn denied(&self, answer: Answer, authorization: Option<&HeaderValue>) -> Error {
        let shown = authorization.map_or(Shown::Nothing, |_| self.shown());
        self.unauthorized(answer, shown)
    }

    /// What is shown to a registry that asks. A token may be one for everybody.
    fn shown(&self) -> Shown {
        match &self.lookup().found {
            None => Shown::NoCredentials,
            Some(_) if self.places.is_given() => Shown::Given,
            Some(_) => Shown::Found,
        }
    }

    fn unauthorized(&self, answer: Answer, shown: Shown) -> Error {
        // Nobody has asked for them where nothing was shown.
        let places = if shown == Shown::Nothing { Vec::new() } else { self.lookup().places.clone() };
        Error::Unauthorized {
            registry: self.subject.registry.clone(),
            repository: self.subject.repository.clone(),
            status: answer.status().as_u16(),
            said: Said::read(answer).text,
            shown,
            places,
        }
    }

    fn lookup(&self) -> &Lookup {
        self.lookup.get_or_init(|| self.places.look_up(&self.subject.registry, &self.subject.repository))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Scopes, HeaderValue>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 401 from the registry itself. Those that a redirect led to get no credentials.
pub(crate) fn is_challenge(answer: &Answer) -> bool {
    answer.status().as_u16() == 401 && answer.origin() == Origin::Own
}

/// A refusal for want of rights. Storage that a redirect led to says 403 for other reasons.
pub(crate) fn is_denial(answer: &Answer) -> bool {
    matches!(answer.status().as_u16(), 401 | 403) && answer.origin() == Origin::Own
}
