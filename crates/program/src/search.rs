//! Where the loader of an image looks for libraries.
//!
//! GNU's: `DT_RPATH` or `DT_RUNPATH`, then what `ldconfig` has listed from `/etc/ld.so.conf`, then the system's
//! directories; see ld.so(8). musl's: the same two tags, then `/etc/ld-musl-ARCH.path`, or three directories without one.

use crate::processor::Processor;
use nex_inspect::View;

/// Far above any configuration file of a loader.
const LONGEST: u64 = 64 << 10;

/// As many files as one pattern of `/etc/ld.so.conf` may name.
const MOST_FILES: usize = 256;

/// As many directories as the configuration of a loader may name. Loaders know no limit; distributions name about ten.
const MOST_DIRECTORIES: usize = 4096;

/// The longest path that the kernel opens (`PATH_MAX` without the NUL). A directory of a longer one holds nothing that could
/// be loaded.
const LONGEST_PATH: usize = 4095;

/// The directories that need no configuration, for both loaders and both layouts of `/usr`.
pub fn system_directories(processor: Processor) -> Vec<Vec<u8>> {
    let multiarch = processor.multiarch().map(|triplet| [format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")]);
    let plain = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(String::from);
    multiarch.into_iter().flatten().chain(plain).map(String::into_bytes).collect()
}

/// The directories of an image's loader, in its order.
pub fn configured_directories(view: &dyn View, processor: Processor, loader: &[u8], musl: bool) -> Vec<Vec<u8>> {
    if !musl {
        let mut directories = ld_so_conf(view);
        directories.extend(system_directories(processor));
        return directories;
    }
    match read(view, &musl_path_file(loader)) {
        Some(text) => split(&text, b":\n").take(MOST_DIRECTORIES).map(<[u8]>::to_vec).collect(),
        None => ["/lib", "/usr/local/lib", "/usr/lib"].map(|path| path.as_bytes().to_vec()).into(),
    }
}

/// `/lib/ld-musl-x86_64.so.1` reads `/etc/ld-musl-x86_64.path`.
fn musl_path_file(loader: &[u8]) -> Vec<u8> {
    let name = nex_inspect::name(loader);
    let stem = name.strip_suffix(b".so.1").unwrap_or(name);
    [b"/etc/", stem, b".path"].concat()
}

/// The directories of `/etc/ld.so.conf` and of the files that it includes.
fn ld_so_conf(view: &dyn View) -> Vec<Vec<u8>> {
    let mut directories = Vec::new();
    for line in lines(view, b"/etc/ld.so.conf") {
        if directories.len() >= MOST_DIRECTORIES {
            break;
        }
        match line.strip_prefix(b"include") {
            Some(pattern) => {
                let files = expand(view, pattern.trim_ascii());
                let named = files.iter().flat_map(|file| lines(view, file)).filter(|line| is_directory(line));
                directories.extend(named.take(MOST_DIRECTORIES - directories.len()));
            }
            None if is_directory(&line) => directories.push(line),
            None => {}
        }
    }
    directories
}

/// The files that a pattern with one `*` in its last part names, sorted.
fn expand(view: &dyn View, pattern: &[u8]) -> Vec<Vec<u8>> {
    let pattern = if pattern.starts_with(b"/") { pattern.to_vec() } else { [b"/etc/", pattern].concat() };
    let name = nex_inspect::name(&pattern);
    let Some(star) = name.iter().position(|&byte| byte == b'*') else { return vec![pattern] };
    let (before, after) = (&name[..star], &name[star + 1..]);
    let directory = nex_inspect::parent(&pattern);
    let is_meant =
        |name: &[u8]| name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after);
    let mut names = view.list_matching(directory, &is_meant).unwrap_or_default();
    names.sort();
    names.truncate(MOST_FILES);
    names.iter().map(|name| [directory, b"/", name.as_slice()].concat()).collect()
}

/// The lines of a file without comments and empty ones.
fn lines(view: &dyn View, path: &[u8]) -> Vec<Vec<u8>> {
    let text = read(view, path).unwrap_or_default();
    let without_comment =
        |line: &[u8]| line.split(|&byte| byte == b'#').next().unwrap_or_default().trim_ascii().to_vec();
    text.split(|&byte| byte == b'\n').map(without_comment).filter(|line| !line.is_empty()).collect()
}

/// A file that a loader reads; for both loaders one that cannot be read is one that is not there.
fn read(view: &dyn View, path: &[u8]) -> Option<Vec<u8>> {
    view.read(path, LONGEST).ok().flatten()
}

/// The directories of a search path tag, `$ORIGIN` being the directory of the file that has it.
pub fn expand_tag<'a>(path: &'a [u8], origin: &'a [u8]) -> impl Iterator<Item = Vec<u8>> + 'a {
    split(path, b":").map(|part| replace_origin(part, origin)).filter(|part| is_directory(part))
}

fn replace_origin(part: &[u8], origin: &[u8]) -> Vec<u8> {
    let rest = part.strip_prefix(b"$ORIGIN").or_else(|| part.strip_prefix(b"${ORIGIN}"));
    rest.map_or_else(|| part.to_vec(), |rest| [origin, rest].concat())
}

fn is_directory(part: &[u8]) -> bool {
    part.starts_with(b"/") && part.len() <= LONGEST_PATH
}

fn split<'a>(text: &'a [u8], separators: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let parts = text.split(|byte| separators.contains(byte)).map(<[u8]>::trim_ascii);
    parts.filter(|part| !part.is_empty())
}
