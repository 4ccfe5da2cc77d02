//! Trees as tars and back: what others make of it, and what must not be done.

mod changing;
mod hostile;
mod judges;
mod rules;
mod support;
