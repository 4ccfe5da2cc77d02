//! The pipeline, fed from memory.
