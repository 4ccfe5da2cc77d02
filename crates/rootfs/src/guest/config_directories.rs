//! The directories that an image's program expects and no layer brings: its working directory (`WORKDIR`) and its volumes (`VOLUME`).
//!
//! Runtimes make them when they start a container: owned by root, 0755, whoever the program runs as. What builds images without a
//! container does not.

use nex_inspect::{Kind, View, absolute, end_of_links};

use super::change::Layer;
use super::lossy;

/// The longest name, and the longest path, that the kernel takes, in bytes.
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4095;

/// Makes those that are missing. What cannot be made is noted: the image is as good without it as it was.
pub(crate) fn add<'a>(view: &dyn View, paths: impl Iterator<Item = &'a String>, layer: &mut Layer) {
    for text in paths {
        let path = end_of_links(view, &absolute(text.as_bytes()));
        if view.stat(&path).is_some_and(|stat| stat.kind == Kind::Directory) {
            continue;
        }
        match hindrance(view, &path) {
            None => layer.directory(&path, 0o755, (0, 0)),
            Some(why) => layer.note(format!(
                "the image names the directory '{}', which cannot be made: {why}",
                lossy(text.as_bytes())
            )),
        }
    }
}

/// What keeps a directory from being made.
fn hindrance(view: &dyn View, path: &[u8]) -> Option<&'static str> {
    if path.len() > PATH_MAX || path.split(|&byte| byte == b'/').any(|name| name.len() > NAME_MAX) {
        return Some("its name is too long");
    }
    let ends = path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
    let is_other = |end: usize| view.stat(&path[..end]).is_some_and(|stat| stat.kind != Kind::Directory);
    let dangles = |end: usize| view.stat(&path[..end]).is_none() && view.lstat(&path[..end]).is_some();
    let mut ends = ends.chain([path.len()]);
    ends.any(|end| is_other(end) || dangles(end)).then_some("something else stands there, or on the way")
}

#[cfg(test)]
mod tests {
    use nex_fault::Note;

    use super::*;
    use crate::guest::memory::Image;

    fn made(image: Image, paths: &[&str]) -> (Image, Vec<Note>) {
        let mut layer = Layer::default();
        let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
        add(&image, paths.iter(), &mut layer);
        (image.apply(&layer.changes), layer.notes)
    }

    #[test]
    fn missing_directories_are_made_as_runtimes_make_them() {
        let image =
            Image::default().directory("/srv").link("/data", "srv/data").link("/var/run", "/run").directory("/run");
        let (image, notes) = made(image, &["/app", "srv/deep/er", "/data", "/var/run/app", "/a/./b/../c", ""]);
        assert_eq!(notes, Vec::new());
        for path in ["/app", "/srv/deep/er", "/srv/data", "/run/app", "/a/c"] {
            let stat = image.stat(path.as_bytes()).unwrap_or_else(|| panic!("no {path}"));
            assert_eq!((stat.kind, stat.mode, stat.uid, stat.gid), (Kind::Directory, 0o755, 0, 0), "{path}");
        }
        assert!(image.stat(b"/a/b").is_none());
        assert_eq!(image.read_link(b"/data").as_deref(), Some(&b"srv/data"[..]));
    }

    #[test]
    fn what_is_there_stays_and_what_cannot_be_made_is_noted() {
        let image =
            Image::default().directory("/mine").owned("/mine", 7, 7).file("/file", 0o644, "").link("/loop", "/loop");
        let (image, notes) = made(image, &["/mine", "/file", "/file/below", "/loop/x", &"n".repeat(256)]);
        assert_eq!(image.stat(b"/mine").map(|stat| stat.uid), Some(7));
        assert_eq!(image.stat(b"/file").map(|stat| stat.kind), Some(Kind::File));
        assert_eq!(notes.len(), 4, "{notes:?}");
    }
}
