//! The second stage: finds out how the blob is compressed, and undoes it.

use nex_file::kind;

use super::budget::{Budget, failure};
use super::job::Job;
use super::read::BlobFacts;
use crate::compression::Compression;
use crate::decoder::Decoder;
use crate::error::LayerError;
use crate::no_root::{Instead, NoRoot};
use crate::pipe::{PipeReader, PipeWriter, Pool, Stop, spawn_stage};

const BUFFER_BYTES: usize = 512 << 10;
const BUFFERS: usize = 8;

/// What is known when all is decompressed.
#[derive(Clone, Copy)]
pub(super) struct TarFacts {
    pub blob: BlobFacts,
    pub bytes: u64,
    pub compression: Compression,
}

/// Starts the stage.
pub(super) fn start(mut blob: PipeReader<BlobFacts>, job: &Job) -> Result<PipeReader<TarFacts>, LayerError> {
    let mut budget = Budget::new(&job.limits);
    let is_promised = job.layer.digest.is_some();
    let root = job.root.clone();
    spawn_stage("decompress", BUFFERS, move |pipe| match unpack(&mut blob, &mut budget, root.as_deref(), pipe) {
        Ok(compression) => finish(&mut blob, budget.spent(), compression),
        Err(Stop::Failed(error)) if is_promised && error.is_of_content() => Err(blame(&mut blob, error)),
        Err(stop) => Err(stop),
    })
}

/// Decompresses all of the blob into the pipe. `root` is what messages call a tar that is a root filesystem itself: people who
/// name one may mean another kind of file, and never mean nothing.
fn unpack(
    blob: &mut PipeReader<BlobFacts>,
    budget: &mut Budget,
    root: Option<&str>,
    pipe: &PipeWriter<TarFacts>,
) -> Result<Compression, Stop> {
    let pool = Pool::new(BUFFERS, BUFFER_BYTES);
    let compression = match root {
        Some(name) => detect_root(blob.piece()?, name)?,
        None => detect(blob.piece()?)?,
    };
    let mut tar = Decoder::new(blob, compression).map_err(LayerError::Read)?;
    let mut unseen_root = root;
    loop {
        let mut buffer = pool.take();
        let read = buffer.fill(&mut tar).map_err(|error| failure(error, compression))?;
        if let Some(name) = unseen_root.take() {
            begins_with_an_entry(buffer.filled(), name, compression)?;
        }
        if read == 0 {
            return Ok(compression);
        }
        budget.spend(read as u64, tar.compressed_bytes())?;
        pipe.send(buffer)?;
    }
}

/// Why the content is bad: if the blob is not the promised one, that says more than where a decompressor stumbled.
fn blame(blob: &mut PipeReader<BlobFacts>, error: LayerError) -> Stop {
    loop {
        match blob.next_piece() {
            Ok(Some(_)) => {}
            Ok(None) => return Stop::Failed(error),
            Err(earlier) => return Stop::Failed(earlier),
        }
    }
}

/// All compressed data is read; what the first stage thinks of it is not yet known.
fn finish(blob: &mut PipeReader<BlobFacts>, bytes: u64, compression: Compression) -> Result<TarFacts, Stop> {
    if !blob.piece()?.is_empty() {
        return Err(Stop::Failed(LayerError::TrailingGarbage { compression }));
    }
    let facts = *blob.end().ok_or(LayerError::StageDied { stage: "read" })?;
    Ok(TarFacts { blob: facts, bytes, compression })
}

/// Says by a blob's first piece how it is compressed. An empty blob is an empty tar, as for GNU tar.
fn detect(start: &[u8]) -> Result<Compression, LayerError> {
    match Compression::of(start) {
        Some(compression) if compression.packs_archives() => Ok(compression),
        None if start.is_empty() || start.get(..nex_tar::RECORD).is_some_and(is_tar_block) => Ok(Compression::None),
        _ => Err(LayerError::NotALayer { found: kind::of(start).map_or("of an unknown form", |kind| kind.what) }),
    }
}

/// The same for a tar that is a root filesystem: any compression will do that this program can undo, and nothing will not.
fn detect_root(start: &[u8], name: &str) -> Result<Compression, LayerError> {
    if Compression::of(start) == Some(Compression::Xz) {
        return Ok(Compression::Xz);
    }
    detect(start).or_else(|_| {
        begins_with_an_entry(start, name, Compression::None)?;
        Ok(Compression::None)
    })
}

/// Makes sure that a root filesystem's tar begins with the header of an entry.
fn begins_with_an_entry(start: &[u8], name: &str, compression: Compression) -> Result<(), LayerError> {
    let block = start.get(..nex_tar::RECORD);
    if block.is_some_and(|block| block.iter().any(|&byte| byte != 0) && is_tar_block(block)) {
        return Ok(());
    }
    let found = match kind::of(start) {
        // Its first header is damaged: what reads it says so.
        Some(kind) if kind.is_tar() => return Ok(()),
        Some(kind) => Instead::Other(kind),
        None if start.is_empty() => Instead::Nothing,
        None if start.iter().all(|&byte| byte == 0) => Instead::Zeros,
        None => Instead::Unknown,
    };
    Err(LayerError::NoRoot(Box::new(NoRoot { name: name.to_owned(), found, compression })))
}

/// Whether a tar may begin so: with the two zero blocks of its end, or with a header whose checksum is right.
fn is_tar_block(block: &[u8]) -> bool {
    block.iter().all(|&byte| byte == 0) || nex_tar::is_header(block)
}

#[cfg(test)]
mod tests {
    use nex_fault::advised;

    use super::*;

    #[test]
    fn names_the_form_that_it_does_not_take() {
        for (start, name) in
            [(&b"BZh91AY"[..], "bzip2"), (b"\xfd7zXZ\0\0", "xz"), (b"{}", "JSON"), (b"hello", "unknown")]
        {
            let error = detect(start).expect_err("no layer").to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_tar_needs_a_right_checksum() {
        assert_eq!(detect(&[0; 1024]).expect("an empty tar"), Compression::None);
        assert!(detect(&[b'a'; 1024]).is_err());
        assert!(detect(&[0; 100]).is_err());
    }

    #[test]
    fn a_root_filesystem_is_no_other_file_and_not_nothing() {
        let mut ext4 = [0; 2048];
        ext4[1080..1082].copy_from_slice(&[0x53, 0xef]);
        for (start, said) in [
            (&b""[..], "tar:x is empty"),
            (&[0; 1024], "begins with zeros"),
            (&ext4, "tar:x is an ext4 file system, and no tar"),
            (b"BZh91AY", "bzip2 -dc FILE | nex rootfs --image tar:-"),
            (b"hello", "no tar"),
        ] {
            let error = detect_root(start, "tar:x").and_then(|kind| begins_with_an_entry(start, "tar:x", kind));
            let error = error.expect_err("no root filesystem");
            let shown = advised(&error, nex_fault::Setting::flag);
            assert!(shown.contains(said), "{shown}");
        }
        assert_eq!(detect_root(b"\xfd7zXZ\0\0", "tar:x").expect("xz"), Compression::Xz);
    }
}
