//! An archive that is compressed as a whole, as Nix and many CI jobs make it: it is unpacked once, into a file without a name.
//!
//! An archive's members are read where they are, in another order than they stand in, and a compressed one has no places.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nex_file::kind;
use nex_file::private::unnamed_file;
use nex_text::{name, shell_word};

use super::form::Form;
use crate::compression::Compression;
use crate::decoder::Decoder;
use crate::error::{Error, LayerError};
use crate::image::Options;
use crate::layer_stream::budget::{Budget, failure};

/// Bytes that are unpacked at once.
const PIECE: usize = 256 << 10;

/// The archive's tar: the file itself, or what comes out of it.
pub(super) fn tar_of(file: File, path: &Path, form: &Form, options: &Options) -> Result<File, Error> {
    let mut start = vec![0; kind::START];
    let read = file.read_at(&mut start, 0).map_err(Error::io("read", path))?;
    start.truncate(read);
    match (Compression::of(&start), kind::of(&start)) {
        (Some(compression), _) if compression.packs_archives() => unpack(file, path, compression, options),
        (_, Some(kind)) if !kind.is_tar() => Err(match kind.unpack {
            Some(unpack) => {
                let problem = format!("is {}, which nex does not undo for archives", kind.what);
                let advice = format!("unpack it first: {unpack} {} >image.tar", shell_word(path));
                Error::unsupported(name(path.as_os_str().as_bytes()), problem, advice)
            }
            None => form.missing(path, format!("it is {}", kind.what)),
        }),
        _ => Ok(file),
    }
}

/// Unpacks all of it, within the limits on images.
fn unpack(file: File, path: &Path, compression: Compression, options: &Options) -> Result<File, Error> {
    let wrong = |problem: LayerError| {
        let place = name(path.as_os_str().as_bytes());
        match problem {
            LayerError::Ratio { limit } => Error::ArchiveRatio { place, limit },
            LayerError::TooManyBytes { limit } => Error::ArchiveBytes { place, limit },
            problem => Error::Unpack { place, problem },
        }
    };
    let place = options.aside.clone().unwrap_or_else(std::env::temp_dir);
    let mut tar = unnamed_file(&place).map_err(Error::io("make a file in", &place))?;
    let mut compressed = BufReader::with_capacity(PIECE, file);
    let mut decoder = Decoder::new(&mut compressed, compression).map_err(|error| wrong(LayerError::Read(error)))?;
    let (mut budget, limit) = (Budget::new(&options.limits), options.limits.uncompressed_bytes);
    let mut piece = vec![0; PIECE];
    loop {
        let read = decoder.read(&mut piece).map_err(|error| wrong(failure(error, compression)))?;
        if read == 0 {
            break;
        }
        budget.spend(read as u64, decoder.compressed_bytes()).map_err(wrong)?;
        if budget.spent() > limit {
            return Err(wrong(LayerError::TooManyBytes { limit }));
        }
        tar.write_all(&piece[..read]).map_err(Error::io("unpack the archive into a file in", &place))?;
    }
    drop(decoder);
    if !compressed.fill_buf().map_err(Error::io("read", path))?.is_empty() {
        return Err(wrong(LayerError::TrailingGarbage { compression }));
    }
    Ok(tar)
}
