//! Images that are installed on this machine: files `NAME.oci.tar`, each an OCI archive of one image, in a few directories.
//!
//! What is in such a file runs as root of guests. So a file that nobody has named is taken only where nobody but root, the caller and
//! the owner of nex could have put it.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nex_fault::{Code, Fault, Remedy, Setting};
use nex_file::way::{self, WayError};

use crate::codes;
use crate::listed::Listed;
use crate::reference::ReferenceError;

/// What the names of the files end with.
const SUFFIX: &str = ".oci.tar";

/// The longest name, in bytes.
const MAX_NAME: usize = 64;

/// Where installed images are looked for; the first directory that has one counts.
#[derive(Clone, Debug)]
pub enum ImageDirectories {
    /// One that the user has named: what is there is taken.
    Named(PathBuf),
    /// Those that come with nex, or are the user's: what others could have put there is refused.
    Usual {
        /// The directories.
        directories: Vec<PathBuf>,
        /// Who is trusted beside root and the caller: the owner of nex, who could have put another nex there as well.
        trusted: Option<u32>,
    },
}

impl Default for ImageDirectories {
    /// None.
    fn default() -> Self {
        Self::Usual { directories: Vec::new(), trusted: None }
    }
}

impl ImageDirectories {
    fn paths(&self) -> &[PathBuf] {
        match self {
            Self::Named(directory) => std::slice::from_ref(directory),
            Self::Usual { directories, .. } => directories,
        }
    }

    /// Opens a file in one of them.
    fn open(&self, path: &Path) -> Result<Option<File>, WayError> {
        match self {
            Self::Named(_) => Ok(Some(nex_file::open_regular(path)?)),
            Self::Usual { trusted, .. } => way::open_file(path, *trusted),
        }
    }
}

/// The file of an installed image.
#[derive(Debug)]
pub struct InstalledImage {
    /// Where it was found.
    pub path: PathBuf,
    /// The file, open: whatever becomes of its name, this one was looked at.
    pub file: File,
}

/// The name of an installed image: what follows `nex:`. It is part of a file's name, so it has no slash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstalledName(String);

impl InstalledName {
    /// The image that comes with nex, which a recipe of its own makes: `nex:default`.
    pub fn of_nex() -> Self {
        Self("default".to_owned())
    }

    /// The file that holds the image, in the first of these directories that has one.
    ///
    /// # Errors
    /// When none of them has it, or it cannot be opened, or others could have put it there.
    pub fn find(&self, directories: &ImageDirectories) -> Result<InstalledImage, InstalledError> {
        let name = format!("{self}{SUFFIX}");
        for directory in directories.paths() {
            let path = directory.join(&name);
            let refused = |cause| InstalledError::Refused { path: path.clone(), cause };
            match path.symlink_metadata() {
                Ok(_) => {}
                // A file in the place of a directory holds no images either.
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(error) => return Err(refused(error.into())),
            }
            if let Some(file) = directories.open(&path).map_err(refused)? {
                return Ok(InstalledImage { path, file });
            }
        }
        Err(InstalledError::Missing {
            name: self.clone(),
            directories: directories.paths().to_vec(),
            available: available(directories.paths()),
        })
    }
}

impl FromStr for InstalledName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let may_begin = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let may_follow = |byte: &u8| may_begin(byte) || b"._-".contains(byte);
        let is_name = text.len() <= MAX_NAME
            && text.bytes().next().is_some_and(|byte| may_begin(&byte))
            && text.bytes().all(|byte| may_follow(&byte));
        if is_name { Ok(Self(text.to_owned())) } else { Err(ReferenceError::InstalledName { text: text.to_owned() }) }
    }
}

impl fmt::Display for InstalledName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no installed image to be read.
#[derive(Debug, thiserror::Error)]
pub enum InstalledError {
    /// No image of a name is installed.
    #[error(
        "there is no image nex:{name} in {}; {}",
        joined(.directories),
        Listed("installed images:", .available, "no image is installed")
    )]
    Missing {
        /// The name asked for.
        name: InstalledName,
        /// Where it was looked for.
        directories: Vec<PathBuf>,
        /// The names that are there.
        available: Vec<InstalledName>,
    },
    /// There is something of that name, and it is not taken.
    #[error("the installed image '{}' is not taken", nex_text::printable(.path.as_os_str().as_bytes()))]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it or the way there.
        #[source]
        cause: WayError,
    },
}

/// `/a or /b`.
fn joined(directories: &[PathBuf]) -> String {
    match directories {
        [] => "any directory".to_owned(),
        some => some.iter().map(|path| nex_text::name(path.as_os_str().as_bytes())).collect::<Vec<_>>().join(" or "),
    }
}

impl Fault for InstalledError {
    fn code(&self) -> Code {
        match self {
            Self::Missing { .. } => codes::NOT_INSTALLED,
            Self::Refused { cause: WayError::Io(_), .. } => codes::UNREADABLE,
            Self::Refused { .. } => codes::INSTALLED_DISTRUST,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Missing { name, .. } if *name == InstalledName::of_nex() => {
                Remedy::say("a release of nex brings it, 'make default-image' in nex's sources makes it; or name another image with")
                    .choose(Setting::Image)
            }
            Self::Missing { name, .. } => {
                Remedy::say("a registry's image of that name is").set(Setting::Image, format!("docker://nex:{name}"))
            }
            Self::Refused { cause: WayError::Io(_), .. } => return None,
            Self::Refused { path, cause } => {
                let named = "if the image is what it should be, name its file with";
                match cause.remedy() {
                    Some(way) => way.and(format!("; {named}")),
                    None => Remedy::say(named),
                }
                .set(Setting::Image, format!("oci-archive:{}", path.display()))
            }
        })
    }
}

/// The names of all installed images, in order. A directory that is not there, or cannot be read, has none.
fn available(directories: &[PathBuf]) -> Vec<InstalledName> {
    let mut names: Vec<InstalledName> = directories.iter().flat_map(|directory| names_in(directory)).collect();
    names.sort();
    names.dedup();
    names
}

fn names_in(directory: &Path) -> Vec<InstalledName> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(SUFFIX)?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_name_leads_out_of_no_directory() {
        for text in ["default", "alpine-3.20", "0", &"n".repeat(64)] {
            assert_eq!(text.parse::<InstalledName>().expect(text).to_string(), text);
        }
        for text in
            ["", ".", "..", "../x", "a/b", "-x", ".hidden", "Default", "a b", "a\n", "é", "a:b", &"n".repeat(65)]
        {
            assert!(text.parse::<InstalledName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_first_directory_counts_and_all_are_listed() {
        let place = tempfile::tempdir().expect("a directory");
        let directories: Vec<PathBuf> = ["missing", "one", "two"].map(|name| place.path().join(name)).into();
        for file in ["one/b.oci.tar", "two/b.oci.tar", "two/a.oci.tar", "two/Other.oci.tar", "two/note.txt"] {
            let path = place.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, "").expect("a file");
        }
        let directories = usual(directories);
        let find = |name: &str| name.parse::<InstalledName>().expect(name).find(&directories);
        assert_eq!(find("b").expect("b").path, place.path().join("one/b.oci.tar"));
        assert_eq!(find("a").expect("a").path, place.path().join("two/a.oci.tar"));
        let error = find("c").expect_err("c").to_string();
        assert!(error.contains("nex:c") && error.ends_with("installed images: a, b"), "{error}");
        let error = "c"
            .parse::<InstalledName>()
            .expect("c")
            .find(&ImageDirectories::default())
            .expect_err("nowhere")
            .to_string();
        assert!(error.ends_with("no image is installed"), "{error}");
    }

    fn usual(directories: Vec<PathBuf>) -> ImageDirectories {
        ImageDirectories::Usual { directories, trusted: None }
    }

    fn refusal(directories: &ImageDirectories) -> String {
        let error = InstalledName::of_nex().find(directories).expect_err("refused");
        assert!(matches!(error, InstalledError::Refused { .. }), "{error}");
        nex_fault::advised(&error, Setting::flag)
    }

    #[test]
    fn what_others_could_have_put_there_is_no_image_of_nex() {
        let place = tempfile::tempdir().expect("a directory");
        let images = place.path().join("share/images");
        let file = images.join("default.oci.tar");
        fs::create_dir_all(&images).expect("a directory");
        fs::write(&file, "").expect("a file");
        let (usual, named) = (usual(vec![images.clone()]), ImageDirectories::Named(images.clone()));
        let set_mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
        assert!(InstalledName::of_nex().find(&usual).is_ok());
        for (path, own, open) in [(&file, 0o644, 0o666), (&images, 0o755, 0o777)] {
            set_mode(path, open);
            let said = refusal(&usual);
            assert!(said.contains("can be written to by others") && said.contains("chmod go-w"), "{said}");
            assert!(said.ends_with(&format!("--image oci-archive:{}", file.display())), "{said}");
            // What the user names is taken.
            assert!(InstalledName::of_nex().find(&named).is_ok());
            set_mode(path, own);
        }
        if rustix::process::geteuid().is_root() {
            for (path, owner) in [(&file, 61_001), (&images, 61_001)] {
                std::os::unix::fs::chown(path, Some(owner), None).expect("an owner");
                let said = refusal(&usual);
                assert!(said.contains("belongs to user 61001"), "{said}");
                let of_nex = ImageDirectories::Usual { directories: vec![images.clone()], trusted: Some(owner) };
                assert!(InstalledName::of_nex().find(&of_nex).is_ok());
                std::os::unix::fs::chown(path, Some(0), None).expect("an owner");
            }
        } else {
            eprintln!("LEFT OUT: giving files to others is root's");
        }
    }

    #[test]
    fn what_is_there_and_cannot_be_read_is_not_missing() {
        let place = tempfile::tempdir().expect("a directory");
        let file = place.path().join("default.oci.tar");
        std::os::unix::fs::symlink("nowhere", &file).expect("a link");
        let said = refusal(&usual(vec![place.path().into()]));
        assert!(said.contains("the symbolic link") && said.contains("leads nowhere"), "{said}");
        assert!(refusal(&ImageDirectories::Named(place.path().into())).contains("not taken"));
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("a directory");
        assert!(refusal(&usual(vec![place.path().into()])).contains("it is a directory"));
    }
}
