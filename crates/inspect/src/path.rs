//! Paths in root filesystems, as bytes.

/// The path from the root on without `.`, `..` and empty names, as it is where no directory in it is a symlink.
pub fn absolute(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => _ = names.pop(),
            name => names.push(name),
        }
    }
    [b"/".as_slice(), &names.join(&b'/')].concat()
}

/// The last part of a path.
pub fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// All but the last part of a path, without the slash.
pub fn parent(path: &[u8]) -> &[u8] {
    let end = path.len() - name(path).len();
    path[..end].strip_suffix(b"/").unwrap_or_default()
}
