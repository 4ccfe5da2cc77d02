//! The newest kernel that fits a guest: an installed one, else one of the distribution.

use std::path::{Path, PathBuf};

use nex_file::way::Missing;

use super::origin::Origin;
use super::{NoneFits, StoreError, files, reach};
use crate::architecture::Architecture;
use crate::inspection::{InspectOptions, Inspection, Launcher, Verdict};

/// Where distributions install kernels.
pub const BOOT: &str = "/boot";
/// What their files' names begin with.
const DISTRIBUTIONS: [&str; 3] = ["vmlinuz-", "vmlinux-", "Image-"];

/// What a kernel has to be.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The guest's processor.
    pub architecture: Architecture,
    /// Who starts it; `None`: anybody does.
    pub vmm: Option<Launcher>,
    /// Bytes that a kernel may have, and that it may unpack to.
    pub most: u64,
}

/// A kernel that fits.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its file.
    pub path: PathBuf,
    /// What it is.
    pub kernel: Inspection,
    /// Where it was found.
    pub origin: Origin,
    /// Why those that are installed were not looked at, in words.
    pub left_out: Option<String>,
}

/// The newest installed kernel that fits.
///
/// # Errors
/// When there is none, the directory cannot be read, or others can write to it.
pub fn newest_installed(directory: &Path, wanted: &Wanted) -> Result<Found, StoreError> {
    let mut passed_over = Vec::new();
    let installed = reach(directory, Missing::Left)?.map(|directory| files(&directory)).transpose()?;
    let found = first_fit(installed.unwrap_or_default(), wanted, Origin::Installed, &mut passed_over);
    found.ok_or_else(|| none(wanted, vec![directory.into()], &[Origin::Installed], passed_over))
}

/// The newest installed kernel that fits; where there is none, the newest one in the distribution's directory, which is [`BOOT`].
/// Installed ones that others could have put there, or that cannot be listed, are left out.
///
/// # Errors
/// When there is none, or the distribution's directory cannot be read.
pub fn newest(directory: Option<&Path>, boot: &Path, wanted: &Wanted) -> Result<Found, StoreError> {
    let mut passed_over = Vec::new();
    let mut left_out = None;
    if let Some(directory) = directory {
        match reach(directory, Missing::Left).and_then(|reached| reached.as_deref().map(files).transpose()) {
            Ok(installed) => {
                let installed = installed.unwrap_or_default();
                if let Some(found) = first_fit(installed, wanted, Origin::Installed, &mut passed_over) {
                    return Ok(found);
                }
            }
            Err(error) => {
                left_out = Some(nex_fault::whole(&error));
                passed_over.push((directory.into(), nex_fault::whole(&error)));
            }
        }
    }
    let is_kernel = |path: &PathBuf| DISTRIBUTIONS.iter().any(|start| super::file_name(path).starts_with(start));
    let distributions = files(boot)?.into_iter().filter(is_kernel).collect();
    let found = first_fit(distributions, wanted, Origin::Distribution, &mut passed_over);
    let places = directory.into_iter().chain([boot]).map(Path::to_owned).collect();
    found
        .map(|found| Found { left_out, ..found })
        .ok_or_else(|| none(wanted, places, &[Origin::Installed, Origin::Distribution], passed_over))
}

/// The first that surely fits; else the first of which that is not known.
fn first_fit(
    paths: Vec<PathBuf>,
    wanted: &Wanted,
    origin: Origin,
    passed_over: &mut Vec<(PathBuf, String)>,
) -> Option<Found> {
    let options = InspectOptions { most: wanted.most, config: None };
    let mut unknown = None;
    for path in paths {
        let kernel = match Inspection::of_file(&path, &options) {
            Ok(kernel) => kernel,
            Err(error) => {
                passed_over.push((path, nex_fault::whole(&error)));
                continue;
            }
        };
        if let Some(why) = obstacle(&kernel, wanted) {
            passed_over.push((path, why));
        } else if kernel.verdict == Verdict::Fit {
            return Some(Found { path, kernel, origin, left_out: None });
        } else if unknown.is_none() {
            unknown = Some(Found { path, kernel, origin, left_out: None });
        }
    }
    unknown
}

/// Why a kernel is not the one that is wanted.
fn obstacle(kernel: &Inspection, wanted: &Wanted) -> Option<String> {
    if kernel.architecture != wanted.architecture.oci_name() {
        return Some(format!("it is for {}", kernel.architecture));
    }
    if let Some(why) = kernel.unfit() {
        return Some(why);
    }
    match wanted.vmm {
        Some(vmm) => kernel.obstacle(vmm).map(str::to_owned),
        None => {
            let obstacles = [Launcher::Qemu, Launcher::Firecracker].map(|vmm| kernel.obstacle(vmm).map(str::to_owned));
            let [Some(one), Some(other)] = obstacles else { return None };
            Some(format!("{one}, and {other}"))
        }
    }
}

fn none(
    wanted: &Wanted,
    places: Vec<PathBuf>,
    origins: &'static [Origin],
    passed_over: Vec<(PathBuf, String)>,
) -> StoreError {
    let (architecture, vmm) = (wanted.architecture, wanted.vmm);
    StoreError::None(Box::new(NoneFits { architecture, vmm, places, origins, passed_over }))
}
