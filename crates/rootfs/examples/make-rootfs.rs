//! Makes a root filesystem: `cargo run -p nex-rootfs --example make-rootfs -- IMAGE AGENT OUTPUT`.

use std::error::Error;
use std::ffi::OsString;
use std::sync::Arc;

use nex_cancel::{Cancel, Workspace};
use nex_ext4::Size;
use nex_image::{ImageDirectories, NoProgress, Platform, Reference};
use nex_rootfs::guest::AgentService;
use nex_rootfs::{Destination, Events, FileSystemOptions, GuestOptions, Limits, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [image, agent, output] = &arguments[..] else { return Err("usage: make-rootfs IMAGE AGENT OUTPUT".into()) };
    let options = Options {
        reference: Reference::parse(image)?,
        image: nex_image::Options {
            platform: Platform::host(),
            offline: false,
            registry: nex_registry::Options::from_environment(),
            limits: nex_image::Limits::default(),
            cache: None,
            aside: None,
            installed: ImageDirectories::default(),
        },
        agent: std::path::PathBuf::from(agent).into(),
        agent_service: AgentService::default(),
        size: Size::Auto { free: None },
        file_system: FileSystemOptions::default(),
        script: None,
        work_dir: None,
        output: Destination::new(output)?,
        digest: true,
        verity: None,
        source_date_epoch: Some(1_700_000_000),
        guest: GuestOptions { hostname: Some("example".parse()?), ..GuestOptions::default() },
        boot_script: None,
        limits: Limits::default(),
        cache: None,
        // A cancelled build ends soon, and leaves nothing: `Cancel` is what a signal's handler or another thread holds.
        cancel: Cancel::never(),
        workspace: Workspace::default(),
    };
    // `Events` says how far the build is; this one says nothing.
    let events: Arc<dyn Events> = Arc::new(NoProgress);
    let report = nex_rootfs::build(&options, &events)?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
