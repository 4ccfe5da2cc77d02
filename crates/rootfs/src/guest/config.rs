//! What the image says about its workload, kept for the agent.

use nex_contract::{IMAGE_FILE, ImageConfig, Json};

use super::change::Layer;

/// Adds the file.
pub(crate) fn add(config: &ImageConfig, layer: &mut Layer) -> serde_json::Result<()> {
    layer.file(IMAGE_FILE.as_bytes(), 0o644, config.to_json()?);
    Ok(())
}
