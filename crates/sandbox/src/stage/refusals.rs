//! What scripts cannot do where there is one id only, in words.

use nex_text::short_name;

use super::call::Call;
use super::seccomp;

/// What a call asks for that needs another id, and who asks: `'chown' could not give '/new' to user 12`.
///
/// The arguments that are ids are the process's registers: nobody changes them. The path may change; it is only shown.
pub fn describe(call: &Call) -> Option<String> {
    let (number, ids) = seccomp::ids().find(|(number, _)| *number == call.number())?;
    let wanted = |id: &u32| *id != 0 && *id != u32::MAX;
    let named = |kind: &str, argument: u8| Some(call.word(argument)).filter(wanted).map(|id| format!("{kind} {id}"));
    let program = std::fs::read_to_string(call.path("comm")).unwrap_or_default();
    let program = short_name(program.trim_end());
    let what = match file(call, number) {
        Some(path) => {
            let owners: Vec<_> = [named("user", ids[0]), named("group", *ids.last()?)].into_iter().flatten().collect();
            format!("give '{path}' to {}", owners.join(" and "))
        }
        None if ids.is_empty() => "choose its groups".into(),
        None => {
            let kind = if GROUPS.contains(&number) { "group" } else { "user" };
            format!("become {}", ids.iter().find_map(|argument| named(kind, *argument))?)
        }
    };
    Some(format!("'{program}' could not {what}"))
}

const GROUPS: [i64; 3] = [libc::SYS_setgid, libc::SYS_setregid, libc::SYS_setresgid];

/// The file that is given away, escaped; `None` if it is not about a file.
fn file(call: &Call, number: i64) -> Option<String> {
    let path = match number {
        libc::SYS_fchown => descriptor(call),
        libc::SYS_fchownat => call.text(1).ok().filter(|path| !path.is_empty()).or_else(|| descriptor(call)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chown | libc::SYS_lchown => call.text(0).ok(),
        _ => return None,
    };
    Some(path.map_or_else(|| "a file".into(), short_name))
}

fn descriptor(call: &Call) -> Option<Vec<u8>> {
    let link = std::fs::read_link(call.path(&format!("fd/{}", call.word(0)))).ok()?;
    Some(link.into_os_string().into_encoded_bytes())
}
