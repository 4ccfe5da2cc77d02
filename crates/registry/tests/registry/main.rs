//! The registry client against a real registry, and against servers that fail or cheat on demand.

mod gateways;
mod real_registry;
mod slow;
mod support;
mod transfer;
mod trust;
