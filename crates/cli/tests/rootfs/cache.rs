//! The cache: the same bytes with it and without, whoever uses it at the same time, whatever happens to it.

mod at_once;
mod commands;
mod faults;
mod mounted;
mod nonsense;
mod planted;
mod reflink;
mod same_bytes;
mod world;
