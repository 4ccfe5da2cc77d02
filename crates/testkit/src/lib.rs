//! Independent judges and test images for nex's own tests.
