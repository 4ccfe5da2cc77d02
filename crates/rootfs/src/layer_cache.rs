//! Layers in the cache, as they were placed.

mod copier;
mod placed_layer;
mod record;

pub use copier::Copier;
pub use placed_layer::{Chain, Expected, Facts, NewPlacedLayer, PlacedLayer};
pub use record::entries;
