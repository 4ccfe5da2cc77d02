//! The line at which a script fails, as three shells read it, and that they notice nothing of being watched.

use std::fs;
use std::path::Path;
use std::process::Command;

use nex_testkit::nex::loud;
use nex_testkit::nex::script::{World, messages};
use nex_testkit::{Failure, Result, command};

/// The shells of Debian and Alpine, and of those who write `#!/bin/bash`.
const SHELLS: [&str; 3] = ["dash", "bash", "ash"];

/// Copies a program of the host into the image, with the libraries that it needs.
fn install(world: &World, name: &str) -> Result<()> {
    let program = Path::new("/bin").join(name);
    let listed = command::run(Command::new("ldd").arg(&program))?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let paths = listed.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new);
    for path in paths.chain([&*program]) {
        let copy = world.base().join(path.strip_prefix("/").unwrap_or(path));
        fs::create_dir_all(copy.parent().unwrap_or(&copy))?;
        fs::copy(path, copy)?;
    }
    Ok(())
}

fn world_with_shells() -> Result<World> {
    let world = World::new()?;
    install(&world, "dash")?;
    install(&world, "bash")?;
    for name in ["ash", "awk"] {
        std::os::unix::fs::symlink("busybox", world.base().join("bin").join(name))?;
    }
    Ok(world)
}

#[test]
fn the_line_that_failed_is_told() -> Result<()> {
    let world = world_with_shells()?;
    let plain = "echo 1\n\n# comment\ncat /missing\necho late\n";
    let long = format!(": {}\ncat /missing\n: late\n", "x".repeat(20_000));
    // What follows the first line, and the line and text that it fails at.
    let cases = [
        (plain, 5, "cat /missing"),
        ("f() {\n  cat /missing\n}\n. /lib.sh\necho x | cat\nf\necho late\n", 7, "f"),
        ("for i in 1 2; do\n  cat /missing\ndone\necho late\n", 4, "done"),
        ("cat <<E\ntext\nE\n(exit 3) || echo caught\n(\nexit 3\n)\n: late\n", 8, ")"),
        ("set +e\nfalse\nexit 9", 4, "exit 9"),
        (&long, 3, "cat /missing"),
    ];
    fs::write(world.base().join("lib.sh"), "\n\n\n\n\n\n\n\n:\n")?;
    for shell in SHELLS {
        for (number, (script, line, text)) in cases.iter().enumerate() {
            let mut run = world.command("image", &format!("#!/bin/{shell} -e\n{script}"))?;
            let words = format!("having come to line {line}, '{text}'");
            world
                .fails(&mut run, "image", &[&words])
                .map_err(|failure| Failure::new(format!("{shell}, case {number}: {failure}")))?;
        }
    }
    world.fails(
        &mut world.command("image", "true\nkill -9 $$\n")?,
        "image",
        &["signal 9, having come to line 2, 'kill"],
    )?;
    let mut slow = world.command("image", "true\nsleep 100\n")?;
    let words = "still running after 3 s, having come to line 2, 'sleep 100', and was ended";
    world.fails(slow.args(["--script-timeout", "3s"]), "image", &[words])?;
    // Who does not read as shells do tells nothing.
    let mut other = world.command("image", "#!/bin/awk -f\nBEGIN { exit 3 }\n")?;
    let said = messages(&command::output(&mut other)?);
    assert!(said.contains("failed with exit code 3") && !said.contains("having come"), "{said}");
    Ok(())
}

/// All that looks at how a script is read.
const CURIOUS: &str = r#"
echo "$0" "$#" "$-"; set -x; : traced; set +x
sed -n 2p "$0"; tail -n 1 "$0"; wc -c < "$0"
trap 'echo trapped' EXIT
exec 9< "$0"; read first <&9; echo "$first"
while read line; do case $line in *needle*) echo "found: $line";; esac; done < "$0"
(echo sub; exit 3) || echo "$?"
eval 'echo
evaluated'
trap 'echo signalled' USR1; (sleep 0.1; kill -USR1 $$) & wait; wait
i=0; while [ $i -lt 300 ]; do i=$((i + 1)); done; echo $i
cat <<END
$(echo here) needle
END
read nothing || echo no input
exit 5
"#;

#[test]
fn a_script_notices_nothing() -> Result<()> {
    let world = world_with_shells()?;
    for (shell, program) in [("dash", "dash"), ("bash", "bash"), ("ash", "busybox")] {
        let script = format!("#!/bin/{shell}{CURIOUS}");
        let path = world.write("curious", &script)?;
        let watched = messages(&command::output(&mut loud(&world.command("image", &script)?))?);
        let seen: Vec<_> = watched.lines().filter_map(|line| line.strip_prefix("script: ")).collect();
        let mut plain = Command::new("sh");
        plain.args(["-c", "exec \"$@\" 2>&1 < /dev/null", "sh"]).arg(Path::new("/bin").join(program));
        if program == "busybox" {
            plain.arg("ash");
        }
        let result = command::output(plain.arg(&path).env_clear().env("PATH", "/bin"))?;
        assert_eq!(result.status.code(), Some(5));
        let expected =
            String::from_utf8_lossy(&result.stdout).replace(&path.display().to_string(), "/run/nex/1/image.sh");
        assert_eq!(seen, expected.lines().collect::<Vec<_>>(), "{shell}");
        assert!(seen.contains(&"trapped") && seen.contains(&"signalled"), "{seen:?}");
    }
    Ok(())
}
