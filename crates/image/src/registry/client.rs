//! Requests to one repository, authorised as its registry asks.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ureq::http::{HeaderValue, Uri};

use super::Options;
use super::address::repository_base;
use super::challenge::Challenge;
use super::credentials::{Credential, CredentialPlaces, Lookup};
use super::error::Error;
use super::fence::{Home, Limit};
use super::guest::Guest;
use super::http::{Answer, Get, Http};
use super::line::Caller;
use super::patience::{Budget, Timeouts};
use super::reach::Reach;
use super::refusal::{Said, Subject, Wanted, refusal};
use super::retry::{Attempts, Pause, Retry, RetryPolicy};
use super::token::{TokenRequest, basic, bearer, read_token};

/// A repository at a registry.
pub(super) struct Client {
    http: Http,
    subject: Subject,
    /// `https://HOST/v2/REPOSITORY`.
    pub(super) base: String,
    pub(super) retry: RetryPolicy,
    pub(super) timeouts: Timeouts,
    /// What it asked for by `Retry-After`; all connections keep to it.
    pause: Pause,
    places: CredentialPlaces,
    /// Looked up when the registry first asks for it, once.
    lookup: OnceLock<Lookup>,
    /// How far inside the network the registry is.
    home: Arc<Home>,
    /// What the registry accepted last. A token that has expired is answered with a new challenge.
    authorization: Mutex<Option<HeaderValue>>,
    /// The same of the one that it redirects to.
    guest: Mutex<Option<Arc<Guest>>>,
}

/// A thing to get.
pub(super) struct Target {
    pub(super) uri: Uri,
    pub(super) accept: Option<&'static str>,
    pub(super) wanted: Wanted,
}

impl Client {
    /// Prepares requests. Nothing is sent yet.
    pub(super) fn new(registry: &str, repository: &str, options: &Options) -> Result<Client, Error> {
        let base = repository_base(registry, repository, options.security)?;
        Ok(Client {
            http: Http::new(registry, &base, options)?,
            subject: Subject { registry: registry.to_owned(), repository: repository.to_owned() },
            base,
            retry: options.retry.clone(),
            timeouts: options.timeouts.clone(),
            pause: Pause::default(),
            places: options.credentials.clone(),
            lookup: OnceLock::new(),
            home: Arc::default(),
            authorization: Mutex::new(None),
            guest: Mutex::new(None),
        })
    }

    /// Whether the registry itself has ever spoken TLS.
    pub(super) fn has_spoken_tls(&self) -> bool {
        self.http.has_spoken_tls()
    }

    /// The time for one document.
    pub(super) fn budget(&self) -> Budget {
        Budget::start(self.timeouts.document)
    }

    /// Gets a whole document of at most `limit` bytes, with retries. `pick` takes what is needed from the headers.
    pub(super) fn document<T>(
        &self,
        target: &Target,
        limit: u64,
        budget: &mut Budget,
        pick: impl Fn(&Answer) -> T,
    ) -> Result<(T, Vec<u8>), Error> {
        let mut attempts = Attempts::new(&self.retry);
        loop {
            let outcome = self.get(target, 0, budget).and_then(|answer| {
                let picked = pick(&answer);
                Ok((picked, answer.read(limit)?))
            });
            let error = match outcome {
                Ok(document) => return Ok(document),
                Err(error) => error,
            };
            // Without time, another attempt would only hide what the last one met.
            if budget.is_over() || !budget.stopped(|| attempts.wait_after_failure(error.retry())) {
                return Err(match attempts.made() {
                    0 | 1 => error,
                    made => Error::GaveUp { attempts: made, source: Box::new(error) },
                });
            }
        }
    }

    /// Asks once for a target from a byte on, and answers one challenge on the way. Only success is returned.
    pub(super) fn get(&self, target: &Target, offset: u64, budget: &mut Budget) -> Result<Answer, Error> {
        budget.stopped(|| self.pause.wait());
        self.get_now(target, offset, budget).inspect_err(|error| match error.retry() {
            Retry::After(wait) if wait <= self.retry.longest_wait => self.pause.extend(wait),
            _ => {}
        })
    }

    fn get_now(&self, target: &Target, offset: u64, budget: &mut Budget) -> Result<Answer, Error> {
        let mut answer = self.send(target, offset, self.authorization().as_ref(), budget)?;
        if is_challenge(&answer) {
            let authorization = self.answer_challenge(answer, &target.uri, budget)?;
            answer = self.send(target, offset, Some(&authorization), budget)?;
            self.set_authorization(authorization);
        }
        if let Some(challenge) = Guest::challenge(&answer) {
            let guest = Guest::enter(&answer, &challenge, &self.subject, &self.http, budget)?;
            *self.guest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(guest));
            answer = self.send(target, offset, self.authorization().as_ref(), budget)?;
        }
        if answer.status.is_success() {
            Ok(answer)
        } else if is_denial(&answer) {
            Err(self.unauthorized(answer))
        } else {
            Err(refusal(answer, &self.subject, &target.wanted))
        }
    }

    fn send(
        &self,
        target: &Target,
        offset: u64,
        authorization: Option<&HeaderValue>,
        budget: &Budget,
    ) -> Result<Answer, Error> {
        let limit = Limit::Home(Arc::clone(&self.home));
        let guest = self.guest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let guest = guest.as_deref();
        let (uri, accept, caller) = (&target.uri, target.accept, Caller::Known);
        let get = Get { uri, accept, offset, authorization, guest, limit, caller };
        self.http.get(&get, budget)
    }

    /// The header that answers a registry's challenges, the safest of them first.
    fn answer_challenge(&self, answer: Answer, home: &Uri, budget: &mut Budget) -> Result<HeaderValue, Error> {
        let challenges = Challenge::of(&answer.headers);
        let of_scheme = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        match (of_scheme("bearer"), of_scheme("basic"), &budget.stopped(|| self.lookup()).found) {
            (Some(_), _, Some(Credential::RegistryToken(token))) => {
                bearer(token).ok_or_else(|| self.unauthorized(answer))
            }
            (Some(challenge), _, credential) => {
                self.fetch_token(challenge, home, answer.home_reach, credential.as_ref(), budget)
            }
            (None, Some(_), Some(Credential::Password { user, password })) => {
                basic(user, password).ok_or_else(|| self.unauthorized(answer))
            }
            _ => Err(self.unauthorized(answer)),
        }
    }

    fn fetch_token(
        &self,
        challenge: &Challenge,
        home: &Uri,
        reach: Reach,
        credential: Option<&Credential>,
        budget: &Budget,
    ) -> Result<HeaderValue, Error> {
        let scope = format!("repository:{}:pull", self.subject.repository);
        let request = TokenRequest::new(challenge, &self.subject.registry, home, scope, reach)?;
        let answer = request.send(credential, Caller::Known, &self.http, budget)?;
        if answer.status.is_success() {
            read_token(answer)
        } else if is_denial(&answer) {
            Err(self.unauthorized(answer))
        } else {
            Err(refusal(answer, &self.subject, &Wanted::Token))
        }
    }

    fn unauthorized(&self, answer: Answer) -> Error {
        let lookup = self.lookup();
        Error::Unauthorized {
            registry: self.subject.registry.clone(),
            repository: self.subject.repository.clone(),
            status: answer.status.as_u16(),
            said: Said::read(answer).text,
            sent: lookup.found.is_some(),
            places: lookup.places.clone(),
        }
    }

    fn lookup(&self) -> &Lookup {
        self.lookup.get_or_init(|| self.places.look_up(&self.subject.registry, &self.subject.repository))
    }

    fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_authorization(&self, value: HeaderValue) {
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }
}

/// 401 from the registry itself. Whoever a redirect led to gets no credentials.
fn is_challenge(answer: &Answer) -> bool {
    answer.status.as_u16() == 401 && answer.is_home
}

/// A refusal for want of rights. Storage that a redirect led to says 403 for other reasons.
fn is_denial(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 401 | 403) && answer.is_home
}
