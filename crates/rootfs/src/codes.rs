//! The codes of this crate's errors.

nex_fault::codes! {
    /// An entry of a layer, or the target of a link, has a name that is not possible in a root filesystem.
    NAME = "build-name";
    /// An entry of a layer is a whiteout that names no file.
    WHITEOUT = "build-whiteout";
    /// An entry of a layer contradicts those before it.
    CONFLICT = "build-conflict";
    /// The image has more entries than the limit allows.
    ENTRIES = "build-entries";
    /// The names, link targets and extended attributes of the image take more than the limit allows.
    METADATA = "build-metadata";
    /// Copies for hard links, or the files of a setup script, take more than the limit for the unpacked image.
    UNPACKED = "build-unpacked";
    /// The file named as a root filesystem contains an image.
    NO_ROOT = "build-no-root";
    /// The programs of a root filesystem are for other processors than the platform's.
    PROCESSOR = "build-processor";
    /// A requirement of the guest contradicts the image.
    DRESS = "build-dress";
    /// An entry of the cache is not a possible one.
    CACHED = "build-cached";
    /// The content does not fit into the requested size.
    TOO_SMALL = "build-too-small";
    /// The finished build cannot be read back.
    READ_BACK = "build-read-back";
    /// A text file of the image that nex has to add to is no text file.
    TEXT_FILE = "build-text-file";
    /// The given hostname is not a valid hostname.
    HOSTNAME = "build-hostname";
    /// The given hash of root's password is not a valid hash.
    PASSWORD_HASH = "build-password-hash";
    /// The boot script is no script, or would not run in the image.
    BOOT_SCRIPT = "build-boot-script";
    /// The image's program cannot become process 1.
    PID1 = "build-pid1";
    /// The image's configuration cannot be written into the root filesystem.
    CONFIG = "build-config";
    /// The agent's file cannot be opened or read.
    AGENT_UNREADABLE = "agent-unreadable";
    /// The agent is no program.
    AGENT_NO_PROGRAM = "agent-no-program";
    /// The agent is for other processors than the root filesystem.
    AGENT_PROCESSOR = "agent-processor";
    /// The image lacks a file that the agent needs.
    AGENT_NEEDS = "agent-needs";
    /// The agent changed while it was copied.
    AGENT_CHANGED = "agent-changed";
    /// The agent cannot run as the requested user.
    AGENT_USER = "agent-user";
    /// The agent cannot have the requested path.
    AGENT_PATH = "agent-path";
    /// The agent cannot be given arguments and variables.
    AGENT_ARGUMENTS = "agent-arguments";
    /// A setup script's first line does not work as intended.
    SCRIPT_FIRST_LINE = "script-first-line";
    /// A setup script made a file that is not possible in a root filesystem.
    SCRIPT_RESULT = "script-result";
    /// A setup script did not leave the directory that should be the result.
    SCRIPT_SNAPSHOT = "script-snapshot";
    /// The directory for the output does not exist.
    OUTPUT_NO_DIRECTORY = "output-no-directory";
    /// The output is a directory, a device, a pipe or a socket.
    OUTPUT_NOT_A_FILE = "output-not-a-file";
    /// The output and the hash file are the same file.
    OUTPUT_SAME_FILE = "output-same-file";
    /// The output is a terminal.
    OUTPUT_TERMINAL = "output-terminal";
    /// There is no room for the output.
    OUTPUT_NO_SPACE = "output-no-space";
    /// The output is larger than the largest possible file there.
    OUTPUT_FILE_TOO_LARGE = "output-file-too-large";
    /// The system does not let nex write the output.
    OUTPUT_IO = "output-io";
    /// The output's name is for a format that nex does not write.
    OUTPUT_FORM = "output-form";
    /// The file to be changed in place cannot be opened or read.
    CHANGE_UNREADABLE = "change-unreadable";
    /// The file to be changed in place is not a regular file, or is compressed.
    CHANGE_NOT_A_FILE = "change-not-a-file";
    /// Another program uses the file to be changed in place.
    CHANGE_IN_USE = "change-in-use";
    /// The changed file would be larger than the largest possible file there.
    CHANGE_FILE_TOO_LARGE = "change-file-too-large";
    /// There is no agent to be replaced.
    CHANGE_NO_AGENT = "change-no-agent";
    /// There is no room for the new agent.
    CHANGE_NO_ROOM = "change-no-room";
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io;

    use nex_fault::Fault;

    use crate::error::Error;
    use crate::output::{OutputError, Role};
    use crate::place::{EntryName, PlaceCause};
    use crate::{PathError, TooSmall};

    /// An error with its remedy, as the command line says it.
    pub(crate) fn said(error: &dyn Fault) -> String {
        nex_fault::advised(error, nex_fault::Setting::flag)
    }

    #[test]
    fn errors_are_facts_and_what_to_do_is_apart() {
        let layer = |cause| Error::Layer {
            number: 2,
            digest: String::new(),
            entry: EntryName { number: 7, path: b"a/b".to_vec() },
            cause,
        };
        let name = layer(PlaceCause::Path(PathError::ParentComponent));
        assert_eq!(said(&name), "layer 2, entry 7 'a/b': the name has '..' as a component");
        assert_eq!(name.code().id(), "build-name");
        let entries = layer(PlaceCause::TooManyEntries(6));
        assert_eq!(
            said(&entries),
            "layer 2, entry 7 'a/b': the image has more than 6 entries; allow more with --max-entries"
        );
        assert_eq!(entries.code().id(), "build-entries");
        let reserved = Error::of_ext4(nex_ext4::Error::ReservedTooLarge { reserved: 9, most: 8 });
        assert_eq!(
            said(&reserved),
            "9 bytes cannot be reserved for root: at most half of the file system, 8 bytes; ask for less (--reserved)"
        );
        assert_eq!(reserved.code().id(), "ext4-reserved");
        let not_a_file = OutputError::NotAFile { path: "/dev/x".into(), role: Role::Image };
        assert_eq!(
            said(&not_a_file),
            "the output '/dev/x' is not a regular file, and nothing is written over it; use '--output -' and redirect"
        );
        let cause = io::ErrorKind::PermissionDenied.into();
        let io = Error::Output(OutputError::Io { place: "/x".into(), cause });
        assert_eq!((&*said(&io), io.code().id()), ("cannot write in '/x': permission denied", "output-io"));
        let too_small = Error::TooSmall(Box::new(TooSmall {
            needed: 3 << 20,
            size: 1 << 20,
            content: 2 << 20,
            inodes: 12,
            journal: None,
            deleted: 0,
            largest: None,
        }));
        assert_eq!(
            said(&too_small),
            "the content does not fit: 2.0 MiB in 12 inodes need 3145728 bytes, but the size is 1048576; ask for --size 3MiB \
             or more, or for --size auto"
        );
        assert_eq!(too_small.code().id(), "build-too-small");
    }
}
