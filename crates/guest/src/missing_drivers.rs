//! Drivers without which a guest does not come to its root, and that are neither in its kernel nor among the modules that were found.

use std::path::Path;

use nex_fault::{Note, Remedy, Setting};
use nex_kernel::{Kernel, Modules, ModulesError, installed_modules, not_built_in};

/// A kernel that is looked at.
pub struct Subject<'a> {
    /// What is in its file.
    pub kernel: &'a Kernel,
    /// Its file.
    pub path: &'a Path,
    /// Its release.
    pub release: Option<&'a str>,
}

/// Where the kernel's modules are.
pub enum Place<'a> {
    /// Here.
    Modules(&'a Modules),
    /// They were not found. These directories look like theirs, and are not.
    Nowhere(&'a [ModulesError]),
}

/// Names the drivers of `needed` that the guest will surely be without. One of virtio's two transports is enough.
pub fn warning(subject: &Subject<'_>, needed: &[&str], place: &Place<'_>) -> Option<Note> {
    let Subject { kernel, path, release } = subject;
    let is_open = |name: &&str| !matches!(place, Place::Modules(modules) if modules.tells_of(name));
    let open: Vec<&str> = needed.iter().copied().filter(is_open).collect();
    if open.is_empty() {
        return None;
    }
    let mut missing = not_built_in(kernel, path, *release, &open);
    let transports = ["virtio_pci", "virtio_mmio"];
    if transports.iter().any(|name| needed.contains(name) && !missing.contains(name)) {
        missing.retain(|name| !transports.contains(name));
    }
    if missing.is_empty() {
        return None;
    }
    let (path, missing) = (path.display(), missing.join(", "));
    let lacks = format!("the kernel '{path}' does not have {missing} built in");
    let take_another = Remedy::say("or take a kernel that has all built in, such as one of 'nex kernel build'");
    Some(match place {
        Place::Modules(modules) => {
            let directory = modules.directory().display();
            Note::new(format!("{lacks}, and there is no such module in '{directory}'")).advising(
                Remedy::say("name a directory with all of its modules with")
                    .choose(Setting::Modules)
                    .also(take_another),
            )
        }
        Place::Nowhere(passed_over) => {
            let release = release.unwrap_or("RELEASE");
            let installed = installed_modules(release);
            let others: String = passed_over.iter().map(|other| format!("; {other}")).collect();
            let place = format!("neither in lib/modules/{release} near it nor in '{}'", installed.display());
            Note::new(format!("{lacks}, and its modules are {place}{others}"))
                .advising(Remedy::say("name their directory with").choose(Setting::Modules).also(take_another))
        }
    })
}
