//! The registry client against a real registry, and against servers that fail or cheat on demand.

mod by_url;
mod gateways;
mod real_registry;
mod requests;
mod slow;
mod support;
mod transfer;
mod trust;
mod upload;
