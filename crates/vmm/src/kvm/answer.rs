//! What has been learned about KVM, kept between runs.
//!
//! A text file: the first line says of which machine, boot, kernel and device all of it was learned, each other line what
//! about a VMM. It is written whole and renamed into place; what cannot be read, or could be another user's, was never learned.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nex_file::way::{self, Missing, WayError};
use nex_file::{private, trust};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Verdict;

const FILE: &str = "kvm";
/// More than all VMMs of a machine could fill, in bytes.
const LONGEST_FILE: u64 = 64 << 10;
const WORKS: &str = "works";
const FAILS: &str = "fails: ";
/// Longer reasons are cut.
const LONGEST: usize = 400;

/// The file, and what must be its first line.
#[derive(Debug)]
pub struct Answers {
    directory: PathBuf,
    key: String,
}

impl Answers {
    /// The answers about a device in a directory. `None` where the machine cannot be told from another.
    pub fn new(directory: &Path, device: &Path) -> Option<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let device = fs::metadata(device).ok()?;
        let kernel = rustix::system::uname();
        let (release, version) = (kernel.release().to_string_lossy(), kernel.version().to_string_lossy());
        // A container that starts anew gets another node, as does a module that is loaded again.
        let node = format!("{}:{}:{}", device.dev(), device.ino(), device.rdev());
        let key = format!("boot {} kernel {release} {version} device {node}", boot.trim());
        Some(Self { directory: directory.into(), key })
    }

    /// What is known about a VMM.
    pub fn of(&self, vmm: &str) -> Option<Verdict> {
        self.lines().into_iter().find(|(name, _)| name == vmm).map(|(_, verdict)| verdict)
    }

    /// Keeps an answer in place of what was known. Where it cannot be kept, it will be found out again.
    pub fn remember(&self, vmm: &str, verdict: &Verdict) {
        let mut lines = self.lines();
        lines.retain(|(name, _)| name != vmm);
        lines.push((vmm.to_owned(), verdict.clone()));
        let text = lines.iter().filter_map(|(name, verdict)| {
            let verdict = match verdict {
                Verdict::Works => WORKS.to_owned(),
                Verdict::Unproven => return None,
                Verdict::Fails(why) => format!("{FAILS}{}", one_line(why)),
            };
            Some(format!("{name}\t{verdict}\n"))
        });
        let text = format!("{}\n{}", self.key, text.collect::<String>());
        let _ = self.write(text.as_bytes());
    }

    fn write(&self, text: &[u8]) -> Result<(), WayError> {
        let Some(place) = way::open(&self.directory, Missing::Made)? else { return Ok(()) };
        let new = place.path.join(format!("{FILE}.{}.new", rustix::process::getpid().as_raw_nonzero()));
        // Somebody with this number was killed just here.
        let _ = fs::remove_file(&new);
        let written = private::create_file(&new).and_then(|mut file| file.write_all(text));
        let renamed = written.and_then(|()| fs::rename(&new, place.path.join(FILE)));
        Ok(renamed.inspect_err(|_| _ = fs::remove_file(&new))?)
    }

    /// All that was kept, in no more time and memory than that takes.
    fn read(&self) -> Result<String, WayError> {
        let place = way::open(&self.directory, Missing::Left)?.ok_or(Errno::NOENT)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&place.handle, FILE, flags, Mode::empty())?);
        let metadata = file.metadata()?;
        if !metadata.is_file() || trust::is_the_callers(&metadata).is_err() {
            return Err(Errno::INVAL.into());
        }
        let mut text = String::new();
        file.take(LONGEST_FILE).read_to_string(&mut text)?;
        Ok(text)
    }

    fn lines(&self) -> Vec<(String, Verdict)> {
        let text = self.read().unwrap_or_default();
        let Some(rest) = text.strip_prefix(&self.key).and_then(|rest| rest.strip_prefix('\n')) else {
            return Vec::new();
        };
        let line = |line: &str| {
            let (name, verdict) = line.split_once('\t')?;
            let verdict = match verdict.strip_prefix(FAILS) {
                Some(why) => Verdict::Fails(why.to_owned()),
                None if verdict == WORKS => Verdict::Works,
                None => return None,
            };
            Some((name.to_owned(), verdict))
        };
        rest.lines().filter_map(line).collect()
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::FileType;

    use super::*;

    #[test]
    fn answers_are_kept_for_each_vmm_and_for_this_boot() {
        let directory = std::env::temp_dir().join(format!("nex-kvm-answers-{}", std::process::id()));
        let device = Path::new("/dev/null");
        let answers = Answers::new(&directory, device).expect("Linux tells its boot");
        assert_eq!(answers.of("QEMU 9"), None);
        answers.remember("QEMU 9", &Verdict::Fails("it\nhangs".into()));
        answers.remember("Firecracker", &Verdict::Works);
        let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;
        assert_eq!((mode(&directory), mode(&directory.join(FILE))), (0o700, 0o600));
        assert_eq!(answers.of("QEMU 9"), Some(Verdict::Fails("it hangs".into())));
        assert_eq!(answers.of("Firecracker"), Some(Verdict::Works));
        answers.remember("QEMU 9", &Verdict::Works);
        assert_eq!(answers.of("QEMU 9"), Some(Verdict::Works));
        answers.remember("QEMU 9", &Verdict::Unproven);
        assert_eq!(answers.of("QEMU 9"), None);

        // Another boot, another device, and nonsense.
        let text = fs::read_to_string(directory.join(FILE)).expect("it was written");
        let other = Answers::new(&directory, Path::new("/dev/zero")).expect("Linux tells its boot");
        assert_eq!(other.of("Firecracker"), None);
        fs::write(directory.join(FILE), text.replacen("boot ", "boot 0", 1)).expect("it is ours");
        assert_eq!(answers.of("Firecracker"), None);
        fs::write(directory.join(FILE), b"\xff\0").expect("it is ours");
        assert_eq!(answers.of("Firecracker"), None);
        fs::remove_dir_all(&directory).expect("it is ours");
    }

    #[test]
    fn what_others_could_have_put_there_is_no_answer_and_is_not_waited_for() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join("nex");
        let answers = Answers::new(&directory, Path::new("/dev/null")).expect("Linux tells its boot");
        let file = directory.join(FILE);
        let known = || answers.of("QEMU 9").is_some();
        let learn = || {
            answers.remember("QEMU 9", &Verdict::Works);
            assert!(known());
        };
        learn();
        let elsewhere = place.path().join("elsewhere");
        fs::rename(&file, &elsewhere).expect("it is ours");
        symlink(&elsewhere, &file).expect("the name is free");
        assert!(!known());
        learn();
        assert!(fs::symlink_metadata(&elsewhere).expect("it stays").is_file());

        fs::remove_file(&file).expect("it is ours");
        rustix::fs::mknodat(rustix::fs::CWD, &file, FileType::Fifo, Mode::RUSR, 0).expect("the name is free");
        assert!(!known());
        learn();
        fs::remove_file(&file).expect("it is ours");
        File::create(&file).and_then(|file| file.set_len(1 << 40)).expect("sparse");
        assert!(!known());
        learn();

        for (path, open, closed) in [(&file, 0o666, 0o600), (&directory, 0o777, 0o700)] {
            fs::set_permissions(path, Permissions::from_mode(open)).expect("it is ours");
            assert!(!known(), "{path:?}");
            fs::set_permissions(path, Permissions::from_mode(closed)).expect("it is ours");
            assert!(known(), "{path:?}");
        }
        fs::set_permissions(place.path(), Permissions::from_mode(0o777)).expect("it is ours");
        assert!(!known());
    }
}
