//! What the guest finds beside the image: the agent and what starts it.

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::manifest::{Kind, Manifest};
use nex_testkit::{Result, fsck, image_tree};

use crate::nex::{self, build};

const RUNS: u32 = 0o755;

fn built(entries: Vec<Entry>) -> Result<Manifest> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    Image::of(&[entries])?.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    build(&format!("oci:{}:image", layout.display()), &output)?;
    fsck::judge(&output)?;
    image_tree::read(&output)
}

fn link<'a>(tree: &'a Manifest, path: &str) -> Option<&'a [u8]> {
    match &tree.get(path.as_bytes())?.kind {
        Kind::Symlink(target) => Some(target),
        _ => None,
    }
}

#[test]
fn from_scratch_the_agent_is_the_init() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    build("scratch", &output)?;
    fsck::judge(&output)?;
    let tree = image_tree::read(&output)?;
    assert_eq!(link(&tree, "sbin/init"), Some(&b"/usr/local/bin/agent"[..]));
    assert_eq!(link(&tree, "etc/resolv.conf"), Some(&b"/proc/net/pnp"[..]));
    let agent = &tree[&b"usr/local/bin/agent"[..]];
    assert_eq!((agent.mode, agent.uid, agent.gid), (0o775, 1000, 1000));
    assert_eq!(tree[&b"tmp"[..]].mode, 0o1777);
    assert_eq!(tree[&b"home/nex"[..]].uid, 1000);
    for directory in ["dev", "proc", "run", "sys", "var"] {
        assert_eq!(tree[directory.as_bytes()].kind, Kind::Directory, "{directory}");
    }
    Ok(())
}

#[test]
fn systemd_starts_the_agent_by_a_unit() -> Result<()> {
    let tree = built(vec![
        Entry::directory("usr/lib/systemd/system"),
        Entry::file("usr/lib/systemd/systemd", "\x7fELF").mode(RUNS),
        Entry::symlink("sbin/init", "../usr/lib/systemd/systemd"),
    ])?;
    assert!(tree.contains_key(&b"etc/systemd/system/agent.service"[..]));
    assert!(link(&tree, "etc/systemd/system/multi-user.target.wants/agent.service").is_some());
    assert_eq!(link(&tree, "sbin/init"), Some(&b"../usr/lib/systemd/systemd"[..]));
    Ok(())
}

#[test]
fn openrc_starts_the_agent_in_the_boot_runlevel() -> Result<()> {
    let tree = built(vec![
        Entry::file("sbin/openrc", "\x7fELF").mode(RUNS),
        Entry::file("sbin/openrc-init", "\x7fELF").mode(RUNS),
        Entry::symlink("sbin/init", "openrc-init"),
        Entry::file("etc/init.d/devfs", "#!/sbin/openrc-run\n").mode(RUNS),
    ])?;
    assert!(tree.contains_key(&b"etc/init.d/agent"[..]));
    assert_eq!(link(&tree, "etc/runlevels/boot/agent"), Some(&b"/etc/init.d/agent"[..]));
    assert_eq!(link(&tree, "sbin/init"), Some(&b"openrc-init"[..]));
    Ok(())
}
