//! Finds container images and yields their layers as verified tar streams.
