//! What has been learned about KVM, kept between runs.
//!
//! A text file: the first line says of which machine, boot, kernel and device all of it was learned, each other line what
//! about a VMM. It is written whole and renamed into place; what cannot be read was never learned.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Verdict;

const FILE: &str = "kvm";
const WORKS: &str = "works";
const FAILS: &str = "fails: ";
/// Longer reasons are cut.
const LONGEST: usize = 400;

/// The file, and what must be its first line.
#[derive(Debug)]
pub struct Answers {
    path: PathBuf,
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
        Some(Self { path: directory.join(FILE), key })
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

    fn write(&self, text: &[u8]) -> std::io::Result<()> {
        if let Some(directory) = self.path.parent() {
            nex_file::private::create_directories(directory)?;
        }
        let new = self.path.with_extension(format!("{}.new", rustix::process::getpid().as_raw_nonzero()));
        // Somebody with this number was killed just here.
        let _ = fs::remove_file(&new);
        let written = nex_file::private::create_file(&new).and_then(|mut file| file.write_all(text));
        written.and_then(|()| fs::rename(&new, &self.path)).inspect_err(|_| _ = fs::remove_file(&new))
    }

    fn lines(&self) -> Vec<(String, Verdict)> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
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
}
