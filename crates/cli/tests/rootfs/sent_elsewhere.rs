//! Registries that send nex to where clouds keep their machines' credentials, by addresses and by names.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use nex_testkit::fault_registry::FaultRegistry;
use nex_testkit::inner_addresses::METADATA;
use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, failed, rootfs};
use nex_testkit::{Result, command, places};

/// Where nex is sent, by a redirect of the blobs and by a token server.
fn sent_to(host: &'static str) -> Result<()> {
    let directory = nex::directory()?;
    let (layout, output) = (directory.path().join("layout"), directory.path().join("image.ext4"));
    Image::of(&[vec![Entry::file("file", "content")]])?.write(&layout, "image")?;
    for way in ["redirect", "realm"] {
        let registry = FaultRegistry::start(&layout, move |_, _, reply| match way {
            "redirect" => reply.refuse("307 Temporary Redirect", &[("Location", &format!("http://{host}/latest"))]),
            _ => {
                let challenge = format!(r#"Bearer realm="http://{host}/token",service="s""#);
                reply.refuse("401 Unauthorized", &[("WWW-Authenticate", &challenge)])
            }
        })?;
        let mut pull = rootfs(&format!("{}/team/image:one", registry.address()), &output)?;
        let result = command::output(pull.args(["--plain-http", "--no-cache", "--registry-timeout", "20s"]))?;
        let words =
            if way == "redirect" { "it leads to a cloud's metadata service" } else { "refused the token server" };
        failed(&result, &[host, words])?;
        assert!(!output.exists());
    }
    Ok(())
}

#[test]
fn no_server_sends_nex_to_a_metadata_service() -> Result<()> {
    // All of them are tried where it takes less time; here it is that the command looks.
    METADATA.into_iter().step_by(4).try_for_each(sent_to)
}

/// Pulls from a registry by the name `registry.test`, with another `/etc/hosts`.
fn pull_by_name(registry: &FaultRegistry, hosts: &Path, output: &Path, flags: &[&str]) -> Result<Output> {
    let build = rootfs(&format!("registry.test:{}/team/image:one", registry.address().port()), output)?;
    let mut inside = Command::new("unshare");
    inside.args(["-m", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec env -i \"$@\""]).arg(hosts);
    inside.arg(build.get_program()).args(build.get_args()).args(["--plain-http", "--no-cache"]).args(flags);
    command::output(&mut inside)
}

/// A name tells nothing until it is looked up: `/etc/hosts` stands for a name server that the attacker has.
#[test]
fn no_name_leads_to_a_metadata_service() -> Result<()> {
    if !places::is_root() {
        eprintln!("left out: another /etc/hosts takes a mount namespace, which takes root");
        return Ok(());
    }
    let directory = nex::directory()?;
    let (layout, output) = (directory.path().join("layout"), directory.path().join("image.ext4"));
    let hosts = directory.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 registry.test\n168.63.129.16 storage.test\n127.0.0.1 also.test\n")?;
    Image::of(&[vec![Entry::file("file", "content")]])?.write(&layout, "image")?;
    let pull = |flags: &[&str], location: &'static str| -> Result<Output> {
        let registry = FaultRegistry::start(&layout, move |request, content, reply| {
            if request.headers.get("host").is_some_and(|host| host.starts_with("also.test")) {
                return reply.serve(request, content);
            }
            let port = request.headers.get("host").and_then(|host| host.rsplit(':').next()).unwrap_or_default();
            let location = format!("http://{location}:{port}{}", request.path);
            reply.refuse("307 Temporary Redirect", &[("Location", &location)])
        })?;
        pull_by_name(&registry, &hosts, &output, flags)
    };
    let refused = pull(&["--registry-timeout", "20s"], "storage.test")?;
    failed(
        &refused,
        &["http://storage.test:", "refused to connect: by its addresses, it leads to a cloud's metadata service"],
    )?;
    assert!(!output.exists());
    // The control: another name for a machine that is no further inside than the registry.
    let built = pull(&[], "also.test")?;
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Ok(())
}

/// DNS rebinding: the registry's own name is turned before its first answer is whole, which a registry can do as it likes.
#[test]
fn a_registrys_name_leads_no_further_inside_than_its_first_connection() -> Result<()> {
    if !places::is_root() {
        eprintln!("left out: another /etc/hosts takes a mount namespace, which takes root");
        return Ok(());
    }
    let directory = nex::directory()?;
    let (layout, output) = (directory.path().join("layout"), directory.path().join("image.ext4"));
    let hosts = directory.path().join("hosts");
    Image::of(&[vec![Entry::file("file", "content")]])?.write(&layout, "image")?;
    // The control is turned to where it was.
    for (turned_to, is_inside) in [("168.63.129.16", true), ("127.0.0.1", false)] {
        fs::write(&hosts, "127.0.0.1 registry.test\n")?;
        let (name_server, was_asked) = (hosts.clone(), AtomicBool::new(false));
        let registry = FaultRegistry::start(&layout, move |request, content, reply| {
            if was_asked.swap(true, Ordering::SeqCst) {
                return reply.serve(request, content);
            }
            // The connection ends, and no answer came.
            fs::write(&name_server, format!("{turned_to} registry.test\n"))
        })?;
        let result = pull_by_name(&registry, &hosts, &output, &["--registry-timeout", "20s"])?;
        if is_inside {
            failed(&result, &["http://registry.test:", "refused to connect", "a cloud's metadata service"])?;
            assert_eq!(registry.requests().len(), 1);
        } else {
            assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
        }
        assert_eq!(output.exists(), !is_inside);
    }
    Ok(())
}
