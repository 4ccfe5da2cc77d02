//! Access tokens: the distribution project's token flow, with a password (GET) or an identity token (POST, OAuth 2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::challenge::Challenge;
use crate::credential::Credential;
use crate::error::Error;
use crate::scope::Scopes;
use crate::secret::Secret;
use crate::transport::address::{is_https, place};
use crate::transport::http::{HeaderMap, HeaderValue, Method, Uri, header};
use crate::transport::percent::encoded;
use crate::transport::{Answer, Body, Budget, Caller, Limit, Origin, Reach, Redirects, Request, Transport, with_query};

/// Bytes of a token server's answer that are read at most.
const MAX_ANSWER: u64 = 1 << 20;

/// The longest token, in bytes: servers take no longer headers.
const MAX_TOKEN: usize = 64 << 10;

/// Who we are to a token server.
const CLIENT: &str = "nex";

/// A token server's question, checked.
pub(crate) struct TokenRequest {
    realm: Uri,
    service: Option<String>,
    /// Scopes, separated by spaces.
    scope: String,
    /// How far inside the network the registry is: the token server may be no further.
    innermost: Reach,
}

/// The answer; servers give one of the two fields, or both.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl TokenRequest {
    /// Reads a `Bearer` challenge of the registry at `home`. `scopes` are what the request needs.
    ///
    /// # Errors
    /// A realm that is not encrypted while the registry is, or that lies further inside the network than the registry:
    /// it gets the user's credentials, and the registry chooses it.
    pub(crate) fn new(
        challenge: &Challenge,
        registry: &str,
        home: &Uri,
        scopes: &Scopes,
        innermost: Reach,
    ) -> Result<TokenRequest, Error> {
        let text = challenge.parameter("realm").unwrap_or_default();
        let refused = |reason| Error::Realm { registry: registry.to_owned(), realm: nex_text::url(text), reason };
        let realm: Uri = text.parse().map_err(|_| refused("it is no address"))?;
        let Some(authority) = realm.authority() else {
            return Err(refused("it is no absolute address"));
        };
        if authority.as_str().contains('@') {
            return Err(refused("it holds user information"));
        }
        let may_be_plain = !is_https(home) && realm.scheme_str() == Some("http");
        if !is_https(&realm) && !may_be_plain {
            return Err(refused("it is not https, and credentials must not travel unencrypted"));
        }
        if Reach::of_host(&realm) > innermost {
            return Err(refused("it lies further inside the network than the registry"));
        }
        let service = challenge.parameter("service").map(str::to_owned);
        let scope = scopes.asked_for(challenge.parameter("scope"));
        Ok(TokenRequest { realm, service, scope, innermost })
    }

    /// Asks with whatever the user has. The answer may be a refusal; see [`read_token`].
    pub(crate) fn send(
        &self,
        credential: Option<&Credential>,
        caller: Caller,
        transport: &Transport,
        budget: &Budget,
    ) -> Result<Answer, Error> {
        match credential {
            Some(Credential::IdentityToken(token)) => {
                transport.keep_secret(token.reveal());
                self.post(&self.refresh_form(token), transport, budget)
            }
            Some(Credential::Password { user, password }) => {
                let basic = basic(user, password).ok_or_else(|| self.unsendable())?;
                self.get(Some(&basic), caller, transport, budget)
            }
            Some(Credential::RegistryToken(_)) | None => self.get(None, caller, transport, budget),
        }
    }

    fn get(
        &self,
        authorization: Option<&HeaderValue>,
        caller: Caller,
        transport: &Transport,
        budget: &Budget,
    ) -> Result<Answer, Error> {
        let service = self.service.iter().map(|service| ("service", service.as_str()));
        // Several scopes stand in one parameter, separated by spaces; servers want them one by one.
        let scopes = self.scope.split(' ').filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope));
        let parameters: Vec<_> = service.chain(scopes).collect();
        let uri = with_query(&self.realm, &parameters).map_err(|_| self.unsendable())?;
        let request = Request {
            headers: [(header::ACCEPT, HeaderValue::from_static("application/json"))].into_iter().collect(),
            authorization,
            caller,
            ..self.request(Method::GET, &uri)
        };
        Ok(transport.send(&request, budget)?)
    }

    /// Sends a form in the caller's name. Redirects are not followed: the form holds a secret.
    fn post(&self, form: &str, transport: &Transport, budget: &Budget) -> Result<Answer, Error> {
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = Request {
            headers: [(header::CONTENT_TYPE, kind)].into_iter().collect(),
            body: Body::Bytes(form.as_bytes()),
            redirects: Redirects::Returned,
            ..self.request(Method::POST, &self.realm)
        };
        Ok(transport.send(&request, budget)?)
    }

    fn request<'a>(&self, method: Method, uri: &'a Uri) -> Request<'a> {
        Request {
            method,
            uri,
            headers: HeaderMap::new(),
            body: Body::Empty,
            authorization: None,
            guest: None,
            origin: Origin::Own,
            limit: Limit::Within(self.innermost),
            caller: Caller::Known,
            redirects: Redirects::Followed,
        }
    }

    /// RFC 6749, section 6: refreshing an access token.
    fn refresh_form(&self, token: &Secret) -> String {
        let service = self.service.as_deref().unwrap_or_default();
        let fields = [
            ("grant_type", "refresh_token"),
            ("service", service),
            ("scope", &self.scope),
            ("client_id", CLIENT),
            ("refresh_token", token.reveal()),
        ];
        fields.map(|(name, value)| format!("{name}={}", encoded(value))).join("&")
    }

    fn unsendable(&self) -> Error {
        let reason = "the challenge or the credentials cannot be sent".to_owned();
        Error::Token { realm: place(&self.realm), reason }
    }
}

/// The `Authorization` header in a token server's good answer.
pub(crate) fn read_token(answer: Answer) -> Result<HeaderValue, Error> {
    let realm = place(answer.uri());
    let wrong = |reason: &str| Error::Token { realm: realm.clone(), reason: nex_text::excerpt(reason) };
    let body = answer.read(MAX_ANSWER)?;
    // The parser's own words are left out: they could repeat a token.
    let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| wrong("it is not the JSON expected"))?;
    let given = |token: Option<String>| token.filter(|token| !token.is_empty());
    let token = given(answer.token).or_else(|| given(answer.access_token)).ok_or_else(|| wrong("it has no token"))?;
    if token.len() > MAX_TOKEN {
        return Err(wrong("its token has more than 64 KiB, which no header holds"));
    }
    bearer(&Secret::new(token)).ok_or_else(|| wrong("its token has characters that no header can hold"))
}

/// `Authorization: Bearer TOKEN`.
pub(crate) fn bearer(token: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", token.reveal()))
}

/// `Authorization: Basic BASE64`.
pub(crate) fn basic(user: &str, password: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Basic {}", BASE64.encode(format!("{user}:{}", password.reveal()))))
}

/// A header that is left out of logs and `Debug`.
fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}
