//! The form that both files have: one line of JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{ImageConfig, Workload};

/// A type that is such a file.
pub trait Json: Serialize + DeserializeOwned {
    /// The file's content.
    ///
    /// # Errors
    /// None that a value of these types can give.
    fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut json = serde_json::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads the file's content.
    ///
    /// # Errors
    /// When that is no such file.
    fn from_json(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }
}

/// An empty value and a missing one are the same, as they are in an image; what it does not know it passes over.
impl Json for ImageConfig {}

/// What it does not know is an error.
impl Json for Workload {}
