//! What the fuzz targets share: places for files, tars and images with right checksums, and an independent reader of the
//! results.

pub mod build;
pub mod damage;
pub mod foreign_image;
pub mod guest_image;
pub mod memory;
pub mod pieces;
pub mod place;
pub mod small_image;
pub mod tar_mutation;
pub mod walk;
