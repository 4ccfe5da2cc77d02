//! A build in the fuzz targets: small limits, and an agent that does nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nex_cancel::{Cancel, Workspace};
use nex_ext4::Size;
use nex_image::{ImageName, Reference};
use nex_rootfs::guest::AgentService;
use nex_rootfs::{Destination, FileSystemOptions, GuestOptions, Limits, Options};

use crate::place;

/// Of the image named `image` in a layout.
pub fn options(layout: PathBuf, output: &Path) -> Options {
    Options {
        reference: Reference::OciLayout { directory: layout, name: Some(ImageName::Tag("image".to_owned())) },
        image: place::options(),
        agent: agent().to_owned().into(),
        agent_service: AgentService::default(),
        size: Size::Auto { free: Some(0) },
        file_system: FileSystemOptions::default(),
        output: Destination::new(output.as_os_str()).expect("the end of our own name is that of ext4"),
        digest: false,
        verity: None,
        script: None,
        work_dir: None,
        boot_script: None,
        source_date_epoch: None,
        guest: GuestOptions::default(),
        limits: Limits { entries: 10_000, headers: 256 << 10, metadata: 4 << 20 },
        cache: None,
        cancel: Cancel::never(),
        workspace: Workspace::default(),
    }
}

/// A static program that does nothing: an ELF header alone.
pub fn agent() -> &'static Path {
    static AGENT: OnceLock<PathBuf> = OnceLock::new();
    AGENT.get_or_init(|| {
        let path = place::directory().join("agent");
        fs::write(&path, program(&[])).expect("our own directory");
        path
    })
}

/// The same, with something behind the header.
pub fn program(behind: &[u8]) -> Vec<u8> {
    let mut header = [0; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    // ET_EXEC, EM_X86_64, EV_CURRENT, then the sizes of the headers.
    header[16] = 2;
    header[18] = 62;
    header[20] = 1;
    header[52] = 64;
    header[54] = 56;
    [&header, behind].concat()
}
