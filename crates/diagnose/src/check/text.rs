//! Text files of the image, and what is said of them.

use nex_inspect::View;

/// Far above any text file that is looked at.
pub(super) const LONGEST: u64 = 1 << 20;

/// The first bytes of a file; none when there is no file.
pub(super) fn read(view: &dyn View, path: &[u8], limit: u64) -> Vec<u8> {
    view.read(path, limit).ok().flatten().unwrap_or_default()
}

/// The lines of a text file that say something; none where there is no file.
pub(super) fn lines(view: &dyn View, path: &[u8]) -> Vec<Vec<u8>> {
    let text = read(view, path, LONGEST);
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty() && !line.starts_with(b"#")).map(<[u8]>::to_vec).collect()
}

pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

/// A path or a text of the image as a message may show it.
pub(super) fn shown(bytes: &[u8]) -> String {
    nex_text::short_name(bytes)
}
