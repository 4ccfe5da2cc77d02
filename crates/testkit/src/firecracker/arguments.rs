//! The program's arguments, of which it takes Firecracker's and no other.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the program was asked for.
pub struct Arguments {
    /// Print the version, and nothing else.
    pub version: bool,
    /// Where to listen.
    pub api_socket: PathBuf,
    /// The microVM's name.
    pub id: String,
    /// Where the log goes.
    pub log_path: Option<PathBuf>,
    /// The level of what is logged.
    pub level: String,
}

/// Arguments with a value that change nothing here.
const IGNORED: [&str; 2] = ["--start-time-us", "--start-time-cpu-us"];
/// The log's levels.
const LEVELS: [&str; 6] = ["Error", "Warning", "Info", "Debug", "Trace", "Off"];

impl Arguments {
    /// Understands them.
    ///
    /// # Errors
    /// Why they are not Firecracker's.
    pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut parsed = Self {
            version: false,
            api_socket: "/run/firecracker.socket".into(),
            id: "anonymous-instance".to_owned(),
            log_path: None,
            level: "Info".to_owned(),
        };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let name = argument.to_string_lossy().into_owned();
            if name == "--version" {
                parsed.version = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name} has no value"))?;
            match name.as_str() {
                "--api-sock" => parsed.api_socket = value.into(),
                "--id" => parsed.id = checked_id(&value.to_string_lossy())?,
                "--log-path" => parsed.log_path = Some(value.into()),
                "--level" if !LEVELS.iter().any(|level| value.eq_ignore_ascii_case(level)) => {
                    return Err(format!("{} is no level of a log", value.to_string_lossy()));
                }
                "--level" => parsed.level = value.to_string_lossy().into_owned(),
                name if IGNORED.contains(&name) => {}
                _ => return Err(format!("there is no argument {name}")),
            }
        }
        Ok(parsed)
    }
}

/// A microVM's name has 1 to 64 letters, digits and hyphens.
fn checked_id(id: &str) -> Result<String, String> {
    let is_name = (1..=64).contains(&id.len()) && id.chars().all(|char| char.is_ascii_alphanumeric() || char == '-');
    if is_name { Ok(id.to_owned()) } else { Err(format!("{id:?} is no name of a microVM")) }
}
