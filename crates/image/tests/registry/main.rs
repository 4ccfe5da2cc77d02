//! The registry client against a real registry, and against servers that fail or cheat on demand.

mod distribution;
mod fault_server;
mod gateways;
mod mirrors;
mod real_registry;
mod slow;
mod transfer;
mod trust;
