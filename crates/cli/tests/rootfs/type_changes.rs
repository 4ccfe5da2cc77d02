//! Every type of file over every other.

use nex_testkit::Result;
use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;

use crate::layers::image_equals_umoci;

/// One entry of each type under this name; a directory has a file in it.
fn of_type(number: usize, path: &str, content: &str) -> Vec<Entry> {
    match number {
        0 => vec![Entry::file(path, content)],
        1 => vec![Entry::directory(path).mode(0o750), Entry::file(format!("{path}/{content}"), content)],
        2 => vec![Entry::symlink(path, content)],
        3 => vec![Entry::hard_link(path, "linked")],
        4 => vec![Entry::character_device(path, 4, 64)],
        5 => vec![Entry::block_device(path, 8, 1)],
        _ => vec![Entry::fifo(path)],
    }
}

#[test]
fn every_type_replaces_every_other() -> Result<()> {
    let pairs = || (0..7).flat_map(|below| (0..7).map(move |above| (below, above)));
    let base = || vec![Entry::directory("./"), Entry::file("linked", "the file that hard links name")];
    let lower = pairs().flat_map(|(below, above)| of_type(below, &format!("{below}-{above}"), "below"));
    let upper = pairs().flat_map(|(below, above)| of_type(above, &format!("{below}-{above}"), "above"));
    let image = Image::of(&[
        base().into_iter().chain(lower).collect(),
        [vec![Entry::directory("./")], upper.collect()].concat(),
    ])?;
    image_equals_umoci(&image)
}
