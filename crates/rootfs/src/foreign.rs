//! What was named as a root filesystem, and is something else: an archive of an image, or a root filesystem for other processors.
//!
//! Both would make a file that no guest boots, and say so only there.

use std::io::Read;
use std::path::Path;

use nex_fault::{Code, Fault, Note, Remedy, Setting};
use nex_file::{kind, open_regular};
use nex_image::{Compression, Reference, TarSource};
use nex_inspect::{View, exists};
use nex_program::{Elf, Processor};
use nex_text::{name, shell_word};
use serde_json::Value;
use thiserror::Error;

use crate::codes;

/// Directories and files that each root filesystem has one of, and no archive of an image.
const OF_ROOTS: [&[u8]; 8] = [b"/bin", b"/sbin", b"/usr", b"/etc", b"/lib", b"/init", b"/linuxrc", b"/nix"];

/// Documents of an image are shorter, in bytes: its list of layers and names.
const LONGEST_DOCUMENT: u64 = 4 << 20;

/// Programs that a guest runs first, and what loads them. One of them is in each root filesystem that can start anything.
const FIRST_PROGRAMS: [&[u8]; 12] = [
    b"/sbin/init",
    b"/init",
    b"/bin/sh",
    b"/bin/busybox",
    b"/usr/bin/env",
    b"/usr/lib/systemd/systemd",
    b"/lib64/ld-linux-x86-64.so.2",
    b"/lib/ld-linux-aarch64.so.1",
    b"/lib/ld-linux-riscv64-lp64d.so.1",
    b"/lib/ld-musl-x86_64.so.1",
    b"/lib/ld-musl-aarch64.so.1",
    b"/lib/ld-musl-riscv64.so.1",
];

/// Bytes of an ELF header.
const ELF_HEADER: u64 = 64;

/// Why a tar or a directory is no root filesystem for the guest.
#[derive(Debug, Error)]
pub enum ForeignError {
    /// It holds an image, with its layers packed.
    #[error("{} holds {form}, and no root filesystem", name(.reference))]
    Image {
        /// The reference.
        reference: String,
        /// `a docker archive`, `an OCI layout`.
        form: &'static str,
        /// What to name instead.
        instead: String,
    },
    /// Its programs are for other processors.
    #[error("{} is for {found}, as its {} is, and not for {wanted}", name(.reference), name(.program))]
    Processor {
        /// The reference.
        reference: String,
        /// The program that says so.
        program: Vec<u8>,
        /// What it is for.
        found: Processor,
        /// The platform's architecture, as an image index names it.
        wanted: String,
    },
}

impl Fault for ForeignError {
    fn code(&self) -> Code {
        match self {
            Self::Image { .. } => codes::NO_ROOT,
            Self::Processor { .. } => codes::PROCESSOR,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Image { instead, .. } => Remedy::say(instead.clone()),
            Self::Processor { found, .. } => Remedy::say("ask for it with")
                .set(Setting::Platform, format!("linux/{found}"))
                .and(", and for an agent of that kind with")
                .choose(Setting::Agent),
        })
    }
}

/// Whether what a tar or a directory has brought is a root filesystem at all.
///
/// # Errors
/// When it is an image.
pub fn refuse_images(view: &dyn View, reference: &Reference) -> Result<(), ForeignError> {
    if !reference.is_root_filesystem() || OF_ROOTS.iter().any(|path| exists(view, path)) {
        return Ok(());
    }
    let (form, transport) = if is_docker_archive(view) {
        ("a docker archive", "docker-archive")
    } else if exists(view, b"/oci-layout") && exists(view, b"/index.json") {
        ("an OCI layout", "oci-archive")
    } else {
        return Ok(());
    };
    let instead = match reference {
        Reference::Tar(TarSource::File(file)) => match unpacked_with(file) {
            Some(unpack) => {
                format!("unpack it, {unpack} {} >image.tar, and name that as {transport}:image.tar", shell_word(file))
            }
            None => format!("name it as {transport}:{}", shell_word(file)),
        },
        Reference::Directory(directory) if transport == "oci-archive" => {
            format!("name it as oci:{}", shell_word(directory))
        }
        _ => format!("write the archive to a file, and name that as {transport}:FILE"),
    };
    Err(ForeignError::Image { reference: reference.to_string(), form, instead })
}

/// What unpacks an archive, where it is compressed in a form that only tars of root filesystems are read in.
fn unpacked_with(file: &Path) -> Option<&'static str> {
    let mut start = Vec::new();
    open_regular(file).ok()?.take(nex_tar::RECORD as u64).read_to_end(&mut start).ok()?;
    let is_read = Compression::of(&start).is_some_and(Compression::packs_archives);
    kind::of(&start)?.unpack.filter(|_| !is_read)
}

/// Whether there is docker's list of images: `manifest.json`, an array with layers. Keys have any case, as docker reads them.
fn is_docker_archive(view: &dyn View) -> bool {
    let Ok(Some(text)) = view.read(b"/manifest.json", LONGEST_DOCUMENT) else { return false };
    let Ok(Value::Array(images)) = serde_json::from_slice(&text) else { return false };
    let has_layers =
        |image: &Value| image.as_object().is_some_and(|keys| keys.keys().any(|key| key.eq_ignore_ascii_case("layers")));
    !images.is_empty() && images.iter().all(has_layers)
}

/// Whether the first programs are for the platform's processors. Gives a note where that is doubtful: where they are for several
/// kinds, or an image says something else of itself.
///
/// # Errors
/// When all of a tar's or a directory's are for processors that the platform does not have.
pub fn check_processor(
    view: &dyn View,
    reference: &Reference,
    architecture: &str,
) -> Result<Option<Note>, ForeignError> {
    let processor = |path: &&'static [u8]| {
        let start = view.read(path, ELF_HEADER).ok()??;
        Elf::is_elf(&start).then(|| Elf::processor(&start)).flatten().map(|processor| (*path, processor))
    };
    let found: Vec<_> = FIRST_PROGRAMS.iter().filter_map(processor).collect();
    let Some(&(program, other)) = found.iter().find(|(_, processor)| !processor.is(architecture)) else {
        return Ok(None);
    };
    let is_mixed = found.iter().any(|(_, processor)| processor.is(architecture));
    let runs = Processor::for_architecture(architecture).is_some_and(|wanted| other.is_compat_of(wanted));
    if reference.is_root_filesystem() && !is_mixed && !runs {
        let (reference, program, wanted) = (reference.to_string(), program.to_vec(), architecture.to_owned());
        return Err(ForeignError::Processor { reference, program, found: other, wanted });
    }
    Ok(Some(Note::new(format!(
        "{} is for {other}, and the platform is {architecture}: it runs only where the guest's kernel and processor take both",
        name(program)
    ))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::tests::said;
    use crate::guest::memory::Image;

    fn tar(file: &str) -> Reference {
        Reference::Tar(TarSource::File(file.into()))
    }

    /// The first bytes of a program for a kind of processor of 64 bits, or 32 for i386.
    fn program(processor: u8) -> Vec<u8> {
        let bits = if processor == 3 { 1 } else { 2 };
        let mut header = [b"\x7fELF".as_slice(), &[bits, 1, 1]].concat();
        header.resize(64, 0);
        (header[16], header[18], header[20]) = (2, processor, 1);
        header
    }

    #[test]
    fn archives_of_images_are_told_by_what_is_at_their_top() {
        let docker = Image::default().file("/manifest.json", 0o644, br#"[{"config":"c.json","layers":["l.tar"]}]"#);
        let error = said(&refuse_images(&docker, &tar("a b.tar")).unwrap_err());
        assert!(error.contains("holds a docker archive") && error.ends_with("docker-archive:'a b.tar'"), "{error}");
        let layout = || Image::default().file("/oci-layout", 0o644, "{}").file("/index.json", 0o644, "{}");
        let error = said(&refuse_images(&layout(), &Reference::Directory("here".into())).unwrap_err());
        assert!(error.ends_with("name it as oci:here"), "{error}");
        let error = said(&refuse_images(&layout(), &Reference::Tar(TarSource::Stdin)).unwrap_err());
        assert!(error.ends_with("oci-archive:FILE"), "{error}");
        // A root filesystem may have files of these names; so may the layers of an image.
        refuse_images(&layout().file("/etc/passwd", 0o644, ""), &tar("x")).unwrap();
        refuse_images(&layout(), &Reference::Scratch).unwrap();
        refuse_images(&Image::default().file("/manifest.json", 0o644, "[]"), &tar("x")).unwrap();
    }

    #[test]
    fn programs_for_other_processors_are_refused_or_noted() {
        let (amd64, arm64, i386) = (program(62), program(183), program(3));
        let check = |files: &[(&str, &[u8])], reference: &Reference| {
            let view = files.iter().fold(Image::default(), |view, (path, bytes)| view.file(path, 0o755, bytes));
            check_processor(&view, reference, "amd64")
        };
        assert_eq!(check(&[("/bin/sh", &amd64)], &tar("x")).unwrap(), None);
        assert_eq!(check(&[("/bin/sh", b"#!/bin/true")], &tar("x")).unwrap(), None);
        let error = said(&check(&[("/bin/sh", &arm64)], &tar("x")).unwrap_err());
        assert!(
            error.contains("tar:x is for arm64, as its /bin/sh is") && error.contains("--platform linux/arm64"),
            "{error}"
        );
        for (files, reference) in [
            (&[("/bin/sh", &*amd64), ("/sbin/init", &*arm64)][..], tar("x")),
            (&[("/bin/sh", &*i386)], tar("x")),
            (&[("/bin/sh", &*arm64)], "oci:x".parse().unwrap()),
        ] {
            let note = check(files, &reference).unwrap().expect("a note");
            assert!(note.fact().contains("the platform is amd64"), "{note:?}");
        }
    }
}
