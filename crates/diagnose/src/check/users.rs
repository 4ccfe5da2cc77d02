//! The users that a boot needs, as passwd(5), group(5) and shadow(5) have them: root, and whom the agent runs as.

use nex_contract::Password;
use nex_inspect::{Kind, View, exists};

use super::Findings;
use super::service::Service;
use super::text::{lines, shown};
use crate::rules;

/// The databases. Each line has its fields between colons, and the name first.
struct Database(Vec<Vec<u8>>);

impl Database {
    fn load(view: &dyn View, path: &[u8]) -> Self {
        Self(lines(view, path))
    }

    fn entry(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().map(Vec::as_slice).find(|line| field(line, 0) == Some(name))
    }

    fn has_number(&self, number: &[u8]) -> bool {
        self.0.iter().any(|line| field(line, 2) == Some(number))
    }
}

/// Reports on root, where the image has users at all.
pub(super) fn check(view: &dyn View, has_login: bool, findings: &mut Findings) {
    if !exists(view, b"/etc/passwd") {
        return;
    }
    let passwd = Database::load(view, b"/etc/passwd");
    let shadow = Database::load(view, b"/etc/shadow");
    let Some(root) = passwd.entry(b"root") else {
        let remedy = "add the line root:x:0:0:root:/root:/bin/sh";
        findings.report(&rules::USER_ROOT, "/etc/passwd has no line for root", remedy);
        return;
    };
    check_entry(root, &shadow, &Database::load(view, b"/etc/group"), findings);
    check_hashes(&passwd, b"/etc/passwd", findings);
    check_hashes(&shadow, b"/etc/shadow", findings);
    let shell = field(root, 6).filter(|shell| !shell.is_empty()).unwrap_or(b"/bin/sh");
    if has_login && !exists(view, shell) {
        let evidence = format!("root's shell in /etc/passwd is {}, which is not there", shown(shell));
        findings.report(&rules::USER_SHELL, evidence, "install it, or name one that is there");
    }
    let password = match field(root, 1) {
        Some(b"x") => shadow.entry(b"root").and_then(|line| field(line, 1)),
        own => own,
    };
    if has_login && password.is_some_and(<[u8]>::is_empty) {
        findings.report(
            &rules::USER_OPEN,
            "root's password is empty",
            "lock it: passwd -l root, if that is not what you want",
        );
    }
}

/// Reports on the user that the agent's service runs as.
pub(super) fn check_service(view: &dyn View, service: &Service, findings: &mut Findings) {
    let passwd = Database::load(view, b"/etc/passwd");
    let group = Database::load(view, b"/etc/group");
    let file = shown(&service.file);
    let databases = [(&service.user, &passwd, "user", "/etc/passwd"), (&service.group, &group, "group", "/etc/group")];
    for (name, database, kind, path) in databases {
        let Some(name) = name.as_deref().filter(|name| !is_number(name) && database.entry(name).is_none()) else {
            continue;
        };
        let evidence = format!("{file} runs the agent as the {kind} {}, which {path} does not have", shown(name));
        findings.report(&rules::AGENT_USER, evidence, format!("add the {kind}, or make the image with nex rootfs"));
    }
    let user =
        service.user.as_deref().and_then(|name| passwd.entry(name)).filter(|user| field(user, 0) != Some(b"root"));
    if let Some(user) = user {
        check_entry(user, &Database::load(view, b"/etc/shadow"), &group, findings);
        check_home(view, user, findings);
    }
}

/// Passwords are hashes, or say that there is none. What is no hash is not shown: it may be a password that is in use elsewhere.
fn check_hashes(database: &Database, file: &[u8], findings: &mut Findings) {
    let is_open = |line: &&Vec<u8>| {
        let field = field(line, 1).filter(|&field| field != b"x");
        field.is_some_and(|field| Password::of(field) == Password::NoHash)
    };
    let users: Vec<_> = database.0.iter().filter(is_open).filter_map(|line| field(line, 0)).map(shown).collect();
    if let Some(first) = users.first() {
        let others = if users.len() > 1 { format!(" and {} others", users.len() - 1) } else { String::new() };
        let evidence = format!("the password of {first}{others} in {} is no hash as crypt(5) has it", shown(file));
        findings.report(
            &rules::USER_HASH,
            evidence,
            "put the output of 'openssl passwd -6' there, or ! for no password",
        );
    }
}

/// The other databases have what a line of passwd(5) refers to.
fn check_entry(user: &[u8], shadow: &Database, group: &Database, findings: &mut Findings) {
    let name = field(user, 0).unwrap_or_default();
    if field(user, 1) == Some(b"x") && shadow.entry(name).is_none() {
        let evidence =
            format!("/etc/passwd has {} with x for a password, and /etc/shadow has no such line", shown(name));
        findings.report(&rules::USER_SHADOW, evidence, format!("add the line {}:!::0:99999:7:::", shown(name)));
    }
    let number = field(user, 3).unwrap_or_default();
    if !group.has_number(number) {
        let evidence =
            format!("{} has the group {} in /etc/passwd, and /etc/group has none", shown(name), shown(number));
        findings.report(&rules::USER_GROUP, evidence, "add the group to /etc/group");
    }
}

/// The service's logs stand in the home directory.
fn check_home(view: &dyn View, user: &[u8], findings: &mut Findings) {
    let (home, number) = (field(user, 5).unwrap_or_default(), field(user, 2).unwrap_or_default());
    let why = match view.stat(home).filter(|home| home.kind == Kind::Directory) {
        None => "is no directory".into(),
        Some(stat) if stat.uid.to_string().as_bytes() != number => format!("belongs to {}", stat.uid),
        Some(_) => return,
    };
    let evidence = format!("{}, the home of the agent's user {}, {why}", shown(home), shown(number));
    findings.report(
        &rules::AGENT_HOME,
        evidence,
        format!("make it, and give it to the user: chown {} {}", shown(number), shown(home)),
    );
}

fn is_number(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_digit)
}

fn field(line: &[u8], index: usize) -> Option<&[u8]> {
    line.split(|&byte| byte == b':').nth(index)
}
