//! What opens a registry.

use crate::secret::Secret;

/// What opens a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A user and a password.
    Password { user: String, password: Secret },
    /// A refresh token, given to the token server for access tokens.
    IdentityToken(Secret),
    /// A bearer token, for the registry itself.
    RegistryToken(Secret),
}
