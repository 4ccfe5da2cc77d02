//! What is answered: a status, and an object.

use serde_json::{Value, json};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// 200, 204 or 400.
    pub status: u16,
    /// The body of a 200 or a 400.
    pub body: Option<Value>,
}

impl Answer {
    /// It is done.
    pub fn done() -> Self {
        Self { status: 204, body: None }
    }

    /// Here is what was asked for.
    pub fn with(body: Value) -> Self {
        Self { status: 200, body: Some(body) }
    }

    /// It is refused, as an object of the description's definition `Error`.
    pub fn fault(message: &str) -> Self {
        Self { status: 400, body: Some(json!({ "fault_message": message })) }
    }
}
