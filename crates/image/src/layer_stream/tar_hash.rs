//! The third stage: hashes the tar on its way, and checks the diff_id.

use nex_registry::digest::{Algorithm, Digest, Hasher};

use super::decompress::TarFacts;
use super::job::LayerSummary;
use crate::error::{LayerError, Mismatch};
use crate::pipe::{PipeReader, spawn_stage};

/// Buffers that wait for the caller; the pool of the stage before bounds them anyway.
const DEPTH: usize = 8;

/// Starts the stage.
pub(super) fn start(
    mut tar: PipeReader<TarFacts>,
    expected: Option<Digest>,
) -> Result<PipeReader<LayerSummary>, LayerError> {
    spawn_stage("hash", DEPTH, move |pipe| {
        let mut hasher = Hasher::new(expected.map_or(Algorithm::Sha256, |digest| digest.algorithm()));
        while let Some(buffer) = tar.next_piece()? {
            hasher.update(buffer.filled());
            pipe.send(buffer)?;
        }
        let facts = tar.end().ok_or(LayerError::StageDied { stage: "decompress" })?;
        let diff_id = check(hasher.finish(), expected)?;
        Ok(LayerSummary {
            digest: facts.blob.digest,
            diff_id,
            compressed: facts.blob.bytes,
            uncompressed: facts.bytes,
            compression: facts.compression,
        })
    })
}

fn check(got: Digest, expected: Option<Digest>) -> Result<Digest, LayerError> {
    match expected {
        Some(expected) if expected != got => Err(LayerError::DiffId(Box::new(Mismatch { expected, got }))),
        _ => Ok(got),
    }
}
