//! How the finished image becomes the output: one pass over its bytes copies, compresses and hashes them, and builds the
//! hash tree of dm-verity.

use std::io::{self, Write};
use std::path::Path;

use flate2::write::GzEncoder;
use nex_cancel::{Cancel, Workspace};

use super::chunks::{Piece, for_each_piece};
use super::destination::{Compression, Destination};
use super::error::{OutputError, Role};
use super::hashed::Hashed;
use super::target::Target;
use super::unfinished::{Unfinished, Which};
use crate::events::Events;
use crate::verity::{HashTree, Parameters, RootHash};

/// The level of zstd's own command line.
const ZSTD_LEVEL: i32 = 3;

/// The finished image, and what is wanted of it.
pub struct Publication<'a> {
    /// The image.
    pub image: Unfinished,
    /// Whether the output's SHA-256 is wanted.
    pub digest: bool,
    /// The hash tree, if one is wanted.
    pub verity: Option<Parameters>,
    /// Where the hash tree goes; without it, behind the file system in the image.
    pub hash_file: Option<HashFile<'a>>,
    /// Is told how far it is.
    pub events: &'a dyn Events,
    /// Whether it is still wanted.
    pub cancel: &'a Cancel,
    /// Where hidden names are noted.
    pub workspace: &'a Workspace,
}

/// A file for the hash tree alone.
pub struct HashFile<'a> {
    file: Unfinished,
    path: &'a Path,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The SHA-256 of the output's bytes (of the compressed ones, if it is compressed), in hex, if it was wanted.
    pub sha256: Option<String>,
    /// The output's length in bytes.
    pub bytes: u64,
    /// The root of the hash tree, if one was wanted.
    pub root_hash: Option<RootHash>,
}

impl<'a> HashFile<'a> {
    /// Makes the file. Whatever is wrong with its name shows here.
    ///
    /// # Errors
    /// When the name cannot be had, or is the output's.
    pub fn create(path: &'a Path, output: &Destination, workspace: &Workspace) -> Result<Self, OutputError> {
        let target = Target { path, role: Role::HashTree };
        let file = target.create(workspace)?;
        if output.target().is_some_and(|output| output.is_same(target)) {
            return Err(OutputError::SameFile(path.into()));
        }
        Ok(Self { file, path })
    }
}

/// The system's word, and for which of the two files.
enum Failure {
    Output(io::Error),
    HashFile(io::Error),
}

impl From<io::Error> for Failure {
    fn from(cause: io::Error) -> Self {
        Self::Output(cause)
    }
}

impl Publication<'_> {
    /// Turns the image into the output, and writes the hash file beside it.
    ///
    /// # Errors
    /// When the disk or the reader of standard output fails, or it is cancelled; the files are then as they were before.
    pub fn publish(self, destination: &Destination) -> Result<Published, OutputError> {
        let hash_path = self.hash_file.as_ref().map(|file| file.path);
        let published = match destination {
            Destination::Stdout => self.publish_to(&mut io::stdout().lock()),
            Destination::File { path, compression: Compression::None } => self.publish_plain(path),
            Destination::File { path, compression } => {
                let compressed = Target { path, role: Role::Image }.create(self.workspace)?;
                self.publish_compressed(compressed, path, *compression)
            }
        };
        published.map_err(|failure| match (failure, hash_path) {
            (Failure::HashFile(cause), Some(path)) => Target { path, role: Role::HashTree }.error(cause),
            (Failure::HashFile(cause) | Failure::Output(cause), _) => destination.error(cause),
        })
    }

    fn publish_to(self, output: &mut impl Write) -> Result<Published, Failure> {
        let published = self.copy(output)?;
        if let Some(HashFile { file, path }) = self.hash_file {
            file.publish(path).map_err(Failure::HashFile)?;
        }
        Ok(published)
    }

    /// The disk writes while the processor hashes.
    fn publish_plain(self, path: &Path) -> Result<Published, Failure> {
        let published = if self.digest || self.verity.is_some() {
            std::thread::scope(|scope| {
                let sync = scope.spawn(|| self.image.file().sync_all());
                let published = self.copy(&mut io::sink())?;
                sync.join().map_err(|_| io::Error::other("the thread that syncs the output failed"))??;
                Ok::<_, Failure>(published)
            })?
        } else {
            Published { sha256: None, bytes: self.image.file().metadata()?.len(), root_hash: None }
        };
        publish_files(self.image, path, self.hash_file)?;
        Ok(published)
    }

    fn publish_compressed(
        self,
        compressed: Unfinished,
        path: &Path,
        compression: Compression,
    ) -> Result<Published, Failure> {
        let mut output = Hashed::new(compressed.file(), self.digest);
        let root_hash = match compression {
            Compression::None => self.copy_bytes(&mut output)?,
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(&mut output, flate2::Compression::default());
                let root_hash = self.copy_bytes(&mut encoder)?;
                encoder.finish()?;
                root_hash
            }
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(&mut output, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                let root_hash = self.copy_bytes(&mut encoder)?;
                encoder.finish()?;
                root_hash
            }
        };
        let (sha256, bytes) = output.finish();
        publish_files(compressed, path, self.hash_file)?;
        Ok(Published { sha256, bytes, root_hash })
    }

    /// Copies the whole image, and hashes it on the way.
    fn copy(&self, output: &mut impl Write) -> Result<Published, Failure> {
        let mut output = Hashed::new(output, self.digest);
        let root_hash = self.copy_bytes(&mut output)?;
        output.flush()?;
        let (sha256, bytes) = output.finish();
        Ok(Published { sha256, bytes, root_hash })
    }

    /// Copies the whole image, holes as zeros, and what stands behind its file system: the hash tree, when it is there.
    fn copy_bytes(&self, output: &mut impl Write) -> Result<Option<RootHash>, Failure> {
        let image = self.image.file();
        let length = image.metadata()?.len();
        let covered = self.verity.as_ref().map_or(length, Parameters::data_bytes);
        let appended = self.verity.as_ref().filter(|_| self.hash_file.is_none());
        let total = appended.map_or(length, |parameters| covered + parameters.hash_bytes());
        if appended.is_some() {
            // A file may go on for less than a block group behind its file system.
            image.set_len(covered)?;
        }

        self.events.output_started(total);
        let mut done = 0;
        let mut copy = |piece: Piece| {
            self.cancel.check().map_err(io::Error::from)?;
            output.write_all(piece.bytes())?;
            done += piece.bytes().len() as u64;
            self.events.output_advanced(done);
            Ok(())
        };
        let root_hash = match &self.verity {
            Some(parameters) => Some(self.with_tree(parameters, covered, &mut copy)?),
            None => for_each_piece(image, 0..covered, &mut copy).map(|()| None)?,
        };
        for_each_piece(image, covered..total, &mut copy)?;
        self.events.output_finished();
        Ok(root_hash)
    }

    /// Copies what the hash tree covers, and builds the tree.
    fn with_tree(
        &self,
        parameters: &Parameters,
        covered: u64,
        copy: &mut impl FnMut(Piece) -> Result<(), Failure>,
    ) -> Result<RootHash, Failure> {
        let image = self.image.file();
        let (file, offset) = match &self.hash_file {
            Some(hash_file) => (hash_file.file.file(), 0),
            None => (image, covered),
        };
        let of_tree = |cause| if self.hash_file.is_some() { Failure::HashFile(cause) } else { Failure::Output(cause) };
        let mut tree = HashTree::new(parameters, file, offset);
        for_each_piece(image, 0..covered, |piece| {
            copy(piece)?;
            match piece {
                Piece::Data(bytes) => tree.data(bytes),
                Piece::Zeros(zeros) => tree.zeros(zeros),
            }
            .map_err(of_tree)
        })?;
        tree.finish().map_err(of_tree)
    }
}

fn publish_files(output: Unfinished, path: &Path, hash_file: Option<HashFile>) -> Result<(), Failure> {
    match hash_file {
        None => Ok(output.publish(path)?),
        // The output last: where it is, the hash file is too.
        Some(hash_file) => {
            Unfinished::publish_both([(hash_file.file, hash_file.path), (output, path)]).map_err(|(which, cause)| {
                match which {
                    Which::First => Failure::HashFile(cause),
                    Which::Second => Failure::Output(cause),
                }
            })
        }
    }
}
