//! The first stage: reads the blob and checks its size and digest.

use std::sync::Arc;

use nex_registry::digest::{Algorithm, Digest, Hasher};

use super::job::Job;
use crate::blob::Blob;
use crate::error::{LayerError, Mismatch};
use crate::pipe::{PipeReader, Pool, Stop, spawn_stage};

const BUFFER_BYTES: usize = 256 << 10;
const BUFFERS: usize = 6;

/// What is known when the whole blob has been read.
#[derive(Clone, Copy)]
pub(super) struct BlobFacts {
    pub digest: Digest,
    pub bytes: u64,
}

/// Starts the stage. A blob that is not what was promised ends with an error, after its data.
pub(super) fn start(mut blob: Box<dyn Blob>, job: &Job) -> Result<PipeReader<BlobFacts>, LayerError> {
    let (index, progress) = (job.index, Arc::clone(&job.progress));
    let (size, digest) = (job.layer.size, job.layer.digest);
    spawn_stage("read", BUFFERS, move |pipe| {
        let pool = Pool::new(BUFFERS, BUFFER_BYTES);
        let mut hasher = Hasher::new(digest.map_or(Algorithm::Sha256, |digest| digest.algorithm()));
        let mut bytes = 0;
        loop {
            let mut buffer = pool.take();
            let read = buffer.fill(&mut blob).map_err(LayerError::from_io)?;
            if read == 0 {
                let facts = check(BlobFacts { digest: hasher.finish(), bytes }, size, digest)?;
                blob.verified();
                return Ok(facts);
            }
            bytes += read as u64;
            if let Some(expected) = size.filter(|&size| bytes > size) {
                return Err(Stop::Failed(LayerError::TooLong { expected }));
            }
            hasher.update(buffer.filled());
            pipe.send(buffer)?;
            progress.advanced(index, bytes);
        }
    })
}

/// The size first: a download that broke off should not be called tampered with.
fn check(facts: BlobFacts, size: Option<u64>, digest: Option<Digest>) -> Result<BlobFacts, LayerError> {
    if let Some(expected) = size.filter(|&size| size != facts.bytes) {
        return Err(LayerError::CutShort { expected, got: facts.bytes });
    }
    match digest.filter(|&digest| digest != facts.digest) {
        Some(expected) => Err(LayerError::Digest(Box::new(Mismatch { expected, got: facts.digest }))),
        None => Ok(facts),
    }
}
