//! A blob, as something that is read from any byte on.

use std::sync::Arc;

use crate::client::{Client, Prepared};
use crate::error::Error;
use crate::transport::address::place;
use crate::transport::{Answer, RangeSource, Retry};

/// A blob of a repository.
pub(crate) struct Blob {
    pub(crate) client: Arc<Client>,
    pub(crate) request: Prepared<'static>,
}

impl RangeSource for Blob {
    type Error = Error;

    fn get(&self, offset: u64) -> Result<Answer, Error> {
        self.client.send_from(&self.request, offset, &mut self.client.budget())
    }

    fn refuses_range(error: &Error) -> bool {
        matches!(error, Error::Status { status: 416, .. })
    }

    fn resume(error: &Error) -> Retry {
        match error {
            Error::Transport(error) => error.resume(),
            _ => Retry::Never,
        }
    }

    fn place(&self) -> String {
        place(&self.request.uri)
    }
}
