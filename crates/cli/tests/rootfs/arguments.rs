//! Arguments that make no sense, for programs.

use std::process::Command;

use nex_testkit::{Failure, Result, command, nex};

/// A call with its variables, and what it ends with: the exit code, the error's code, and words of its message.
type Refusal<'a> = (&'a str, &'a [(&'a str, &'a str)], i32, &'a str, &'a str);

/// Programs read what is wrong with the arguments where they read everything else.
#[test]
fn arguments_that_are_refused_are_one_object_for_programs() -> Result<()> {
    let calls: [Refusal; 8] = [
        ("rootfs --image scratch --size=xx --format json", &[], 2, "usage", "invalid value 'xx' for '--size <SIZE>'"),
        ("rootfs check --format=json", &[], 2, "usage", "were not provided"),
        ("rootfs check a b", &[("NEX_FORMAT", "json")], 2, "usage", "unexpected argument 'b'"),
        ("zzz --format json", &[], 2, "usage", "'zzz'"),
        ("cache ls --bogus --format json", &[], 2, "usage", "'--bogus'"),
        ("rootfs --image scratch --format json", &[("NEX_ROOTFS_SIZE", "bogus")], 2, "environment", "'bogus'"),
        // There, standard output is another's.
        ("run --format json", &[], 125, "usage", "--rootfs"),
        ("rootfs --image scratch -o - --bogus --format json", &[], 2, "usage", "'--bogus'"),
    ];
    for (call, variables, code, name, words) in calls {
        let mut refused = Command::new(nex::program());
        let result = command::output(refused.args(call.split(' ')).envs(variables.iter().copied()))?;
        let [out, err] = [&result.stdout, &result.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        assert_eq!(result.status.code(), Some(code), "{call}: {err}");
        let is_apart = !call.starts_with("run") && !call.contains("-o -");
        let objects: Vec<_> = if is_apart { &out } else { &err }.lines().filter(|line| line.starts_with('{')).collect();
        let [object] = *objects else { return Err(Failure::new(format!("{call}: {objects:?}"))) };
        let error: serde_json::Value = serde_json::from_str(object)?;
        let error = &error["error"];
        let message = error["message"].as_str().unwrap_or_default();
        assert_eq!(error["code"], name, "{call}: {object}");
        assert!(message.contains(words) && !message.contains("error:"), "{call}: {object}");
        assert!(error["hint"].is_string() && (!is_apart || out.lines().count() == 1), "{call}: {out}");
        // People read it as ever.
        assert!(err.starts_with("error: ") && err.contains(words), "{call}: {err}");
    }
    // Who has not asked for it gets none, and what stands behind `--` is the program's.
    for call in ["rootfs --image scratch --size=xx", "run --bogus -- x --format json", "rootfs --help --format json"] {
        let result = command::output(Command::new(nex::program()).args(call.split(' ')))?;
        let all = [result.stdout, result.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).lines().any(|line| line.starts_with('{')), "{call}");
    }
    Ok(())
}

/// What is wrong by itself ends with 2, and nothing was made then. What is wrong because of a file ends with 1.
#[test]
fn the_exit_code_tells_wrong_usage_from_the_rest() -> Result<()> {
    type Call<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let usage: [Call; 14] = [
        ("rootfs --image scratch --hostname a_b", &[], "at most 64 letters, digits and hyphens"),
        ("rootfs --image scratch -o out.rar", &[], "which nex does not write"),
        ("rootfs --image UPPER/case", &[], "lower case letters"),
        ("rootfs --image scratch --creds alice", &[], "USER:PASSWORD"),
        ("rootfs --image scratch -o one --verity-file one", &[], "name one file"),
        ("rootfs --image scratch --free 1G", &[], "--size auto"),
        ("rootfs --image scratch", &[("SOURCE_DATE_EPOCH", "soon")], "SOURCE_DATE_EPOCH"),
        ("rootfs --image scratch", &[("NEX_ROOTFS_FREE", "bogus")], "NEX_ROOTFS_FREE"),
        ("rootfs --image scratch", &[("NEX_ROOTFS_OFFLINE", "flase")], "NEX_ROOTFS_OFFLINE"),
        ("rootfs --image registry.invalid/a:b", &[("HTTPS_PROXY", "ftp://x")], "HTTPS_PROXY"),
        ("version", &[("NEX_LOG", "loud")], "NEX_LOG"),
        ("rootfs boot f --kernel k --jail-user root", &[], "1500:1500"),
        ("rootfs boot f --kernel k --jail-user 1500:1500 --jail-cgroup 1G", &[], "memory.max=1G"),
        ("kernel path --platform riscv64", &[], "amd64 and arm64"),
    ];
    let other: [Call; 4] = [
        ("rootfs --image scratch --script none.sh", &[], "none.sh"),
        ("rootfs --image scratch --cert-dir none", &[], "which is no directory"),
        ("rootfs check none.ext4", &[], "none.ext4"),
        ("rootfs explain none.log", &[], "none.log"),
    ];
    let (place, cache) = (nex::directory()?, nex::directory()?);
    let calls = usage.iter().map(|call| (call, 2)).chain(other.iter().map(|call| (call, 1)));
    for ((call, variables, words), code) in calls {
        let mut refused = Command::new(nex::program());
        refused.args(call.split(' '));
        refused.envs(variables.iter().copied()).env("NEX_AGENT", nex::agent()?).env("NEX_CACHE_DIR", cache.path());
        let result = command::output(refused.current_dir(place.path()))?;
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!(result.status.code(), Some(code), "{call} {variables:?}: {said}");
        assert!(said.contains(words), "{call}: {said}");
        assert_eq!(nex::names(place.path())?, [""; 0], "{call}");
    }
    // The program's own exit code may be 2.
    let mut run = Command::new(nex::program());
    let result = command::output(run.args(["run", "--rootfs", "f"]).env("NEX_LOG", "loud"))?;
    assert_eq!(result.status.code(), Some(125), "{result:?}");
    Ok(())
}

#[test]
fn a_mistyped_variable_is_warned_of_once() -> Result<()> {
    for (call, code) in [("version", 0), ("run ./hello", 125)] {
        let mut nex = Command::new(nex::program());
        let result = command::output(nex.args(call.split(' ')).env("NEX_RUN_ROOTF", "a.ext4"))?;
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!(result.status.code(), Some(code), "{call}: {said}");
        let warning = "warning: nex does not read NEX_RUN_ROOTF; did you mean NEX_RUN_ROOTFS?";
        assert_eq!(said.matches(warning).count(), 1, "{call}: {said}");
    }
    Ok(())
}

/// Arguments of a program without `--` are the usual slip of who comes from another tool.
#[test]
fn arguments_of_a_program_are_led_behind_the_hyphens() -> Result<()> {
    let mut run = Command::new(nex::program());
    let result = command::output(run.args(["run", "--rootfs", "a.ext4", "./hello", "me"]))?;
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    assert_eq!(result.status.code(), Some(125), "{said}");
    assert!(said.contains("unexpected argument 'me'") && said.contains("PROGRAM -- me'"), "{said}");
    Ok(())
}
