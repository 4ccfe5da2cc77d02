//! What OpenRC would start: the scripts that the runlevels of a boot link to.

use nex_inspect::{View, exists, is_executable};

use super::AGENT;
use super::service::{Service, is_agent};
use super::text::{LONGEST, contains, read, shown};

/// Where the runlevels are, each a directory of links.
const RUNLEVELS: &[u8] = b"/etc/runlevels";

/// Where the scripts are.
const SCRIPTS: &[u8] = b"/etc/init.d";

/// The runlevels that a boot goes through.
const BOOT: [&[u8]; 3] = [b"sysinit", b"boot", b"default"];

/// The links of all runlevels of a boot.
fn links(view: &dyn View) -> impl Iterator<Item = Vec<u8>> {
    BOOT.into_iter().flat_map(|level| {
        let directory = [RUNLEVELS, b"/", level].concat();
        let mut names = view.list(&directory).unwrap_or_default();
        names.sort();
        let names = names.into_iter().take_while(|_| !view.is_spent());
        names.map(move |name| [&directory, b"/".as_slice(), &name].concat())
    })
}

/// The service that starts the agent, or why there is none.
pub(super) fn agent(view: &dyn View) -> Result<Service, String> {
    let mut unfit = None;
    for link in links(view) {
        let Some(service) = service(view, &link) else { continue };
        if is_executable(view, &link) {
            return Ok(service);
        }
        unfit = Some(format!("{} may not be executed", shown(&service.file)));
    }
    let dangling = links(view).find(|link| link.ends_with(b"/agent") && !exists(view, link));
    let dangling = || dangling.map(|link| format!("{} leads nowhere", shown(&link)));
    let names = view.list(SCRIPTS).unwrap_or_default();
    let mut names = names.iter().take_while(|_| !view.is_spent());
    let mut idle = || names.find_map(|name| service(view, &[SCRIPTS, b"/", name].concat()));
    let idle = || idle().map(|idle| format!("{} is in no runlevel of the boot", shown(&idle.file)));
    let none = || format!("no service of OpenRC starts {}", shown(AGENT));
    Err(unfit.or_else(dangling).or_else(idle).unwrap_or_else(none))
}

/// Whether a service of this name is in a runlevel of the boot.
pub(super) fn is_enabled(view: &dyn View, name: &[u8]) -> bool {
    BOOT.into_iter().any(|level| exists(view, &[RUNLEVELS, b"/", level, b"/", name].concat()))
}

/// The script as a service, if it starts the agent.
fn service(view: &dyn View, path: &[u8]) -> Option<Service> {
    let text = read(view, path, LONGEST);
    let value = |name: &[u8]| {
        let found = text.split(|&byte| byte == b'\n').find_map(|line| line.trim_ascii().strip_prefix(name));
        found.map(|value| unquoted(value.trim_ascii()))
    };
    if !contains(&text, AGENT) && !value(b"command=").is_some_and(|command| is_agent(view, command)) {
        return None;
    }
    let user = value(b"command_user=");
    let mut names = user.into_iter().flat_map(|user| user.split(|&byte| byte == b':').map(<[u8]>::to_vec));
    let (user, group) = (names.next(), names.next());
    let is_name = |name: &Vec<u8>| !name.is_empty() && !name.contains(&b'$');
    Some(Service { file: path.to_vec(), user: user.filter(is_name), group: group.filter(is_name) })
}

/// A word of a shell without the quotes around it.
fn unquoted(word: &[u8]) -> &[u8] {
    let inner = |quote: &[u8]| word.strip_prefix(quote)?.strip_suffix(quote);
    inner(b"\"").or_else(|| inner(b"'")).unwrap_or(word)
}
