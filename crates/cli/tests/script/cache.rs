//! What scripts change, taken from the cache: the same bytes, and a run again for everything that could change them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nex_testkit::cache_entry::reseal;
use nex_testkit::nex::script::{World, as_user, messages, text};
use nex_testkit::nex::{loud, names};
use nex_testkit::{Failure, Result, command, fsck};

/// Never gives the same twice: what is the same was not run again.
const SCRIPT: &str = "set -e
    cat /proc/sys/kernel/random/uuid > /seen; echo half | dd of=/sparse bs=1 seek=3000000 2>/dev/null
    mv /old/deep /moved; rm /old/kept; mknod /device c 1 3; ln /etc/text /etc/more; echo log > /var/log/x
    chown 12:34 /seen; mkdir -p /a/b; ln -s nowhere /a/link\n";

struct Built {
    cached: bool,
    bytes: Vec<u8>,
    report: String,
}

/// A build with the cache of this world.
fn build(world: &World, script: &str, arguments: &[&str]) -> Result<Built> {
    let mut command = world.command("image", script)?;
    command.args(["--format", "json"]).args(arguments).env("NEX_CACHE_DIR", world.path("cache"));
    let report = String::from_utf8_lossy(&command::run(&mut command)?).into_owned();
    world.is_clean("work")?;
    let cached = report.contains(r#""cached":true,"created""#);
    if !cached && !report.contains(r#""cached":false,"created""#) {
        return Err(Failure::new(format!("does not say whether it is cached: {report}")));
    }
    Ok(Built { cached, bytes: fs::read(world.path("image"))?, report })
}

/// What the report says about changes.
fn changes(report: &str) -> Option<&str> {
    report.split(r#""created":"#).nth(1)?.split(r#""agent":"#).next()
}

#[test]
fn limits_hold_for_a_cached_script_and_do_not_spoil_it() -> Result<()> {
    let world = World::new()?;
    let script = "mkdir /new; for i in 1 2 3 4 5 6 7 8 9; do echo $i > /new/$i; done; dd if=/dev/zero of=/new/zeros bs=1M count=9\n";
    assert!(!build(&world, script, &[])?.cached);
    for (limit, most, said) in [
        ("--max-entries", "70", "has more than 70 entries; allow more with --max-entries"),
        ("--max-unpacked", "8MiB", "files of more than 8388608 bytes; allow more with --max-unpacked"),
    ] {
        fs::remove_file(world.path("image"))?;
        let mut run = world.command("image", script)?;
        run.args([limit, most]).env("NEX_CACHE_DIR", world.path("cache"));
        world.fails(&mut run, "image", &[said])?;
        assert!(build(&world, script, &[])?.cached, "{limit}");
    }
    Ok(())
}

#[test]
fn a_cached_script_gives_the_same_bytes() -> Result<()> {
    let world = World::new()?;
    let (first, second) = (build(&world, SCRIPT, &[])?, build(&world, SCRIPT, &[])?);
    assert!(!first.cached && second.cached);
    fsck::judge(&world.path("image"))?;
    assert!(first.bytes == second.bytes, "the images differ");
    assert_eq!(changes(&first.report), changes(&second.report));
    // What --clean makes of the same changes is decided anew.
    let seen = text(&world.path("image"), "/seen")?;
    assert!(build(&world, SCRIPT, &["--clean=false"])?.cached);
    assert_eq!(text(&world.path("image"), "/var/log/x")?, "log\n");
    assert_eq!(text(&world.path("image"), "/seen")?, seen);
    let none = build(&world, SCRIPT, &["--no-cache"])?;
    assert!(!none.cached && none.bytes != first.bytes);
    Ok(())
}

#[test]
fn everything_that_could_change_the_result_is_asked() -> Result<()> {
    let world = World::new()?;
    fs::create_dir(world.path("input"))?;
    fs::write(world.path("input/file"), "one")?;
    fs::write(world.path("key"), "one secret")?;
    let mount = format!("{}:/input:ro", world.path("input").display());
    let secret = format!("id=token,src={}", world.path("key").display());
    let usual = ["--mount", &mount, "--secret", &secret];
    let runs = |script: &str, more: &[&str]| -> Result<bool> {
        let arguments: Vec<_> = usual.iter().chain(more).copied().collect();
        let first = !build(&world, script, &arguments)?.cached;
        if !build(&world, script, &arguments)?.cached {
            return Err(Failure::new("it runs a second time"));
        }
        Ok(first)
    };
    assert!(runs(SCRIPT, &[])?);
    assert!(runs(&format!("{SCRIPT}:\n"), &[])?, "another script");
    assert!(runs(SCRIPT, &["--env", "A=b"])? && runs(SCRIPT, &["--env", "A=c"])?, "another variable");
    assert!(runs(SCRIPT, &["--hostname", "other"])?, "another host name");
    assert!(runs(SCRIPT, &["--script-network", "none"])?, "another network");
    fs::write(world.path("input/file"), "two")?;
    assert!(runs(SCRIPT, &[])?, "another input");
    fs::set_permissions(world.path("input/file"), fs::Permissions::from_mode(0o755))?;
    assert!(runs(SCRIPT, &[])?, "another mode of an input");
    fs::write(world.base().join("etc/text"), "other\n")?;
    assert!(runs(SCRIPT, &[])?, "another base");
    // How long it may take, and what a secret is, makes no other layer.
    fs::write(world.path("key"), "two secrets")?;
    assert!(!runs(SCRIPT, &["--script-timeout", "99s"])?);
    let kept = command::run(std::process::Command::new("grep").args(["-rac", "secret"]).arg(world.path("cache")));
    assert!(kept.is_err(), "a secret is in the cache");
    Ok(())
}

#[test]
fn what_a_script_does_outside_is_done_each_time() -> Result<()> {
    let world = World::new()?;
    fs::create_dir(world.path("input"))?;
    fs::set_permissions(world.path("input"), fs::Permissions::from_mode(0o777))?;
    let mount = format!("{}:/input", world.path("input").display());
    for _ in 0..2 {
        let built = build(&world, "cat /proc/sys/kernel/random/uuid > /input/new\n", &["--mount", &mount])?;
        assert!(!built.cached && built.report.contains("what it was shown of this machine changed meanwhile"));
    }
    // One that only looks is kept.
    assert!(!build(&world, "ls /input > /seen\n", &["--mount", &mount])?.cached);
    assert!(build(&world, "ls /input > /seen\n", &["--mount", &mount])?.cached);
    Ok(())
}

#[test]
fn what_others_change_meanwhile_is_not_kept() -> Result<()> {
    let world = World::new()?;
    fs::create_dir(world.path("input"))?;
    fs::write(world.path("input/file"), "before")?;
    let mount = format!("{}:/input:ro", world.path("input").display());
    // The script waits until somebody outside has changed its input.
    let script = "until grep after /input/file; do sleep 0.1; done\n";
    let file = world.path("input/file");
    let waits = world.path("work");
    let somebody = std::thread::spawn(move || {
        while names(&waits).unwrap_or_default().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        fs::write(file, "after")
    });
    let built = build(&world, script, &["--mount", &mount, "--script-timeout", "60s"])?;
    somebody.join().expect("the thread that changes the input")?;
    assert!(built.report.contains("what it was shown of this machine changed meanwhile"), "{}", built.report);
    assert!(!build(&world, script, &["--mount", &mount])?.cached);
    assert!(build(&world, script, &["--mount", &mount])?.cached);
    Ok(())
}

#[test]
fn a_damaged_record_is_no_record() -> Result<()> {
    let world = World::new()?;
    let first = build(&world, SCRIPT, &[])?;
    let shelf = world.path("cache/v1/scripts");
    for file in ["changes", "data"] {
        let [entry] = &names(&shelf)?[..] else { return Err(Failure::new("there is not one entry")) };
        let path = shelf.join(entry).join(file);
        let mut bytes = fs::read(&path)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes)?;
        let again = build(&world, SCRIPT, &[])?;
        assert!(!again.cached && again.report.contains("an entry of the cache was damaged"), "{file}");
        assert!(again.bytes != first.bytes, "it ran again");
        assert!(build(&world, SCRIPT, &[])?.bytes == again.bytes);
    }
    Ok(())
}

#[test]
fn a_failed_script_is_not_kept() -> Result<()> {
    let world = World::new()?;
    for _ in 0..2 {
        let mut command = world.command("image", "echo tried; exit 3\n")?;
        let result = command::output(command.env("NEX_CACHE_DIR", world.path("cache")))?;
        assert!(messages(&result).contains("tried"), "{}", messages(&result));
    }
    assert!(names(&world.path("cache/v1/scripts"))?.is_empty());
    Ok(())
}

#[test]
fn who_has_one_id_has_layers_of_his_own() -> Result<()> {
    let world = World::new()?;
    let mut built = Vec::new();
    for ids in [Some("700000:65536"), None, Some("700000:65536"), None] {
        let mut run = loud(&world.command("image", "cat /proc/sys/kernel/random/uuid > /seen\n")?);
        run.env("NEX_CACHE_DIR", world.path("cache"));
        let Some(mut user) = as_user(&run, &world, ids)? else { return Ok(()) };
        let report = String::from_utf8_lossy(&command::run(&mut user)?).into_owned();
        built.push((
            report.contains("cached"),
            report.contains("only one user id"),
            text(&world.path("image"), "/seen")?,
        ));
    }
    assert_eq!(built.iter().map(|(cached, ..)| *cached).collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!(built.iter().map(|(_, one, _)| *one).collect::<Vec<_>>(), [false, true, false, true]);
    assert!(built[0].2 == built[2].2 && built[1].2 == built[3].2 && built[0].2 != built[1].2);
    Ok(())
}

#[test]
fn a_record_that_makes_no_sense_runs_the_script_again() -> Result<()> {
    /// A change in postcard's form, behind its length: a hard link to what is not there.
    const LINK: &[u8] = b"\x11\0\0\0\0\x01a\xa4\x03\0\0\0\0\0\x03\x04gone\x01";
    const SCRIPT: &str = "echo new > /etc/new; rm /old/kept; mkdir /a\n";
    let end = |count: u64| [[0; 4].as_slice(), &count.to_le_bytes()].concat();
    let world = World::new()?;
    build(&world, SCRIPT, &[])?;
    let shelf = world.path("cache/v1/scripts");
    let entry = shelf.join(&names(&shelf)?[0]);
    let whole = fs::read(entry.join("changes"))?;
    let nonsense = [
        ("nothing at all", vec![]),
        ("changes cut short", whole[..whole.len() / 2].to_vec()),
        ("garbage", vec![0xff; 100]),
        ("a link to nothing", [LINK, &end(1)].concat()),
    ];
    for (what, changes) in nonsense {
        fs::write(entry.join("changes"), &changes)?;
        if what.starts_with("a link") {
            // Bytes that belong to no change are damage by themselves.
            fs::write(entry.join("data"), "")?;
        }
        reseal(&entry, |_| ())?;
        let built = build(&world, SCRIPT, &[])?;
        assert!(!built.cached && built.report.contains("is removed: "), "{what}: {}", built.report);
        assert_eq!(text(&world.path("image"), "/etc/new")?, "new\n", "{what}");
        assert!(build(&world, SCRIPT, &[])?.cached, "{what}");
    }
    Ok(())
}
