//! The form that both files have: one line of JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

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
