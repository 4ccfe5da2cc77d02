//! Stacks of layers, random ones and hand-written ones, must mean to `nex` what they mean to umoci and to a plain model.

mod attributes;
mod compare;
mod controls;
mod generate;
mod model;
mod peers_bugs;
mod random;
mod refusals;
mod stack;
mod trial;
