//! Registries that send nex to where clouds keep their machines' credentials, by addresses and by names.

use std::fs;
use std::process::Command;

use nex_testkit::fault_registry::FaultRegistry;
use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::{Result, command, places};

use crate::nex::{self, failed, rootfs};

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
    let hosts = ["168.63.129.16", "100.100.100.200", "192.0.0.192", "[fd00:ec2::254]", "2852039166"];
    hosts.into_iter().chain(["[64:ff9b::a9fe:a9fe]", "metadata.google.internal."]).try_for_each(sent_to)
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
    let pull = |flags: &[&str], location: &'static str| -> Result<_> {
        let registry = FaultRegistry::start(&layout, move |request, content, reply| {
            if request.headers.get("host").is_some_and(|host| host.starts_with("also.test")) {
                return reply.serve(request, content);
            }
            let port = request.headers.get("host").and_then(|host| host.rsplit(':').next()).unwrap_or_default();
            let location = format!("http://{location}:{port}{}", request.path);
            reply.refuse("307 Temporary Redirect", &[("Location", &location)])
        })?;
        let build = rootfs(&format!("registry.test:{}/team/image:one", registry.address().port()), &output)?;
        let mut inside = Command::new("unshare");
        inside.args(["-m", "sh", "-c", "mount --bind \"$0\" /etc/hosts && exec env -i \"$@\""]).arg(&hosts);
        inside.arg(build.get_program()).args(build.get_args()).args(["--plain-http", "--no-cache"]).args(flags);
        command::output(&mut inside)
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
