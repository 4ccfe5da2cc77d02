//! Where images come from: one file for each kind of place.

mod archive;
mod docker_archive;
mod form;
mod layout;
mod oci;
mod plain;
mod registry;
mod unpack;

use nex_file::to_read::ToRead;

use crate::error::Error;
use crate::image::{Image, Options};
use crate::installed::InstalledImage;
use crate::reference::{Reference, TarSource};

/// Finds an image: afterwards, all is known about it except its layers' content.
///
/// # Errors
/// When it is not where the reference says, or is no image.
pub fn open(reference: &Reference, options: &Options) -> Result<Image, Error> {
    let name = reference.to_string();
    match reference {
        Reference::Registry(reference) => registry::open(reference, options),
        Reference::OciLayout { directory, name: image } => {
            layout::open_directory(directory, image.as_ref(), &name, options)
        }
        Reference::OciArchive { file, name: image } => {
            layout::open_archive(&file.as_path().into(), image.as_ref(), &name, options)
        }
        Reference::DockerArchive { file, name: image } => docker_archive::open(file, image.as_ref(), &name, options),
        Reference::Tar(TarSource::File(file)) => plain::open_tar(file, name, options),
        Reference::Tar(TarSource::Stdin) => plain::open_stdin(name, options),
        Reference::Directory(directory) => plain::open_directory(directory, name, options),
        Reference::Installed(installed) => {
            let InstalledImage { path, file } = installed.find(&options.installed).map_err(Box::new)?;
            let mut image = layout::open_archive(&ToRead::found(path.clone(), file), None, &name, options)?;
            image.installed = Some(path);
            Ok(image)
        }
        Reference::Scratch => plain::scratch(name, options),
    }
}
