//! Why kernels cannot be listed, added or found.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use nex_fault::{Code, Fault, Remedy, Setting};
use nex_file::way::WayError;

use crate::architecture::Architecture;
use crate::codes;
use crate::inspection::{InspectError, Launcher};
use crate::store::origin::Origin;

/// Why kernels cannot be listed, added or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The environment names no directory.
    #[error("there is no place for kernels: neither XDG_DATA_HOME nor HOME names a directory")]
    NoPlace,
    /// Others could put a kernel there, or lead the way elsewhere.
    #[error("cannot use the kernels in '{}'", .directory.display())]
    Way {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        source: WayError,
    },
    /// The directory cannot be read.
    #[error("cannot list the kernels in '{}'", .directory.display())]
    List {
        /// The directory.
        directory: PathBuf,
        /// The system's word for it.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write '{}'", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        source: io::Error,
    },
    /// It is no kernel that a guest can have.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The kernel lacks something that no guest starts without.
    #[error("no guest starts with the kernel '{}': {why}", .path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        why: String,
        /// Where its modules have to be, when it lacks nothing else.
        modules: Option<ModulesPlace>,
    },
    /// The kernel has no release that a file can be named by.
    #[error("the kernel '{}' does not tell its release in letters, digits and dots", .0.display())]
    NoRelease(PathBuf),
    /// Another kernel has the name.
    #[error("another kernel of this release and form is installed: '{}'", .0.display())]
    Exists(PathBuf),
    /// Nothing fits.
    #[error("there is no kernel for a guest{}", .0.words())]
    None(Box<NoneFits>),
}

/// Modules that an installed kernel does not find.
#[derive(Debug)]
pub struct ModulesPlace {
    /// Where they are now, if they are found beside the file that was to be installed.
    pub found: Option<PathBuf>,
    /// Where an installed kernel finds them.
    pub wanted: PathBuf,
}

impl ModulesPlace {
    fn remedy(&self) -> Remedy {
        let wanted = self.wanted.display();
        let first = match &self.found {
            Some(found) => {
                format!("copy its modules first, 'nex kernel add' does not: from '{}' to '{wanted}'", found.display())
            }
            None => format!("copy its modules to '{wanted}' first"),
        };
        Remedy::say(first)
            .also(Remedy::say("or leave the kernel beside its modules, and name it with").choose(Setting::Kernel))
    }
}

/// What was looked for, and where.
#[derive(Debug)]
pub struct NoneFits {
    /// The guest's processor.
    pub architecture: Architecture,
    /// Who has to start it; `None`: anybody.
    pub vmm: Option<Launcher>,
    /// The directories.
    pub places: Vec<PathBuf>,
    /// Whose kernels were looked at.
    pub origins: &'static [Origin],
    /// Kernels that are there and do not fit, each with the reason.
    pub passed_over: Vec<(PathBuf, String)>,
}

impl NoneFits {
    fn words(&self) -> String {
        /// So many kernels that do not fit say enough.
        const SHOWN: usize = 3;
        let vmm = self.vmm.map(|vmm| format!(" by {vmm}")).unwrap_or_default();
        let places: Vec<_> = self.places.iter().map(|place| format!("'{}'", place.display())).collect();
        let mut words = format!(" of {}{vmm} in {}", self.architecture, places.join(" or "));
        for (path, why) in self.passed_over.iter().take(SHOWN) {
            // Writing to a string does not fail.
            let _ = write!(words, "; '{}' does not fit: {why}", path.display());
        }
        words
    }
}

impl Fault for StoreError {
    fn code(&self) -> Code {
        match self {
            Self::NoPlace | Self::List { .. } | Self::Write { .. } => codes::STORE,
            Self::Way { source: source @ (WayError::Distrust { .. } | WayError::Through { .. }), .. } => source.code(),
            Self::Way { .. } => codes::STORE,
            Self::Inspect(error) => error.code(),
            Self::Unfit { .. } => codes::UNFIT,
            Self::NoRelease(_) => codes::NO_RELEASE,
            Self::Exists(_) => codes::EXISTS,
            Self::None(_) => codes::NONE_FITS,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Way { source, .. } => source.remedy(),
            Self::Inspect(error) => error.remedy(),
            Self::Unfit { modules: Some(modules), .. } => Some(modules.remedy()),
            Self::Unfit { modules: None, .. } => Some(Remedy::say(
                "'nex kernel check FILE' shows all that a guest needs; 'nex kernel build' makes a kernel that has it",
            )),
            Self::Exists(_) => Some(Remedy::say("replace it with").allow(Setting::Replace)),
            Self::NoRelease(_) => Some(Remedy::say("leave it where it is, and name it with").choose(Setting::Kernel)),
            Self::None(none) => {
                let package = format!("apt-get install linux-image-cloud-{}", none.architecture.oci_name());
                Some(if none.origins.contains(&Origin::Distribution) {
                    let words =
                        format!("build one with 'nex kernel build', install one with '{package}', or name a file with");
                    Remedy::say(words).choose(Setting::Kernel)
                } else {
                    // A kernel of the distribution is none of these before it is added to them.
                    Remedy::say(format!(
                        "build one with 'nex kernel build', or install a kernel's file with 'nex kernel add FILE', such as the one that \
                         '{package}' puts into /boot"
                    ))
                })
            }
            _ => None,
        }
    }
}
