//! What a file is that is no kernel: the wrong file of a directory, or a kernel for another processor.

use std::borrow::Cow;

use memchr::memmem;
use nex_file::kind::{self, FileKind, Format};

/// The section of a unified kernel image that has the kernel.
const LINUX_SECTION: &[u8] = b".linux\0\0";

/// The names of an EFI program's sections stand in its first bytes.
const HEADERS: usize = 4096;

/// Says what a file is that is no kernel.
pub fn what_it_is(file: &[u8]) -> Cow<'static, str> {
    if file.is_empty() {
        return "it is empty".into();
    }
    if Format::Efi.matches(file) && memmem::find(&file[..file.len().min(HEADERS)], LINUX_SECTION).is_some() {
        return "a unified kernel image; take the kernel out of it: objcopy -O binary -j .linux FILE KERNEL".into();
    }
    kind::of(file).map_or("it begins like none".into(), in_words)
}

fn in_words(kind: &'static FileKind) -> Cow<'static, str> {
    let what = kind.what;
    match kind.format {
        Format::Efi => format!("{what} without a kernel that nex knows in it").into(),
        Format::Ar | Format::Rpm => format!("{what}; the kernel is in it").into(),
        Format::DeviceTree | Format::UImage => format!("{what}; take the kernel out of it: dumpimage").into(),
        _ => kind.remedy().map_or(what.into(), |remedy| format!("{what}; {remedy}").into()),
    }
}
