//! What the user named as the output, and how the finished image gets there.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::chunks::for_each_chunk;
use super::unfinished::Unfinished;
use crate::events::Events;

/// The level of zstd's own command line.
const ZSTD_LEVEL: i32 = 3;

/// Where the image goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output, not compressed.
    Stdout,
    /// A file.
    File {
        /// Its name.
        path: PathBuf,
        /// By the end of its name.
        compression: Compression,
    },
}

/// How the output is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: the image as it is, with holes.
    None,
    /// gzip, for names that end in `.gz`.
    Gzip,
    /// zstd, for names that end in `.zst`.
    Zstd,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The SHA-256 of the output's bytes (of the compressed ones, if it is compressed), in hex, if it was wanted.
    pub sha256: Option<String>,
    /// The output's length in bytes.
    pub bytes: u64,
}

/// Why the output cannot be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The directory is not there.
    #[error("the directory '{}' of the output does not exist; create it first, or choose another with --output", .0.display())]
    NoDirectory(PathBuf),
    /// The output is a directory.
    #[error("the output '{}' is a directory; name a file in it, such as '{}'", .0.display(), .0.join("rootfs.ext4").display())]
    IsDirectory(PathBuf),
    /// The output is a device, a pipe or a socket.
    #[error("the output '{}' is not a regular file, and nothing is written over it; use '--output -' and redirect", .0.display())]
    NotAFile(PathBuf),
    /// Standard output is a terminal.
    #[error(
        "standard output is a terminal, and an image is not readable there; redirect it, or name a file with --output"
    )]
    Terminal,
    /// The disk is full.
    #[error("no space is left in '{}'; free some, or choose another place with --output", .0.display())]
    NoSpace(PathBuf),
    /// Anything else.
    #[error("cannot write in '{}': {cause}", .place.display())]
    Io {
        /// The directory, or standard output.
        place: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
}

impl Destination {
    /// Reads the value of `--output`: `-` is standard output, and the end of a name chooses the compression.
    pub fn new(output: &OsStr) -> Self {
        if output == "-" {
            return Self::Stdout;
        }
        let path = PathBuf::from(output);
        let compression = match path.extension().and_then(OsStr::to_str) {
            Some("gz") => Compression::Gzip,
            Some("zst" | "zstd") => Compression::Zstd,
            _ => Compression::None,
        };
        Self::File { path, compression }
    }

    /// Makes the file in which the image grows, where it can become the output. Whatever is wrong with the output shows
    /// here, before any work is done.
    ///
    /// # Errors
    /// When the output cannot be what the user named.
    pub fn create(&self) -> Result<Unfinished, OutputError> {
        if let Self::File { path, .. } = self {
            check_target(path)?;
        } else if io::stdout().is_terminal() {
            return Err(OutputError::Terminal);
        }
        let directory = self.directory();
        match Unfinished::create(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OutputError::NoDirectory(directory)),
            result => result.map_err(|cause| self.error(cause)),
        }
    }

    /// Turns the finished image into the output. Without `digest` its bytes are not hashed.
    ///
    /// # Errors
    /// When the disk or the reader of standard output fails; a file output is then as it was before.
    pub fn publish(&self, image: Unfinished, digest: bool, events: &dyn Events) -> Result<Published, OutputError> {
        match self {
            Self::Stdout => copy(image.file(), &mut io::stdout().lock(), digest, events),
            Self::File { path, compression: Compression::None } => publish_plain(image, path, digest, events),
            Self::File { path, compression } => {
                let compressed = Unfinished::create(&self.directory());
                compressed.and_then(|file| publish_compressed(&image, file, path, *compression, digest, events))
            }
        }
        .map_err(|cause| self.error(cause))
    }

    /// An error of the system, in the user's terms.
    pub fn error(&self, cause: io::Error) -> OutputError {
        match (self, cause.kind()) {
            (Self::Stdout, _) => OutputError::Io { place: "standard output".into(), cause },
            (_, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => OutputError::NoSpace(self.directory()),
            _ => OutputError::Io { place: self.directory(), cause },
        }
    }

    /// The directory in which the image grows.
    fn directory(&self) -> PathBuf {
        match self {
            Self::Stdout => std::env::temp_dir(),
            Self::File { path, .. } => match path.parent() {
                Some(parent) if parent != Path::new("") => parent.into(),
                _ => ".".into(),
            },
        }
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdout => f.write_str("-"),
            Self::File { path, .. } => path.display().fmt(f),
        }
    }
}

/// Only a regular file or a symbolic link may be replaced.
fn check_target(path: &Path) -> Result<(), OutputError> {
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(OutputError::IsDirectory(path.into()));
    }
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok(());
    };
    // A link to a device, such as /dev/stdout, stands for the device.
    let kind = path.metadata().map_or(metadata.file_type(), |target| target.file_type());
    if kind.is_dir() {
        Err(OutputError::IsDirectory(path.into()))
    } else if kind.is_block_device() || kind.is_char_device() || kind.is_fifo() || kind.is_socket() {
        Err(OutputError::NotAFile(path.into()))
    } else {
        Ok(())
    }
}

/// The disk writes while the processor hashes.
fn publish_plain(image: Unfinished, path: &Path, digest: bool, events: &dyn Events) -> io::Result<Published> {
    if !digest {
        let bytes = image.file().metadata()?.len();
        image.publish(path)?;
        return Ok(Published { sha256: None, bytes });
    }
    let published = std::thread::scope(|scope| {
        let sync = scope.spawn(|| image.file().sync_all());
        let published = copy(image.file(), &mut io::sink(), digest, events)?;
        sync.join().map_err(|_| io::Error::other("the thread that syncs the output failed"))??;
        io::Result::Ok(published)
    })?;
    image.publish(path)?;
    Ok(published)
}

fn publish_compressed(
    image: &Unfinished,
    compressed: Unfinished,
    path: &Path,
    compression: Compression,
    digest: bool,
    events: &dyn Events,
) -> io::Result<Published> {
    let mut output = Hashed::new(compressed.file(), digest);
    match compression {
        Compression::None => copy_bytes(image.file(), &mut output, events)?,
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(&mut output, flate2::Compression::default());
            copy_bytes(image.file(), &mut encoder, events)?;
            encoder.finish()?;
        }
        Compression::Zstd => {
            let mut encoder = zstd::Encoder::new(&mut output, ZSTD_LEVEL)?;
            encoder.include_checksum(true)?;
            copy_bytes(image.file(), &mut encoder, events)?;
            encoder.finish()?;
        }
    }
    let published = output.finish();
    compressed.publish(path)?;
    Ok(published)
}

/// Copies the whole image, holes as zeros, and hashes it on the way.
fn copy(image: &File, output: &mut impl Write, digest: bool, events: &dyn Events) -> io::Result<Published> {
    let mut output = Hashed::new(output, digest);
    copy_bytes(image, &mut output, events)?;
    output.inner.flush()?;
    Ok(output.finish())
}

fn copy_bytes(image: &File, output: &mut impl Write, events: &dyn Events) -> io::Result<()> {
    events.output_started(image.metadata()?.len());
    let mut done = 0;
    for_each_chunk(image, |chunk| {
        output.write_all(chunk)?;
        done += chunk.len() as u64;
        events.output_advanced(done);
        Ok(())
    })?;
    events.output_finished();
    Ok(())
}

/// Counts what is written, and hashes it if that is wanted.
struct Hashed<W> {
    inner: W,
    hasher: Option<Sha256>,
    bytes: u64,
}

impl<W: Write> Hashed<W> {
    fn new(inner: W, digest: bool) -> Self {
        Self { inner, hasher: digest.then(Sha256::new), bytes: 0 }
    }

    fn finish(self) -> Published {
        Published { sha256: self.hasher.map(|hasher| hex(&hasher.finalize())), bytes: self.bytes }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes[..written]);
        }
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The SHA-256 of everything that a reader gives, in hex, and its length.
///
/// # Errors
/// When the reader fails.
pub fn sha256(reader: &mut impl Read) -> io::Result<(String, u64)> {
    let mut hashed = Hashed::new(io::sink(), true);
    io::copy(reader, &mut hashed)?;
    let published = hashed.finish();
    Ok((published.sha256.unwrap_or_default(), published.bytes))
}

/// Bytes in lower case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
