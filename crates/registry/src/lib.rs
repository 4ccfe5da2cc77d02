//! Registries, by the OCI distribution specification, both ways: manifests, blobs and tags over HTTP.
//!
//! A [`Registry`] is one repository at one registry. Two layers are apart:
//!
//! ```text
//! distribution: Registry ── blob, tags, manifest ── client (challenges, tokens) ── credentials (files, helpers)
//!                                                     │
//! transport:    resume (ranges) ──────────────── exchange (redirects) ── line (connections: TLS, proxy, deadline, fence)
//! ```
//!
//! [`transport`] knows nothing of registries: it serves for whatever is named by a URL and verified by its digest.
//!
//! A registry is not trusted: it cannot send credentials elsewhere, lead to hosts further inside the network, fill
//! the memory, write to the terminal, or keep a request waiting for ever. Its bytes are verified by the caller, who has the digest.

mod auth_file;
mod authorizer;
mod blob;
mod candidate;
mod challenge;
mod client;
pub mod codes;
mod credential;
mod credential_helper;
mod credentials;
pub mod digest;
mod endpoint;
mod error;
mod guest;
mod mirrors;
mod options;
mod reference;
mod refusal;
mod registry;
mod request;
mod scope;
mod secret;
mod shown;
mod tags;
mod token;
pub mod transport;

pub use candidate::Candidate;
pub use credentials::{CredentialFile, CredentialPlaces, Place};
pub use digest::{Digest, DigestError};
pub use endpoint::Endpoint;
pub use error::Error;
pub use mirrors::MirrorPlaces;
pub use options::Options;
pub use reference::{RegistryReference, RegistryReferenceError};
pub use registry::Registry;
pub use request::{Request, Target};
pub use scope::{Access, Scope};
pub use shown::Shown;
