//! The user and the group that the agent runs as, and root's password.
//!
//! The formats are those of passwd(5), group(5), shadow(5) and gshadow(5): lines of fields between colons.

use nex_contract::may_be_asked_for;
use nex_fault::{Code, Fault, Remedy, whole};
use nex_inspect::{View, is_executable};

use super::change::Layer;
use super::text::{Attributes, Text};
use super::{Error, lossy};
use crate::codes;

/// The name of the agent's user and group.
const NAME: &[u8] = b"nex";

/// The number of the agent's user and group.
pub(crate) const NUMBER: u32 = 1000;

/// The home directory of the agent's user.
const HOME: &[u8] = b"/home/nex";

/// A password field that no password matches.
const LOCKED: &[u8] = b"*";

/// The fields of shadow(5) after the password: last change unknown, may change at once, lasts for ever in practice, warn a
/// week ahead.
const AGES: &[u8] = b"::0:99999:7:::";

/// Adds the user, the group and the home directory, and locks or sets root's password.
pub(crate) fn wire(view: &dyn View, root_password: Option<&[u8]>, layer: &mut Layer) -> Result<(), Error> {
    let mut group = Text::load(view, b"/etc/group", Attributes::PUBLIC)?;
    let shadow_attributes = Attributes { mode: 0o640, owner: (0, number_of(&group, b"shadow").unwrap_or(0)) };
    let mut shadow = Text::load(view, b"/etc/shadow", shadow_attributes)?;
    let mut gshadow = Text::load(view, b"/etc/gshadow", shadow_attributes)?;
    let mut passwd = Text::load(view, b"/etc/passwd", Attributes::PUBLIC)?;

    set_root(view, &mut passwd, &mut shadow, root_password, layer)?;
    add_root_group(&mut group);
    let gid = add_group(&mut group, &mut gshadow, layer);
    let user = add_user(view, &mut passwd, &mut shadow, gid, layer);
    add_home(view, &user, layer);
    for text in [passwd, group, shadow, gshadow] {
        text.save(layer);
    }
    Ok(())
}

/// A user as passwd(5) has it.
struct User {
    owner: (u32, u32),
    home: Vec<u8>,
}

fn add_root_group(group: &mut Text) {
    if !group.is_found() {
        group.append(b"root:x:0:");
    }
}

/// Makes sure of the group, and returns its number.
fn add_group(group: &mut Text, gshadow: &mut Text, layer: &mut Layer) -> u32 {
    if gshadow.is_found() && entry(gshadow, NAME).is_none() {
        gshadow.append(&[NAME, b":!::"].concat());
    }
    if let Some(gid) = number_of(group, NAME) {
        if gid != NUMBER {
            layer.note(format!("the image's group nex has the number {gid}, not {NUMBER}; it stays"));
        }
        return gid;
    }
    if let Some(other) = name_of(group, NUMBER) {
        layer.note(format!("group {NUMBER} is '{other}' in the image; nex is a second name for it"));
    }
    group.append(format!("nex:x:{NUMBER}:").as_bytes());
    NUMBER
}

/// Makes sure of the user, locked, and returns what it is.
fn add_user(view: &dyn View, passwd: &mut Text, shadow: &mut Text, gid: u32, layer: &mut Layer) -> User {
    if entry(shadow, NAME).is_none() {
        shadow.append(&[NAME, b":!", AGES].concat());
    }
    if let Some(user) = entry(passwd, NAME).and_then(User::parse) {
        if user.owner.0 != NUMBER {
            layer.note(format!("the image's user nex has the number {}, not {NUMBER}; it stays", user.owner.0));
        }
        return user;
    }
    if let Some(other) = name_of(passwd, NUMBER) {
        layer.note(format!("user {NUMBER} is '{other}' in the image; nex is a second name for it"));
    }
    let home = String::from_utf8_lossy(HOME);
    passwd.append(format!("nex:x:{NUMBER}:{gid}:nex:{home}:{}", no_login(view)).as_bytes());
    User { owner: (NUMBER, gid), home: HOME.to_vec() }
}

impl User {
    fn parse(line: &[u8]) -> Option<Self> {
        let owner = (number(field(line, 2)?)?, number(field(line, 3)?)?);
        Some(Self { owner, home: field(line, 5)?.to_vec() })
    }
}

/// Makes the home directory and gives it to its user, unless the image's own `nex` lives elsewhere.
fn add_home(view: &dyn View, user: &User, layer: &mut Layer) {
    if user.home == HOME {
        let mode = view.stat(HOME).map_or(0o755, |home| home.mode);
        layer.directory(HOME, mode, user.owner);
    }
}

/// Gives root the password asked for. Without one root stays as it is, but is locked where no password would open it.
fn set_root(
    view: &dyn View,
    passwd: &mut Text,
    shadow: &mut Text,
    password: Option<&[u8]>,
    layer: &mut Layer,
) -> Result<(), Error> {
    if password.is_some_and(|field| !may_be_asked_for(field)) {
        return Err(Error::PasswordHash);
    }
    let open_in_passwd = move_root_to_shadow(view, passwd, password.is_some());
    let in_shadow = entry(shadow, b"root").map(<[u8]>::to_vec);
    let open_in_shadow = in_shadow.as_ref().is_some_and(|line| field(line, 1).is_none_or(<[u8]>::is_empty));
    if password.is_none() && (open_in_passwd || open_in_shadow) {
        layer.note("root has an empty password in the image; it is locked");
    }
    if let (None, Some(line), false) = (password, &in_shadow, open_in_shadow) {
        if field(line, 1).is_some_and(|hash| !hash.starts_with(b"!") && !hash.starts_with(b"*")) {
            layer.note("root has a password in the image, and it stays valid");
        }
        return Ok(());
    }
    let wanted = password.unwrap_or(LOCKED);
    match in_shadow {
        Some(line) => shadow.replace(&line, &with_field(&line, 1, wanted)),
        None => shadow.append(&[b"root:", wanted, AGES].concat()),
    }
    Ok(())
}

/// Makes passwd(5) point to shadow(5) for root, where it is missing, or holds an empty password or one to be replaced.
/// Returns whether it was empty.
fn move_root_to_shadow(view: &dyn View, passwd: &mut Text, replaced: bool) -> bool {
    let Some(line) = entry(passwd, b"root").map(<[u8]>::to_vec) else {
        let shell = if is_executable(view, b"/bin/sh") { "/bin/sh" } else { no_login(view) };
        passwd.append(format!("root:x:0:0:root:/root:{shell}").as_bytes());
        return false;
    };
    let empty = field(&line, 1).is_none_or(<[u8]>::is_empty);
    if empty || replaced {
        passwd.replace(&line, &with_field(&line, 1, b"x"));
    }
    empty
}

/// The program that refuses a login, where the image has it.
fn no_login(view: &dyn View) -> &'static str {
    match is_executable(view, b"/usr/sbin/nologin") && !is_executable(view, b"/sbin/nologin") {
        true => "/usr/sbin/nologin",
        false => "/sbin/nologin",
    }
}

/// The line of the entry with this name.
fn entry<'a>(text: &'a Text, name: &[u8]) -> Option<&'a [u8]> {
    text.lines().find(|line| field(line, 0) == Some(name))
}

/// The number of the entry with this name. Users and groups both have it in the third field.
fn number_of(text: &Text, name: &[u8]) -> Option<u32> {
    entry(text, name).and_then(|line| number(field(line, 2)?))
}

/// The name of the first entry with this number.
fn name_of(text: &Text, wanted: u32) -> Option<String> {
    text.lines().find(|line| field(line, 2).and_then(number) == Some(wanted)).and_then(|line| field(line, 0)).map(lossy)
}

/// Why a user or a group of the image is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum NoUser {
    /// The image does not have it.
    #[error("{file} of the image does not have '{name}'")]
    Missing {
        /// Where it would stand.
        file: String,
        /// The name.
        name: String,
    },
    /// It is there, or may be, and is not to be used.
    #[error("{0}")]
    Unfit(String),
}

impl Fault for NoUser {
    fn code(&self) -> Code {
        codes::AGENT_USER
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Missing { .. } => Some(Remedy::say("add it in a setup script")),
            Self::Unfit(_) => None,
        }
    }
}

/// A user of the image by name or number: the name, the number, and the number of the user's group.
pub(crate) fn find_user(view: &dyn View, wanted: &str) -> Result<(String, u32, u32), NoUser> {
    let passwd = found_in(view, b"/etc/passwd", wanted)?;
    let gid = field(&passwd, 3)
        .and_then(number)
        .ok_or_else(|| NoUser::Unfit("its line in /etc/passwd is damaged".to_owned()))?;
    named(&passwd).map(|(name, uid)| (name, uid, gid))
}

/// A group of the image by name or number: the name and the number.
pub(crate) fn find_group(view: &dyn View, wanted: &str) -> Result<(String, u32), NoUser> {
    found_in(view, b"/etc/group", wanted).and_then(|line| named(&line))
}

/// The line of a name or number.
fn found_in(view: &dyn View, path: &'static [u8], wanted: &str) -> Result<Vec<u8>, NoUser> {
    let text = Text::load(view, path, Attributes::PUBLIC).map_err(|error| NoUser::Unfit(whole(&error)))?;
    let by_number = || {
        let wanted = wanted.parse().ok()?;
        text.lines().find(|line| field(line, 2).and_then(number) == Some(wanted))
    };
    let line = entry(&text, wanted.as_bytes()).or_else(by_number).map(<[u8]>::to_vec);
    line.ok_or_else(|| NoUser::Missing { file: lossy(path), name: lossy(wanted.as_bytes()) })
}

/// The name and the number in a line. The name goes into files of service managers, where it has to stay what it is.
fn named(line: &[u8]) -> Result<(String, u32), NoUser> {
    let name = field(line, 0).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(is_plain) {
        let what =
            format!("the name '{}' has other characters than letters, digits, _ . and -", lossy(name.as_bytes()));
        return Err(NoUser::Unfit(what));
    }
    let number =
        field(line, 2).and_then(number).ok_or_else(|| NoUser::Unfit(format!("the line of '{name}' is damaged")))?;
    Ok((name.to_owned(), number))
}

fn field(line: &[u8], index: usize) -> Option<&[u8]> {
    line.split(|&byte| byte == b':').nth(index)
}

fn with_field(line: &[u8], index: usize, value: &[u8]) -> Vec<u8> {
    let mut fields: Vec<&[u8]> = line.split(|&byte| byte == b':').collect();
    fields.resize(fields.len().max(index + 1), b"");
    fields[index] = value;
    fields.join(&b':')
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
