//! Reports about kernels as text.

use std::path::Path;

use nex_kernel::store::{Added, Change, Installed};
use nex_kernel::{Grade, Inspection, Need, State, Verdict};
use nex_text::human;

use crate::lines::Lines;

/// The installed kernels, a line for each.
pub fn installed(kernels: &[Installed]) -> String {
    let mut lines = Lines::default();
    for installed in kernels {
        let path = installed.path.display();
        match &installed.kernel {
            Ok(kernel) => lines.add(word(kernel.verdict), &format!("{path}  {}", about(kernel))),
            Err(error) => lines.add("damaged", &format!("{path}  {}", nex_fault::whole(error))),
        }
    }
    lines.0
}

/// What a kernel is, and what it has.
pub fn inspection(kernel: &Inspection) -> String {
    let mut lines = Lines::default();
    lines.add("kernel", &kernel.path);
    lines.add("processor", kernel.architecture);
    lines.add("release", kernel.release.as_deref().unwrap_or("it does not tell"));
    lines.add("form", &form(kernel));
    lines.add("size", &format!("{} ({} bytes)", human(kernel.bytes), kernel.bytes));
    lines.add(
        "config",
        kernel.config.as_deref().unwrap_or("unknown: it carries none (CONFIG_IKCONFIG), and none is beside it"),
    );
    let near = kernel.release.as_deref().map(|release| format!("lib/modules/{release} near it, or in /lib/modules"));
    let nowhere = format!("none found in {}", near.as_deref().unwrap_or("a directory near it"));
    lines.add("modules", kernel.modules.as_deref().unwrap_or(&nowhere));
    for start in &kernel.vmms {
        lines.add("vmm", &format!("{}: {}", start.vmm, start.obstacle.as_deref().unwrap_or("starts it")));
    }
    for need in &kernel.needs {
        lines.add(state(need), &format!("{}: {}{}", need.name, need.purpose, lacks(need)));
    }
    lines.add("result", &verdict(kernel));
    lines.0
}

/// What became of a kernel.
pub fn added(added: &Added) -> String {
    let mut lines = Lines::default();
    let change = match added.change {
        Change::Added => "added",
        Change::Replaced => "replaced",
        Change::Unchanged => "unchanged",
    };
    lines.add(change, &format!("{}  {}", added.kernel.path, about(&added.kernel)));
    if added.kernel.verdict == Verdict::Unknown {
        lines.add("warning", "nobody knows whether a guest can have it: its configuration is unknown");
    }
    lines.0
}

/// A path that a shell can take; `None` when what is printed would be another.
pub fn path(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    (nex_text::printable(text) == text).then(|| format!("{text}\n"))
}

fn about(kernel: &Inspection) -> String {
    let release = kernel.release.as_deref().unwrap_or("of unknown release");
    format!("{release}, {}, {}, {}", kernel.architecture, form(kernel), human(kernel.bytes))
}

fn form(kernel: &Inspection) -> String {
    let compression = kernel.compression.as_ref().map(|compression| format!(" ({compression})")).unwrap_or_default();
    let entry = match kernel.pvh {
        Some(true) => ", with the entry for QEMU (PVH)",
        Some(false) if kernel.architecture == "amd64" => ", without an entry for QEMU (PVH)",
        _ => "",
    };
    format!("{}{compression}{entry}", kernel.form)
}

fn state(need: &Need) -> &'static str {
    match (need.state, need.grade) {
        (State::BuiltIn, _) => "built in",
        (State::Module, _) => "module",
        (State::Missing, Grade::Required) => "missing",
        (State::Missing, Grade::Useful) => "without",
        (State::Unknown, _) => "unknown",
    }
}

fn lacks(need: &Need) -> String {
    if need.lacks.is_empty() { String::new() } else { format!(" ({})", need.lacks.join(", ")) }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fit => "fit",
        Verdict::Unfit => "unfit",
        Verdict::Unknown => "unknown",
    }
}

fn verdict(kernel: &Inspection) -> String {
    match (kernel.verdict, kernel.unfit()) {
        (Verdict::Fit, _) => "a guest can have it".into(),
        (Verdict::Unfit, why) => format!("no guest starts with it: {}", why.unwrap_or_default()),
        (Verdict::Unknown, _) => "its configuration is not known, so nobody knows whether a guest can have it".into(),
    }
}
