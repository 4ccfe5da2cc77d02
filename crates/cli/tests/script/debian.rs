//! Debian's own packages, installed by a script.
