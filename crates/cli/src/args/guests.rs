//! Guests that are there, or that have ended.

use clap::Args;

/// Several guests.
#[derive(Debug, Args)]
#[group(skip)]
pub struct GuestsArg {
    /// The guests: names, ids, or unique starts of ids.
    #[arg(value_name = "GUEST", required = true)]
    pub guests: Vec<String>,
}

/// One guest.
#[derive(Debug, Args)]
#[group(skip)]
pub struct GuestArg {
    /// The guest: its name, its id, or a unique start of its id.
    #[arg(value_name = "GUEST")]
    pub guest: String,
}
