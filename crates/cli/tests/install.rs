//! Installing nex: by make, as a Debian package, and as a container image. `make test-release` judges whole releases.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::{Result, command, nex, places, umoci};
use tempfile::TempDir;

/// The time of every file in a package.
const TIME: &str = "1700000000";

fn script(name: &str) -> Command {
    let mut script = Command::new(places::workspace().join("scripts/packaging").join(name));
    script.env("SOURCE_DATE_EPOCH", TIME);
    script
}

/// Make, as a shell starts it: not as a part of the make that has started the tests.
fn make(arguments: &[&str]) -> Command {
    let mut make = Command::new("make");
    make.arg("-C").arg(places::workspace()).args(["--silent", "--no-print-directory"]).args(arguments);
    for variable in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "BUILT", "PREFIX", "DESTDIR", "NEX_AGENT"] {
        make.env_remove(variable);
    }
    make
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every file and directory below one, by its path in it.
fn listing(directory: &Path) -> Result<Vec<String>> {
    let listed = command::run(Command::new("find").arg(directory).args(["-mindepth", "1", "-printf", "%P %m\n"]))?;
    let mut lines: Vec<String> = text(&listed).lines().map(Into::into).collect();
    lines.sort();
    Ok(lines)
}

/// A place to install to, and the programs of the tests as a build would leave them.
struct World(TempDir);

impl World {
    fn new() -> Result<Self> {
        let world = Self(nex::directory()?);
        let built = world.path("built");
        fs::create_dir(&built)?;
        // Without what debuggers read, which is most of it.
        command::run(Command::new("strip").arg("-o").arg(built.join("nex")).arg(nex::program()))?;
        fs::copy(nex::agent()?, built.join("nex-agent"))?;
        fs::create_dir(world.path("dest"))?;
        Ok(world)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn make(&self, target: &str) -> Result<String> {
        let variable = |name: &str, path: &str| format!("{name}={}", self.path(path).display());
        let variables =
            [variable("BUILT", "built"), variable("DESTDIR", "dest"), variable("DEFAULT_IMAGE", "default.oci.tar")];
        command::run(make(&[target, "PREFIX=/opt/nex"]).args(variables)).map(|said| text(&said))
    }

    fn installed(&self, name: &str) -> PathBuf {
        self.path("dest/opt/nex").join(name)
    }

    /// `nex rootfs` of the installation, with no word about an agent.
    fn rootfs(&self) -> Command {
        self.rootfs_by(&self.installed("bin/nex"))
    }

    fn rootfs_by(&self, program: &Path) -> Command {
        let mut nex = Command::new(program);
        nex.env_clear().args(["rootfs", "--quiet", "--no-cache", "--image", "scratch", "-o"]);
        nex.arg(self.path("rootfs.ext4"));
        nex
    }
}

#[test]
fn what_is_installed_finds_its_agent_and_goes_without_a_trace() -> Result<()> {
    let world = World::new()?;
    world.make("install")?;
    let first = listing(&world.path("dest"))?;
    for expected in [
        "bin/nex 755",
        "lib/nex/nex-agent 755",
        "share/bash-completion/completions/nex 644",
        "share/zsh/site-functions/_nex 644",
        "share/fish/vendor_completions.d/nex.fish 644",
        "share/man/man1/nex.1 644",
        "share/man/man1/nex-rootfs-boot.1 644",
    ] {
        assert!(first.contains(&format!("opt/nex/{expected}")), "{expected}: {first:#?}");
    }

    // By a link, as into a directory that is on the PATH already.
    let agent = world.installed("lib/nex/nex-agent");
    symlink(world.installed("bin/nex"), world.path("nex"))?;
    let report = text(&command::run(&mut world.rootfs_by(&world.path("nex")))?);
    assert!(
        report.lines().any(|line| line.starts_with("agent ") && line.contains(&*agent.to_string_lossy())),
        "{report}"
    );
    // Another that is named is taken, and no other when it is not there.
    let other = world.path("built/nex-agent");
    let report = text(&command::run(world.rootfs().env("NEX_AGENT", &other))?);
    assert!(report.contains(&*other.to_string_lossy()), "{report}");
    let missing = command::output(world.rootfs().env("NEX_AGENT", "/nowhere/nex-agent"))?;
    let said = text(&missing.stderr);
    assert!(!missing.status.success() && said.contains("/nowhere/nex-agent") && !said.contains("warning"), "{said}");

    world.make("install")?;
    assert_eq!(listing(&world.path("dest"))?, first);

    fs::rename(&agent, world.path("agent"))?;
    let lacking = command::output(&mut world.rootfs())?;
    let said = text(&lacking.stderr);
    assert!(!lacking.status.success() && said.contains("make install") && said.contains("NEX_AGENT"), "{said}");

    world.make("uninstall")?;
    assert_eq!(listing(&world.path("dest"))?, [""; 0]);
    // Nothing is left to do.
    assert!(world.make("uninstall")?.contains("there is no nex"));
    Ok(())
}

#[test]
fn the_image_that_comes_with_nex_is_installed_where_it_is_made_and_goes_with_it() -> Result<()> {
    let world = World::new()?;
    let image = world.installed("share/nex/images/default.oci.tar");
    let build = || {
        let mut nex = Command::new(world.installed("bin/nex"));
        nex.env_clear().args(["rootfs", "--no-cache", "--image", "nex:default", "-o"]);
        nex.arg(world.path("rootfs.ext4"));
        nex
    };
    assert!(!world.make("install")?.contains("nex:default") && !image.exists());
    let lacking = command::output(&mut build())?;
    let said = text(&lacking.stderr);
    assert!(
        !lacking.status.success() && said.contains(&*world.installed("share/nex/images").to_string_lossy()),
        "{said}"
    );

    let layout = world.path("layout");
    Image::of(&[vec![Entry::directory("etc"), Entry::file("etc/content", "x")]])?.write(&layout, "default")?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--file"]).arg(world.path("default.oci.tar")).arg("--directory").arg(&layout);
    command::run(tar.args(["oci-layout", "index.json", "blobs"]))?;
    assert!(world.make("install")?.contains("the image nex:default"));
    assert!(listing(&world.path("dest"))?.contains(&"opt/nex/share/nex/images/default.oci.tar 644".to_owned()));
    let report = text(&command::run(&mut build())?);
    assert!(report.contains(&*image.to_string_lossy()), "{report}");

    world.make("uninstall")?;
    assert_eq!(listing(&world.path("dest"))?, [""; 0]);
    Ok(())
}

#[test]
fn a_newer_version_takes_what_the_older_alone_had_and_nothing_of_others() -> Result<()> {
    let world = World::new()?;
    // A directory that was there before, and a file of somebody else.
    fs::create_dir_all(world.installed("share/man/man1"))?;
    fs::write(world.installed("share/man/man1/other.1"), "")?;
    fs::create_dir_all(world.installed("bin"))?;
    let before = listing(&world.path("dest"))?;
    world.make("install")?;

    let page = world.installed("share/man/man1/nex-forgotten.1");
    fs::write(&page, "")?;
    let list = world.installed("lib/nex/installed");
    fs::write(&list, fs::read_to_string(&list)? + "/opt/nex/share/man/man1/nex-forgotten.1\n")?;
    world.make("install")?;
    assert!(!page.exists());

    world.make("uninstall")?;
    assert_eq!(listing(&world.path("dest"))?, before);
    Ok(())
}

#[test]
fn a_place_that_is_no_absolute_path_is_refused() -> Result<()> {
    let refused = command::output(script("install.sh").arg("--uninstall").env("PREFIX", "local").env("DESTDIR", ""))?;
    let said = text(&refused.stderr);
    assert!(!refused.status.success() && said.contains("PREFIX is 'local'"), "{said}");
    Ok(())
}

#[test]
fn a_directory_without_what_was_built_is_named() -> Result<()> {
    let world = World::new()?;
    fs::remove_file(world.path("built/nex-agent"))?;
    let built = world.path("built").display().to_string();
    let refused = command::output(make(&["install", "PREFIX=/opt/nex"]).arg(format!("BUILT={built}")))?;
    let said = text(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains(&format!("BUILT={built}; name the directory of both")),
        "{said}"
    );
    assert!(!said.contains("cp:"), "{said}");
    Ok(())
}

/// A release of three small files, and a place for it.
struct Small(TempDir);

impl Small {
    fn new() -> Result<Self> {
        let small = Self(nex::directory()?);
        for (name, mode) in [("bin/nex", 0o755), ("lib/nex/nex-agent", 0o755), ("share/man/man1/nex.1", 0o644)] {
            let file = small.path("release").join(name);
            fs::create_dir_all(file.parent().unwrap_or(&file))?;
            fs::write(&file, name)?;
            fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
        }
        fs::copy(places::workspace().join("scripts/packaging/install.sh"), small.path("release/install.sh"))?;
        Ok(small)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The script, which makes its own files in a directory of the test's.
    fn script(&self) -> Result<Command> {
        fs::create_dir_all(self.path("tmp"))?;
        let mut script = Command::new(self.path("release/install.sh"));
        script.env("PREFIX", self.path("nex")).env("DESTDIR", "").env("TMPDIR", self.path("tmp"));
        Ok(script)
    }
}

#[test]
fn what_stands_in_the_way_is_not_written_through() -> Result<()> {
    let small = Small::new()?;
    let (victim, bin) = (small.path("victim"), small.path("nex/bin"));
    fs::write(&victim, "precious")?;
    fs::create_dir_all(&bin)?;
    for name in ["nex", "nex.new"] {
        symlink(&victim, bin.join(name))?;
    }
    command::run(&mut small.script()?)?;
    assert_eq!(fs::read_to_string(&victim)?, "precious");
    assert!(fs::symlink_metadata(bin.join("nex"))?.is_file());
    command::run(small.script()?.arg("--uninstall"))?;
    assert_eq!(listing(&small.path("nex"))?, ["bin 755", "bin/nex.new 777"]);

    fs::create_dir(bin.join("nex"))?;
    let refused = command::output(&mut small.script()?)?;
    assert!(!refused.status.success() && text(&refused.stderr).contains("bin/nex is a directory"), "{refused:?}");
    assert_eq!(listing(&small.path("nex"))?, ["bin 755", "bin/nex 755", "bin/nex.new 777"]);
    Ok(())
}

/// The PATH of a test, with these programs in front.
fn path_with(directory: &Path) -> String {
    format!("{}:{}", directory.display(), std::env::var("PATH").unwrap_or_default())
}

#[test]
fn zsh_is_told_of_a_directory_that_it_does_not_look_into() -> Result<()> {
    let small = Small::new()?;
    let (programs, functions) = (small.path("programs"), small.path("nex/share/zsh/site-functions"));
    fs::create_dir(&programs)?;
    let installed = |fpath: &Path| -> Result<String> {
        let zsh = programs.join("zsh");
        fs::write(&zsh, format!("#!/bin/sh\necho /usr/share/zsh/functions\necho '{}'\n", fpath.display()))?;
        fs::set_permissions(&zsh, fs::Permissions::from_mode(0o755))?;
        Ok(text(&command::run(small.script()?.env("PATH", path_with(&programs)))?))
    };
    let line = format!("fpath=({} $fpath)", functions.display());
    assert!(installed(Path::new("/elsewhere"))?.contains(&line));
    assert!(!installed(&functions)?.contains("fpath"));
    Ok(())
}

#[test]
fn an_installation_elsewhere_is_named_where_there_is_none_to_remove() -> Result<()> {
    let small = Small::new()?;
    command::run(&mut small.script()?)?;
    let remove = |place: &str| -> Result<Command> {
        let mut script = small.script()?;
        script.arg("--uninstall").env("PREFIX", small.path(place)).env("PATH", path_with(&small.path("nex/bin")));
        Ok(script)
    };
    let refused = command::output(&mut remove("other")?)?;
    let said = text(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains(&format!("set PREFIX={}", small.path("nex").display())),
        "{said}"
    );
    command::run(&mut remove("nex")?)?;
    let nothing = text(&command::run(&mut remove("other")?)?);
    assert!(nothing.contains("there is no nex") && nothing.contains("PREFIX=DIRECTORY"), "{nothing}");
    Ok(())
}

#[test]
fn an_installation_that_was_interrupted_can_be_removed() -> Result<()> {
    let small = Small::new()?;
    // The programs are there, and their pages are not, when the signal comes.
    let programs = small.path("programs");
    fs::create_dir(&programs)?;
    let chmod = programs.join("chmod");
    fs::write(&chmod, "#!/bin/sh\ncase $2 in */man1/*) kill -TERM $PPID; sleep 1 ;; esac\nexec /bin/chmod \"$@\"\n")?;
    fs::set_permissions(&chmod, fs::Permissions::from_mode(0o755))?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let ended = command::output(small.script()?.env("PATH", path))?;
    assert_eq!(ended.status.code(), Some(143), "{ended:?}");
    let left = listing(&small.path("nex"))?;
    assert!(left.contains(&"bin/nex 755".to_owned()) && !left.iter().any(|file| file.contains("man1/")), "{left:#?}");
    assert_eq!(listing(&small.path("tmp"))?, [""; 0]);

    command::run(small.script()?.arg("--uninstall"))?;
    assert!(!small.path("nex").exists());
    Ok(())
}

#[test]
fn nothing_outside_of_the_place_is_removed() -> Result<()> {
    let small = Small::new()?;
    command::run(&mut small.script()?)?;
    let (list, other) = (small.path("nex/lib/nex/installed"), small.path("other"));
    fs::write(&other, "")?;
    let place = small.path("nex");
    let more = format!("{}\n{}/../other\n", other.display(), place.display());
    fs::write(&list, fs::read_to_string(&list)? + &more)?;
    command::run(small.script()?.arg("--uninstall"))?;
    assert!(other.exists() && !place.exists());

    let refused = command::output(small.script()?.env("PREFIX", format!("{}\n/etc", place.display())))?;
    assert!(!refused.status.success() && text(&refused.stderr).contains("line break"), "{refused:?}");
    Ok(())
}

#[test]
fn every_target_for_people_is_in_the_help() -> Result<()> {
    let help = text(&command::run(&mut make(&["help"]))?);
    for target in [
        "rootfs",
        "build",
        "default-image",
        "install",
        "uninstall",
        "release",
        "test",
        "lint",
        "test-release",
        "bench",
        "help",
    ] {
        let line = help.lines().find(|line| line.split_whitespace().next() == Some(target));
        assert!(line.is_some_and(|line| line.split_whitespace().count() > 2), "{target}: {help}");
    }
    Ok(())
}

#[test]
fn the_glibc_that_a_program_needs_is_told_and_a_newer_one_than_promised_refused() -> Result<()> {
    let glibc = |program: &Path, most: Option<&str>| command::output(script("glibc").arg(program).args(most));
    let needed = text(&glibc(Path::new(nex::program()), None)?.stdout);
    let needed = needed.trim();
    assert!(needed.starts_with("2."), "{needed}");
    assert!(glibc(Path::new(nex::program()), Some(needed))?.status.success());
    // As numbers: 2.4 is older than 2.17.
    let refused = glibc(Path::new(nex::program()), Some("2.4"))?;
    assert!(!refused.status.success() && text(&refused.stderr).contains("newer than 2.4"), "{refused:?}");
    assert_eq!(text(&glibc(nex::agent()?, Some("2.4"))?.stdout), "none\n");
    assert!(!glibc(Path::new("/etc/passwd"), Some("2.99"))?.status.success());
    Ok(())
}

/// What is packed: the tests' agent stands for both programs, as what they are makes no difference, and any file for the image.
fn tree(world: &World) -> Result<PathBuf> {
    let (tree, agent, image) = (world.path("tree"), nex::agent()?, world.path("image"));
    fs::write(&image, "")?;
    command::run(script("tree").args([agent, agent]).arg(&tree).arg(nex::program()).arg(image))?;
    Ok(tree)
}

#[test]
fn a_debian_package_has_the_same_bytes_each_time_and_belongs_to_root() -> Result<()> {
    let world = World::new()?;
    let make = |directory: &str| -> Result<PathBuf> {
        let directory = world.path(directory);
        fs::create_dir(&directory)?;
        let arguments = ["amd64", "1.2.3", "2.17"];
        let made = command::run(script("deb").arg(tree(&world)?).args(arguments).arg(&directory))?;
        Ok(PathBuf::from(text(&made).trim()))
    };
    let (first, second) = (make("first")?, make("second")?);
    assert_eq!(first.file_name().and_then(|name| name.to_str()), Some("nex_1.2.3_amd64.deb"));
    assert!(fs::read(&first)? == fs::read(&second)?, "two packages of the same tree differ");

    let deb = |what: &str| command::run(Command::new("dpkg-deb").arg(what).arg(&first)).map(|said| text(&said));
    let contents = deb("--contents")?;
    assert!(contents.lines().all(|line| line.contains(" root/root ")), "{contents}");
    let image = "./usr/share/nex/images/default.oci.tar";
    for expected in ["./usr/bin/nex", "./usr/lib/nex/nex-agent", image, "./usr/share/man/man1/nex.1.gz"] {
        assert!(contents.lines().any(|line| line.ends_with(expected)), "{expected}: {contents}");
    }
    let fields = deb("--field")?;
    for expected in ["Depends: libc6 (>= 2.17)", "Architecture: amd64", "Version: 1.2.3"] {
        assert!(fields.lines().any(|line| line == expected), "{expected}: {fields}");
    }
    Ok(())
}

#[test]
fn a_container_image_is_one_for_others_and_for_nex_and_runs_as_nobody_s_root() -> Result<()> {
    let world = World::new()?;
    let (base, own) = (world.path("base"), world.path("own"));
    for directory in ["etc", "home/nex", "tmp"] {
        fs::create_dir_all(base.join(directory))?;
    }
    fs::write(base.join("etc/passwd"), "root:x:0:0::/:/bin/false\n")?;
    fs::create_dir_all(own.join("usr/bin"))?;
    fs::copy(nex::agent()?, own.join("usr/bin/nex"))?;
    let make = |name: &str| -> Result<PathBuf> {
        let layout = world.path(name);
        command::run(script("oci").args(["amd64", "1.2.3", "abc"]).arg(&layout).args([&base, &own]))?;
        Ok(layout)
    };
    let layout = make("layout")?;
    // What the clock and a umask do to files is nothing that an image tells.
    fs::set_permissions(base.join("etc/passwd"), fs::Permissions::from_mode(0o600))?;
    fs::write(own.join("usr/bin/nex"), fs::read(nex::agent()?)?)?;
    command::run(Command::new("diff").arg("-r").args([&layout, &make("again")?]))?;

    let image = format!("oci:{}:1.2.3", layout.display());
    let config: serde_json::Value =
        serde_json::from_slice(&command::run(Command::new("skopeo").args(["inspect", "--config", &image]))?)?;
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Entrypoint"][0], "/usr/bin/nex");
    assert_eq!(config["created"], "2023-11-14T22:13:20Z");
    let mut rootfs = nex::rootfs(&image, &world.path("image.ext4"))?;
    command::run(rootfs.args(["--size", "auto", "--platform", "amd64"]))?;
    let unpacked = umoci::unpack(&layout, "1.2.3")?;
    assert_eq!(fs::read(unpacked.path().join("usr/bin/nex"))?, fs::read(nex::agent()?)?);
    let mode =
        |name: &str| Ok::<_, nex_testkit::Failure>(fs::metadata(unpacked.path().join(name))?.permissions().mode());
    assert_eq!((mode("tmp")? & 0o7777, mode("etc/passwd")? & 0o7777), (0o1777, 0o644));
    Ok(())
}
