//! Access tokens: the distribution project's token flow, with a password (GET) or an identity token (POST, OAuth 2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use ureq::http::{HeaderValue, Uri};

use super::address::{is_https, place};
use super::challenge::Challenge;
use super::credentials::Credential;
use super::error::Error;
use super::fence::Limit;
use super::http::{Answer, Get, Http};
use super::line::Caller;
use super::patience::Budget;
use super::reach::Reach;
use super::secret::Secret;

/// Bytes of a token server's answer that are read at most.
const MAX_ANSWER: u64 = 1 << 20;

/// The longest token, in bytes: servers take no longer headers.
const MAX_TOKEN: usize = 64 << 10;

/// Who we are to a token server.
const CLIENT: &str = "nex";

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A token server's question, checked.
pub(super) struct TokenRequest {
    realm: Uri,
    service: Option<String>,
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
    /// Reads a `Bearer` challenge of the registry at `home`. `scope` is asked for when the challenge names none.
    ///
    /// # Errors
    /// A realm that is not encrypted while the registry is, or that lies further inside the network than the registry:
    /// it gets the user's credentials, and the registry chooses it.
    pub(super) fn new(
        challenge: &Challenge,
        registry: &str,
        home: &Uri,
        scope: String,
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
        let scope = challenge.parameter("scope").map_or(scope, str::to_owned);
        Ok(TokenRequest { realm, service, scope, innermost })
    }

    /// Asks with whatever the user has. The answer may be a refusal; see [`read_token`].
    pub(super) fn send(
        &self,
        credential: Option<&Credential>,
        caller: Caller,
        http: &Http,
        budget: &Budget,
    ) -> Result<Answer, Error> {
        match credential {
            Some(Credential::IdentityToken(token)) => {
                http.post_form(&self.realm, self.refresh_form(token), self.innermost, budget)
            }
            Some(Credential::Password { user, password }) => {
                self.get(Some(&basic(user, password).ok_or_else(|| self.unsendable())?), caller, http, budget)
            }
            Some(Credential::RegistryToken(_)) | None => self.get(None, caller, http, budget),
        }
    }

    fn get(
        &self,
        authorization: Option<&HeaderValue>,
        caller: Caller,
        http: &Http,
        budget: &Budget,
    ) -> Result<Answer, Error> {
        let mut uri = self.realm.to_string();
        let service = self.service.iter().map(|service| ("service", service.as_str()));
        // Several scopes stand in one parameter, separated by spaces; servers want them one by one.
        let scopes = self.scope.split(' ').filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope));
        for (name, value) in service.chain(scopes) {
            uri.push(if uri.contains('?') { '&' } else { '?' });
            uri.push_str(&format!("{name}={}", encoded(value)));
        }
        let uri = uri.parse().map_err(|_| self.unsendable())?;
        let (accept, limit) = (Some("application/json"), Limit::Within(self.innermost));
        http.get(&Get { uri: &uri, accept, offset: 0, authorization, guest: None, limit, caller }, budget)
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
pub(super) fn read_token(answer: Answer) -> Result<HeaderValue, Error> {
    let realm = place(&answer.uri);
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
pub(super) fn bearer(token: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Bearer {}", token.reveal()))
}

/// `Authorization: Basic BASE64`.
pub(super) fn basic(user: &str, password: &Secret) -> Option<HeaderValue> {
    sensitive(&format!("Basic {}", BASE64.encode(format!("{user}:{}", password.reveal()))))
}

/// A header that is left out of logs and `Debug`.
fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn encoded(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}
