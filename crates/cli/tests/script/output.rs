//! The names of a script's output, for all who run scripts, and for all that a script becomes.

use nex_testkit::nex::script::{World, messages};
use nex_testkit::{Result, command};

use crate::callers::{Caller, again};

/// As root: by redirection, by a program, by a link that a log is, and to read and write.
const AS_ROOT: &str = "set -e
    echo 1 > /dev/stdout; echo 2 > /dev/stderr; echo 3 | busybox tee /dev/stderr > /dev/null; echo 4 >> /proc/self/fd/2
    ln -s /dev/stdout /var/log/app.log; echo 5 >> /var/log/app.log; exec 3<> /dev/stderr; echo 6 >&3
    : < /dev/stdin; stat -L -c '%u %g' /dev/stderr\n";

/// The same as another user of the image, before and after it was given the output, as images of web servers do.
const AS_USER: &str = "
    su user -c 'echo 7 > /dev/stderr; echo 8 >> /var/log/app.log; busybox tee /dev/stdout < /etc/text; : < /dev/stdin'
    chown user /dev/stderr; su user -c 'echo 9 > /dev/stderr; exec 3<> /dev/stderr; echo 10 >&3'; echo 11 > /dev/stderr\n";

#[test]
fn a_script_opens_its_output_by_name() -> Result<()> {
    let world = World::new()?;
    for caller in Caller::ALL {
        let (script, expected) = if caller.has_ids() {
            (format!("{AS_ROOT}{AS_USER}"), "1 2 3 4 5 6 0_0 7 8 first first 9 10 11")
        } else {
            (AS_ROOT.to_owned(), "1 2 3 4 5 6 0_0")
        };
        let run = again(&world.command_in("image", &script, &caller.work_dir())?, nex_testkit::nex::program());
        let Some(mut run) = caller.command(&run, &world)? else { return Ok(()) };
        let result = command::output(&mut run)?;
        let said = messages(&result);
        assert!(result.status.success(), "{caller:?}: {said}");
        let lines: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("script: ")).collect();
        assert_eq!(lines.join(" ").replace("0 0", "0_0"), expected, "{caller:?}");
        std::fs::remove_file(world.path("image"))?;
    }
    Ok(())
}
