//! What a file is that is no kernel: the wrong file of a directory, or a kernel for another processor.

use memchr::memmem;
use nex_fault::Remedy;
use nex_file::kind::{self, FileKind, Format};

use crate::error::Error;

/// The section of a unified kernel image that has the kernel.
const LINUX_SECTION: &[u8] = b".linux\0\0";

/// The names of an EFI program's sections stand in its first bytes.
const HEADERS: usize = 4096;

/// Says what a file is that is no kernel, and how the kernel is got out of it.
pub fn refusal(file: &[u8]) -> Error {
    if file.is_empty() {
        return Error::not_a_kernel("it is empty");
    }
    if Format::Efi.matches(file) && memmem::find(&file[..file.len().min(HEADERS)], LINUX_SECTION).is_some() {
        let remedy = Remedy::say("take the kernel out of it: objcopy -O binary -j .linux FILE KERNEL");
        return Error::NotAKernel { found: "a unified kernel image".into(), remedy: Some(remedy) };
    }
    kind::of(file).map_or_else(|| Error::not_a_kernel("it begins like none"), of_kind)
}

fn of_kind(kind: &'static FileKind) -> Error {
    let what = kind.what;
    let remedy = match kind.format {
        Format::Efi => return Error::not_a_kernel(format!("{what} without a kernel that nex knows in it")),
        Format::Ar | Format::Rpm => Some("the kernel is in it".into()),
        Format::DeviceTree | Format::UImage => Some("take the kernel out of it: dumpimage".into()),
        _ => kind.remedy(),
    };
    Error::NotAKernel { found: what.into(), remedy: remedy.map(Remedy::say) }
}
