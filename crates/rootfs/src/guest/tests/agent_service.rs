//! The service that starts the agent, with a name, arguments, variables and a user of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nex_inspect::Stat;

use super::super::agent_service::tests::{WORDS, output_of};
use super::super::{AgentService, AgentUser, Error, Init, Options, wire};
use super::*;

fn options(path: &str, args: &[&str], user: &str) -> Options {
    let service = AgentService {
        path: Some(path.into()),
        args: args.iter().map(ToString::to_string).collect(),
        env: vec![("A".into(), "50% $HOME \"x\"".into())],
        user: Some(user.into()).filter(|user: &String| !user.is_empty()),
    };
    Options { agent_service: service, ..Options::default() }
}

fn with_web(image: Image) -> Image {
    let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:77:78::/srv:/bin/sh\nbad name:x:79:78::/:/bin/sh\n";
    image.file("/etc/passwd", 0o644, passwd).file("/etc/group", 0o644, "root:x:0:\nweb:x:78:\nwww:x:80:\n")
}

#[test]
fn systemd_has_all_of_it_in_its_unit() {
    let options = options("/opt/acme/agent", &["--name", "100% $a \"b\" c\\\\", ";", ""], "web");
    let (guest, wiring) = wired_with(with_web(debian_with_systemd()), &options);
    let unit = guest.text("/etc/systemd/system/agent.service");
    let lines = [
        r#"ExecStart=/opt/acme/agent "--name" "100%% $$a \"b\" c\\\\" ";" """#,
        r#"Environment="A=50%% $HOME \"x\"""#,
        "User=web",
        "Restart=always",
    ];
    assert!(unit.contains(&lines.join("\n")), "{unit}");
    assert!(!unit.contains("Group="), "{unit}");
    assert_eq!(target(&guest, "/opt/acme/agent"), "/usr/local/bin/agent");
    assert_eq!(guest.stat(AGENT), Some(Stat { kind: Kind::File, mode: 0o775, uid: 77, gid: 78 }));
    assert_eq!(wiring.user.word(), "web");
    assert!(guest.at("/etc/nex/run-agent").is_none());
}

#[test]
fn openrc_and_the_table_start_a_script_in_front_of_it() {
    let image = || with_web(alpine_with_openrc());
    let (guest, _) = wired_with(image(), &options("/usr/bin/acme", &["it's"], "web:www"));
    let service = guest.text("/etc/init.d/agent");
    for line in ["command=\"/etc/nex/run-agent\"", "command_user=\"web:www\"", "output_log=\"/var/log/agent/nex.log\""]
    {
        assert!(service.lines().any(|other| other == line), "{line} in {service}");
    }
    assert!(service.contains("chgrp 80 /dev/console"), "{service}");
    assert_eq!(guest.stat(b"/var/log/agent"), Some(Stat { kind: Kind::Directory, mode: 0o755, uid: 77, gid: 80 }));
    let launcher = guest.text("/etc/nex/run-agent");
    assert!(launcher.ends_with("export A='50% $HOME \"x\"'\nexec /usr/bin/acme 'it'\\''s' \"$@\"\n"), "{launcher}");
    assert_eq!(guest.stat(b"/etc/nex/run-agent"), Some(ROOTS));

    // Nothing but another name and user wants no script.
    let plain = AgentService { path: Some("/usr/bin/acme".into()), user: Some("77".into()), ..AgentService::default() };
    let (guest, _) = wired_with(image(), &Options { agent_service: plain, ..Options::default() });
    let service = guest.text("/etc/init.d/agent");
    assert!(service.contains("command=\"/usr/bin/acme\"\ncommand_user=\"web\"\n"), "{service}");

    let sysvinit = debian_with_sysvinit("#!/bin/sh\n").file("/usr/sbin/start-stop-daemon", 0o755, "\x7fELF");
    let sysvinit = with_web(sysvinit.file("/bin/sh", 0o755, ""));
    let (guest, _) = wired_with(sysvinit, &options("/usr/bin/acme", &[], "web"));
    let entry = "\nnex:2345:respawn:/sbin/start-stop-daemon -S -q -c web -x /etc/nex/run-agent\n";
    assert!(guest.text("/etc/inittab").ends_with(entry), "{}", guest.text("/etc/inittab"));
}

#[test]
fn root_is_asked_for_and_owns_what_it_runs() {
    let root = |image: Image| {
        let service = AgentService { user: Some("root".into()), ..AgentService::default() };
        wired_with(image, &Options { agent_service: service, ..Options::default() })
    };
    let (guest, wiring) = root(debian_with_systemd());
    assert!(guest.text("/etc/systemd/system/agent.service").contains("agent\nUser=root\nRestart="));
    assert_eq!((guest.stat(AGENT), wiring.user), (Some(ROOTS), AgentUser::Root));
    let sysvinit = debian_with_sysvinit("#!/bin/sh\n").file("/usr/sbin/start-stop-daemon", 0o755, "\x7fELF");
    let (guest, wiring) = root(sysvinit);
    assert!(guest.text("/etc/inittab").ends_with("\nnex:2345:respawn:/usr/local/bin/agent\n"));
    assert!(wiring.notes.iter().all(|note| !note.fact().contains("as root")), "{:?}", wiring.notes);
    belongs_to(&guest, AgentUser::Root, ROOTS);
}

#[test]
fn an_init_has_its_arguments_by_a_shell() {
    let image = || Image::default().file("/bin/sh", 0o755, "\x7fELF");
    let (guest, wiring) = wired_with(image(), &options("/usr/bin/acme", &["-v"], ""));
    assert_eq!(wiring.init, Init::Agent);
    assert_eq!(target(&guest, "/sbin/init"), "/etc/nex/run-agent");
    assert!(guest.text("/etc/nex/run-agent").starts_with("#!/bin/sh\n"));
    belongs_to(&guest, AgentUser::Root, ROOTS);
    let refused = wire(&Image::default(), &options("/usr/bin/acme", &["-v"], "")).unwrap_err();
    assert!(matches!(refused, Error::AgentLauncher), "{refused}");
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |image: Image, options: &Options| said(&wire(&with_web(image), options).unwrap_err());
    let unknown = refused(debian_with_systemd(), &options("/a", &[], "nobody-here"));
    assert!(unknown.contains("'nobody-here'") && unknown.contains("/etc/passwd"), "{unknown}");
    assert!(refused(debian_with_systemd(), &options("/a", &[], "web:nogroup-here")).contains("/etc/group"));
    assert!(refused(debian_with_systemd(), &options("/a", &[], "99")).contains("'99'"));
    assert!(refused(debian_with_systemd(), &options("/a", &[], "bad name")).contains("other characters"));
    let init = refused(Image::default(), &options("/a", &[], "web"));
    assert!(init.contains("which the kernel starts as root"), "{init}");
    assert!(refused(debian_with_sysvinit("#!/bin/sh\n"), &options("/a", &[], "web")).contains("start-stop-daemon"));
    assert!(refused(debian_with_systemd(), &options("/usr/bin", &[], "")).contains("directory of the image"));
    for shell in ["/bin/sh", "/usr/bin/sh"] {
        let image = debian_with_systemd().link("/bin", "usr/bin").file("/usr/bin/sh", 0o755, "");
        assert!(refused(image, &options(shell, &[], "")).contains("the shell of the image"), "{shell}");
    }
    let ours = Options { agent_is_ours: true, ..options("/a", &[], "") };
    assert!(refused(debian_with_systemd(), &ours).contains("nex's own agent takes no arguments"));
}

#[test]
fn what_stood_at_the_name_is_told() {
    let (guest, wiring) = wired_with(with_web(debian_with_systemd()), &options("/usr/bin/dash", &[], ""));
    assert_eq!(target(&guest, "/usr/bin/dash"), "/usr/local/bin/agent");
    assert!(wiring.notes.iter().any(|note| note.fact().contains("the image's /usr/bin/dash")), "{:?}", wiring.notes);
}

/// systemd itself reads the unit, as for a machine that it would start. Root may not ask it that.
#[test]
fn systemd_reads_the_words_and_values_as_they_are() {
    const SYSTEMD: &str = "/lib/systemd/systemd";
    if !Path::new(SYSTEMD).exists() {
        eprintln!("LEFT OUT: what systemd makes of a unit: there is no systemd here");
        return;
    }
    let value = "50% $HOME ${A} \"x\" \\ '";
    let service = AgentService {
        args: WORDS.map(str::to_owned).to_vec(),
        env: vec![("A".into(), value.into())],
        ..AgentService::default()
    };
    let (guest, _) = wired_with(debian_with_systemd(), &Options { agent_service: service, ..Options::default() });
    let place = tempfile::tempdir().expect("a directory");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o1777)).expect("ours");
    fs::write(place.path().join("agent.service"), guest.text("/etc/systemd/system/agent.service")).expect("ours");
    let mut systemd = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        systemd.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    systemd
        .env_clear()
        .env("SYSTEMD_UNIT_PATH", format!("{}:", place.path().display()))
        .env("XDG_RUNTIME_DIR", place.path());
    systemd.args(["--", SYSTEMD, "--test", "--system", "--unit=agent.service"]).env("PATH", "/usr/bin:/bin");
    let output = systemd.output().expect("setpriv");
    let dump = String::from_utf8_lossy(&output.stdout);
    let Some((_, unit)) = dump.split_once("-> Unit agent.service:") else {
        eprintln!("LEFT OUT: what systemd makes of a unit: {}", String::from_utf8_lossy(&output.stderr));
        return;
    };
    let line = |label: &str| unit.lines().find_map(|line| line.trim().strip_prefix(label)).unwrap_or_default();
    assert_eq!(line("Environment: "), format!("A={value}"));
    // It shows words as a shell takes them. What it replaces when it starts the program is the dollars alone: two are one.
    let words = output_of(Command::new("sh").args(["-c", &format!("printf '%s\\0' {}", line("Command Line: "))]));
    let words: Vec<String> = words.split_terminator('\0').map(|word| word.replace("$$", "$")).collect();
    assert_eq!(words, [&["/usr/local/bin/agent"][..], &WORDS].concat());
}
