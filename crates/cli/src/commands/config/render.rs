//! What there is to know about a configuration, in words.

use std::path::Path;

use nex_fault::Setting;
use nex_guest::Warning;
use nex_text::shell_word;

/// A warning as a line.
pub fn warning(warning: &Warning) -> String {
    let words = match warning {
        Warning::Kernel(note) => note.words(Setting::flag),
        Warning::PackedKernel(kernel) => format!(
            "Firecracker needs an unpacked kernel, which '{}' is not; nex rootfs config --write-to DIR unpacks it, and names that",
            kernel.display()
        ),
        Warning::NoInitramfs(modules) => format!(
            "the kernel has {} in modules, so the guest needs an initramfs, and this configuration names none; nex rootfs config --write-to DIR \
             makes it, and names it",
            modules.join(", ")
        ),
        Warning::Written(root) => format!(
            "the guest writes to '{}' itself, so give each guest a copy; with --overlay it only reads the file",
            root.display()
        ),
        Warning::Copied(root) => format!(
            "nex gives Firecracker a copy of '{}', for the guest to write to; a guest of this configuration writes to the file itself",
            root.display()
        ),
        Warning::Unnamed(path) => {
            format!("'{}' is there as long as nex is: nex makes that file for each guest", path.display())
        }
    };
    format!("warning: {words}")
}

/// What was written, as a line.
pub fn written(directory: &Path, names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| shell_word(&directory.join(name))).collect();
    format!("config: wrote {}", names.join(", "))
}
