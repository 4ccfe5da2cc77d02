//! Holds a request against the description.

use serde_json::{Map, Value};

use super::description::{Field, Kind, OPERATIONS, Object, Operation};

/// What the request is about, when it has this method and path; the identifier in its path, too.
///
/// # Errors
/// Why there is no such thing.
pub fn operation<'a>(method: &str, path: &'a str) -> Result<(&'static Operation, Option<&'a str>), String> {
    for operation in &OPERATIONS {
        if operation.method != method {
            continue;
        }
        if operation.path == path {
            return Ok((operation, None));
        }
        let identifier = operation.path.strip_suffix("{id}").and_then(|start| path.strip_prefix(start));
        if let Some(identifier) = identifier {
            return checked_identifier(identifier).map(|identifier| (operation, Some(identifier)));
        }
    }
    Err(format!("there is no {method} {path}"))
}

fn checked_identifier(identifier: &str) -> Result<&str, String> {
    if !identifier.is_empty() && identifier.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') {
        return Ok(identifier);
    }
    Err(format!("{identifier:?} is no identifier: letters, digits and underscores are"))
}

/// The body as the description wants it.
///
/// # Errors
/// What is wrong with it.
pub fn body(body: &[u8], object: &Object) -> Result<Map<String, Value>, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let Value::Object(fields) = value else { return Err("the body is no object".to_owned()) };
    self::object(&fields, object)?;
    Ok(fields)
}

fn object(given: &Map<String, Value>, object: &Object) -> Result<(), String> {
    for (name, value) in given {
        let Some(field) = object.fields.iter().find(|field| field.name == name) else {
            let known: Vec<&str> = object.fields.iter().map(|field| field.name).collect();
            return Err(format!("unknown field `{name}`; there are {}", known.join(", ")));
        };
        self::field(field, value).map_err(|fault| format!("field `{name}`: {fault}"))?;
    }
    let missing = object.fields.iter().find(|field| field.required && !given.contains_key(field.name));
    missing.map_or(Ok(()), |field| Err(format!("missing field `{}`", field.name)))
}

fn field(field: &Field, value: &Value) -> Result<(), String> {
    let wrong = |wanted: String| Err(format!("{value} is not {wanted}"));
    match &field.kind {
        Kind::Text if value.is_string() => Ok(()),
        Kind::Text => wrong("a text".to_owned()),
        Kind::Flag if value.is_boolean() => Ok(()),
        Kind::Flag => wrong("true or false".to_owned()),
        Kind::Number { from, to, type_name } => match value.as_u64() {
            Some(number) if (*from..=*to).contains(&number) => Ok(()),
            _ => wrong(format!("a number ({type_name}) from {from} to {to}")),
        },
        Kind::OneOf(texts) if value.as_str().is_some_and(|text| texts.contains(&text)) => Ok(()),
        Kind::AnyCase(texts)
            if value.as_str().is_some_and(|text| texts.iter().any(|known| known.eq_ignore_ascii_case(text))) =>
        {
            Ok(())
        }
        Kind::OneOf(texts) | Kind::AnyCase(texts) => wrong(format!("one of {}", texts.join(", "))),
        Kind::Part(part) => match value {
            Value::Object(fields) => object(fields, part),
            _ => wrong("an object".to_owned()),
        },
    }
}
