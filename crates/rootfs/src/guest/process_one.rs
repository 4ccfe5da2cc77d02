//! Who is process 1 once the guest is up: the agent, or the image's program in its place.

use nex_contract::Pid1;
use nex_fault::{Note, Remedy, Setting};
use nex_inspect::View;
use nex_program::wants_process_one;

use super::change::Layer;
use super::{Error, Options, lossy};

/// Refuses what cannot be, and says where the image's program would not run.
pub(crate) fn wire(view: &dyn View, options: &Options, layer: &mut Layer) -> Result<(), Error> {
    let config = &options.config;
    let program = config.entrypoint.first().or(config.cmd.first()).filter(|program| !program.is_empty());
    match (options.pid1, program) {
        (Pid1::Image, _) if !options.agent_is_ours => return Err(Error::Pid1Agent),
        (Pid1::Image, None) => return Err(Error::Pid1Program),
        (Pid1::Image, Some(_)) | (Pid1::Agent, None) => {}
        (Pid1::Agent, Some(program)) => {
            // Which of a name without a path it is, `nex rootfs check` finds out.
            let path = Some(program.as_bytes()).filter(|path| path.starts_with(b"/"));
            if let Some(init) = path.and_then(|path| wants_process_one(view, path)) {
                let program = lossy(program.as_bytes());
                let makes_it = Remedy::say("").set(Setting::Pid1, "image").and("makes it that");
                let fact = format!("the image's program {program} is {init}, which runs as process 1 alone");
                layer.note(Note::new(fact).advising(makes_it));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Image;
    use nex_contract::ImageConfig;

    const S6: &str = "#!/bin/sh -e\nexec s6-overlay-suexec ' /package/x' ''\n";

    fn wired(image: Image, program: &str, pid1: Pid1) -> (Result<(), Error>, Vec<Note>) {
        let config = ImageConfig { entrypoint: vec![program.into()], ..ImageConfig::default() };
        let options = Options { config, pid1, agent_is_ours: true, ..Options::default() };
        let mut layer = Layer::default();
        (wire(&image, &options, &mut layer), layer.notes)
    }

    #[test]
    fn what_has_to_be_process_one_is_told() {
        let image = || {
            let image =
                Image::default().file("/init", 0o755, S6).file("/old", 0o755, "#!/bin/sh\n").file("/data", 0o644, S6);
            let image = image.file("/lib/systemd/systemd", 0o755, "\x7fELF").link("/sbin/init", "/lib/systemd/systemd");
            image.file("/bin/busybox", 0o755, "\x7fELF").link("/bin/init", "busybox").link("/bin/sh", "busybox")
        };
        for (program, init) in
            [("/init", "s6-overlay"), ("/sbin/init", "systemd"), ("/bin/init", "the init of BusyBox")]
        {
            let (result, notes) = wired(image(), program, Pid1::Agent);
            assert!(result.is_ok() && notes.iter().any(|note| note.fact().contains(init)), "{program}: {notes:?}");
            let (result, notes) = wired(image(), program, Pid1::Image);
            assert!(result.is_ok() && notes.is_empty(), "{program}: {notes:?}");
        }
        for program in ["/old", "/data", "/bin/sh", "/none", "init"] {
            assert_eq!(wired(image(), program, Pid1::Agent).1, Vec::new(), "{program}");
        }
    }

    #[test]
    fn somebody_has_to_hand_over_and_somebody_to_take() {
        assert!(matches!(wired(Image::default(), "", Pid1::Image).0, Err(Error::Pid1Program)));
        let options = Options { pid1: Pid1::Image, ..Options::default() };
        assert!(matches!(wire(&Image::default(), &options, &mut Layer::default()), Err(Error::Pid1Agent)));
    }
}
