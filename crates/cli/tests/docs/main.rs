//! The pages that users read: their commands do what the pages show, their links lead somewhere, their words are plain, and
//! their pictures are what the scripts draw.
//!
//! A block of `console` is a session with a shell. Lines that begin with `$ ` are commands, `> ` continues one, and the others are
//! what the commands print; numbers, sizes, digests and times may differ. `...` stands for any number of lines, or for the
//! rest of a line. All blocks of a page run in turn in one directory. A comment in front of a block says more about it:
//!
//! - `<!-- not run: REASON -->`: nobody runs it here. The tests count such blocks and print them.
//! - `<!-- file: NAME -->`: the block is the content of this file.
//! - `<!-- from: PATH -->`: the block is the content of this file of the project.

mod blocks;
mod commands;
mod languages;
mod links;
mod pages;
mod pictures;
mod session;
mod shape;
mod words;
mod world;
