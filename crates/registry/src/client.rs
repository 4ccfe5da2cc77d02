//! Requests to one repository, authorised as its registry asks.

use std::sync::{Arc, Mutex, PoisonError};

use crate::authorizer::{Authorizer, is_challenge, is_denial};
use crate::endpoint::{Endpoint, repository_base};
use crate::error::Error;
use crate::guest;
use crate::options::Options;
use crate::refusal::{Subject, Wanted, refusal};
use crate::request::{Request, Target};
use crate::scope::{Access, Scope, Scopes};
use crate::transport::http::{HeaderMap, HeaderValue, Method, Uri, header};
use crate::transport::{
    self, Answer, Attempts, Body, Budget, Caller, Home, Limit, Origin, OriginAuthorization, Pause, Redirects, Retry,
    RetryPolicy, Timeouts, Transport, with_query,
};

/// A repository at a registry.
pub(crate) struct Client {
    transport: Transport,
    subject: Subject,
    /// `https://HOST/v2/REPOSITORY`.
    base: String,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeouts: Timeouts,
    /// What it asked for by `Retry-After`; all connections keep to it.
    pause: Pause,
    authorizer: Authorizer,
    /// How far inside the network the registry is.
    home: Arc<Home>,
    /// What the one that it redirects to has given to somebody without a name.
    guest: Mutex<Option<Arc<OriginAuthorization>>>,
}

/// A request with its address, and what messages call it.
pub(crate) struct Prepared<'a> {
    pub(crate) uri: Uri,
    method: Method,
    origin: Origin,
    limit: Limit,
    headers: HeaderMap,
    body: Body<'a>,
    scopes: Scopes,
    is_idempotent: bool,
    wanted: Wanted,
}

impl Client {
    /// Prepares requests. Nothing is sent yet.
    pub(crate) fn new(registry: &str, repository: &str, options: &Options) -> Result<Client, Error> {
        let base = repository_base(registry, repository, options.transport.security)?;
        let subject = Subject { registry: registry.to_owned(), repository: repository.to_owned() };
        Ok(Client {
            transport: Transport::new(registry, &base, &options.transport)?,
            authorizer: Authorizer::new(subject.clone(), options.credentials.clone()),
            subject,
            base,
            retry: options.transport.retry.clone(),
            timeouts: options.transport.timeouts.clone(),
            pause: Pause::default(),
            home: Arc::default(),
            guest: Mutex::new(None),
        })
    }

    /// Whether the registry itself has ever spoken TLS.
    pub(crate) fn has_spoken_tls(&self) -> bool {
        self.transport.has_spoken_tls()
    }

    /// The time for one document.
    pub(crate) fn budget(&self) -> Budget {
        self.transport.budget()
    }

    /// Gives a request its address.
    pub(crate) fn prepare<'a>(&self, request: &Request<'a>) -> Result<Prepared<'a>, Error> {
        let (uri, origin, limit, wanted) = match request.target {
            Target::Endpoint(endpoint) => (endpoint.uri(&self.base)?, Origin::Own, self.limit(), endpoint.wanted()),
            Target::Location(location) => {
                let limit = match location.origin() {
                    Origin::Own => self.limit(),
                    Origin::Other => Limit::Within(location.innermost()),
                };
                (location.uri().clone(), location.origin(), limit, Wanted::Upload)
            }
        };
        Ok(Prepared {
            uri: with_query(&uri, request.query)?,
            method: request.method.clone(),
            origin,
            limit,
            headers: request.headers.clone(),
            body: request.body,
            scopes: Scopes { own: self.scope(request.access), others: request.others.to_vec() },
            is_idempotent: request.is_idempotent(),
            wanted,
        })
    }

    /// Reads something that the repository has.
    pub(crate) fn get(&self, endpoint: Endpoint<'_>, accept: Option<&'static str>) -> Result<Prepared<'static>, Error> {
        let accept = accept.map(|accept| (header::ACCEPT, HeaderValue::from_static(accept)));
        Ok(Prepared {
            uri: endpoint.uri(&self.base)?,
            method: Method::GET,
            origin: Origin::Own,
            limit: self.limit(),
            headers: accept.into_iter().collect(),
            body: Body::Empty,
            scopes: Scopes { own: self.scope(Access::Pull), others: Vec::new() },
            is_idempotent: true,
            wanted: endpoint.wanted(),
        })
    }

    fn limit(&self) -> Limit {
        Limit::Home(Arc::clone(&self.home))
    }

    fn scope(&self, access: Access) -> Scope {
        Scope { repository: self.subject.repository.clone(), access }
    }

    /// Asks, with retries. Only success is returned.
    pub(crate) fn request(&self, request: &Prepared<'_>) -> Result<Answer, Error> {
        self.retried(request, &mut self.budget(), |budget| self.send_from(request, 0, budget))
    }

    /// Gets a whole document of at most `limit` bytes, with retries. `pick` takes what is needed from the headers.
    pub(crate) fn document<T>(
        &self,
        request: &Prepared<'_>,
        limit: u64,
        budget: &mut Budget,
        pick: impl Fn(&Answer) -> T,
    ) -> Result<(T, Vec<u8>), Error> {
        self.retried(request, budget, |budget| {
            let answer = self.send_from(request, 0, budget)?;
            let picked = pick(&answer);
            Ok((picked, answer.read(limit)?))
        })
    }

    fn retried<T>(
        &self,
        request: &Prepared<'_>,
        budget: &mut Budget,
        mut attempt: impl FnMut(&mut Budget) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut attempts = Attempts::new(&self.retry);
        loop {
            let error = match attempt(budget) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if request.is_streamed() {
                *budget = self.budget();
            }
            // Without time, another attempt would only hide what the last one met.
            if budget.is_over() || !budget.stopped(|| attempts.wait_after_failure(request.retry(&error))) {
                return Err(match attempts.made() {
                    0 | 1 => error,
                    made => Error::GaveUp { attempts: made, last: Box::new(error) },
                });
            }
        }
    }

    /// Asks once, from a byte on, and answers one challenge on the way. Only success is returned.
    pub(crate) fn send_from(&self, request: &Prepared<'_>, offset: u64, budget: &mut Budget) -> Result<Answer, Error> {
        budget.stopped(|| self.pause.wait());
        self.send_now(request, offset, budget).inspect_err(|error| match error.retry() {
            Retry::After(wait) if wait <= self.retry.longest_wait => self.pause.extend(wait),
            _ => {}
        })
    }

    fn send_now(&self, request: &Prepared<'_>, offset: u64, budget: &mut Budget) -> Result<Answer, Error> {
        let scopes = &request.scopes;
        let mut authorization = self.authorizer.accepted(scopes);
        let mut answer = self.send(request, offset, authorization.as_ref(), budget)?;
        if is_challenge(&answer) {
            request.renew(budget, &self.transport);
            let asked_for = self.authorizer.answer(answer, &request.uri, scopes, &self.transport, budget)?;
            answer = self.send(request, offset, Some(&asked_for), budget)?;
            self.authorizer.accept(scopes, asked_for.clone());
            authorization = Some(asked_for);
        }
        if let Some(challenge) = guest::challenge(&answer).filter(|_| scopes.own.access == Access::Pull) {
            let guest = guest::enter(&answer, &challenge, scopes, &self.subject, &self.transport, budget)?;
            *self.guest.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(guest));
            answer = self.send(request, offset, authorization.as_ref(), budget)?;
        }
        if answer.status().is_success() {
            Ok(answer)
        } else if is_denial(&answer) {
            Err(self.authorizer.denied(answer, authorization.as_ref()))
        } else {
            Err(refusal(answer, &self.subject, &request.wanted))
        }
    }

    fn send(
        &self,
        request: &Prepared<'_>,
        offset: u64,
        authorization: Option<&HeaderValue>,
        budget: &mut Budget,
    ) -> Result<Answer, Error> {
        request.renew(budget, &self.transport);
        let mut headers = request.headers.clone();
        if offset > 0 {
            let range = HeaderValue::try_from(format!("bytes={offset}-"));
            headers.extend(range.ok().map(|range| (header::RANGE, range)));
        }
        // A token for everybody is one for reading.
        let is_reading = request.scopes.own.access == Access::Pull;
        let guest = self.guest.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(|_| is_reading);
        let is_own = request.origin == Origin::Own;
        let request = transport::Request {
            method: request.method.clone(),
            uri: &request.uri,
            headers,
            body: request.body,
            authorization: authorization.filter(|_| is_own),
            guest: guest.as_deref(),
            origin: request.origin,
            limit: request.limit.clone(),
            caller: if is_own { Caller::Known } else { Caller::Nobody },
            redirects: Redirects::Followed,
        };
        Ok(self.transport.send(&request, budget)?)
    }
}

impl Prepared<'_> {
    /// The same at another address of the same origin.
    pub(crate) fn at(self, uri: Uri) -> Self {
        Self { uri, ..self }
    }

    /// Whether the body has its own time.
    fn is_streamed(&self) -> bool {
        matches!(self.body, Body::Content(_))
    }

    /// Each exchange around a streamed body has the time of a document: the body takes as long as it takes.
    fn renew(&self, budget: &mut Budget, transport: &Transport) {
        if self.is_streamed() {
            *budget = transport.budget();
        }
    }

    /// Whether it may be made again after a failure. One that must not be made twice may when it was refused before it was looked at.
    fn retry(&self, error: &Error) -> Retry {
        match error {
            _ if self.is_idempotent => error.retry(),
            Error::Transport(transport::Error::RateLimited { .. }) => error.retry(),
            _ => Retry::Never,
        }
    }
}
