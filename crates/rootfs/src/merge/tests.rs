//! Layers as lists of short words, and the tree that they must give.
//!
//! `d/` is a directory, `f` a file, `l>target` a symbolic link, `h=target` a hard link, `p|` a pipe; names that begin with
//! `.wh.` hide. What stands behind `:` is the mode.

use super::*;

fn entry(word: &str) -> Entry {
    let (word, mode) = match word.split_once(':') {
        Some((word, mode)) => (word, u16::from_str_radix(mode, 8).unwrap()),
        None => (word, 0o644),
    };
    let path = |text: &str| LayerPath::new(text.as_bytes()).unwrap();
    let node = |kind| {
        let metadata = Metadata { mode, uid: 0, gid: 0, time: Timestamp::default() };
        EntryKind::Node(Node { metadata, xattrs: Box::default(), kind })
    };
    let (parent, name) = word.rsplit_once('/').unwrap_or(("", word));
    if name == ".wh..wh..opq" {
        return Entry { path: path(parent), kind: EntryKind::Opaque };
    }
    if let Some(hidden) = name.strip_prefix(".wh.") {
        return Entry { path: path(&format!("{parent}/{hidden}")), kind: EntryKind::Whiteout };
    }
    let (name, kind) = if let Some((name, target)) = word.split_once('>') {
        (name, node(NodeKind::Symlink(target.as_bytes().into())))
    } else if let Some((name, target)) = word.split_once('=') {
        (name, EntryKind::HardLink(path(target)))
    } else if let Some(name) = word.strip_suffix('/') {
        (name, node(NodeKind::Directory))
    } else if let Some(name) = word.strip_suffix('|') {
        (name, node(NodeKind::Fifo))
    } else {
        (word, node(NodeKind::File(nex_ext4::Content::default())))
    };
    Entry { path: path(name), kind }
}

fn merge(layers: &[&[&str]]) -> Result<Merge, MergeError> {
    let mut merge = Merge::new(Timestamp::default());
    for layer in layers {
        merge.start_layer();
        for word in *layer {
            merge.apply(entry(word))?;
        }
    }
    Ok(merge)
}

fn list(tree: &Tree, directory: InodeId, prefix: &str, lines: &mut Vec<String>) {
    for (name, &id) in tree.directory(directory).unwrap() {
        let path = format!("{prefix}{}", String::from_utf8_lossy(name));
        match &tree.inode(id).kind {
            Kind::Directory(_) => {
                lines.push(format!("{path}/"));
                list(tree, id, &format!("{path}/"), lines);
            }
            Kind::Symlink(target) => lines.push(format!("{path}>{}", String::from_utf8_lossy(target))),
            Kind::Fifo => lines.push(format!("{path}|")),
            _ => lines.push(path),
        }
    }
}

fn tree(layers: &[&[&str]]) -> Vec<String> {
    let merge = merge(layers).unwrap();
    let mut lines = Vec::new();
    list(merge.tree(), Tree::ROOT, "", &mut lines);
    lines
}

fn mode(layers: &[&[&str]], path: &str) -> u16 {
    let merge = merge(layers).unwrap();
    let id = crate::resolve::resolve_parent(merge.tree(), path.as_bytes()).unwrap();
    merge.tree().inode(id).metadata.mode
}

fn same_inode(layers: &[&[&str]], a: &str, b: &str) -> bool {
    let merge = merge(layers).unwrap();
    let id = |path: &str| crate::resolve::resolve_parent(merge.tree(), path.as_bytes()).unwrap();
    id(a) == id(b)
}

#[test]
fn a_whiteout_hides_only_lower_names_wherever_it_stands() {
    assert_eq!(tree(&[&["f", "g"], &[".wh.f"]]), ["g"]);
    assert_eq!(tree(&[&["f:600"], &[".wh.f", "f"]]), ["f"]);
    assert_eq!(tree(&[&["f:600"], &["f", ".wh.f"]]), ["f"]);
    assert_eq!(mode(&[&["f:600"], &["f:640", ".wh.f"]], "f"), 0o640);
    assert_eq!(tree(&[&["d/", "d/x"], &[".wh.d", "d/y"]]), ["d/", "d/y"]);
    assert_eq!(tree(&[&["d/", "d/x"], &["d/y", ".wh.d"]]), ["d/", "d/y"]);
    assert_eq!(tree(&[&["d/", "d/x"], &["d/", ".wh.d"]]), ["d/"]);
    assert_eq!(tree(&[&["d/", "d/x", "d/y"], &["d/x=d/y", "d/.wh.x"]]), ["d/", "d/x", "d/y"]);
}

#[test]
fn whiteouts_of_nothing_change_nothing() {
    assert_eq!(tree(&[&["f"], &[".wh.g", "no/.wh.such", "f/.wh.x"]]), ["f"]);
    assert_eq!(tree(&[&["d/", "d/x"], &[".wh.d", "d/.wh.x"]]), Vec::<String>::new());
}

#[test]
fn an_opaque_directory_hides_lower_names_wherever_the_mark_stands() {
    let lower: &[&str] = &["a/", "a/y", "a/b/", "a/b/z", "k"];
    assert_eq!(tree(&[lower, &["a/x", "a/.wh..wh..opq"]]), ["a/", "a/x", "k"]);
    assert_eq!(tree(&[lower, &["a/.wh..wh..opq", "a/x"]]), ["a/", "a/x", "k"]);
    assert_eq!(tree(&[lower, &["a/b/", "a/b/new", "a/.wh..wh..opq"]]), ["a/", "a/b/", "a/b/new", "k"]);
    assert_eq!(tree(&[lower, &["a/b/new", "a/.wh..wh..opq"]]), ["a/", "a/b/", "a/b/new", "k"]);
    assert_eq!(tree(&[lower, &[".wh..wh..opq", "n"]]), ["n"]);
    assert_eq!(tree(&[lower, &["none/.wh..wh..opq"]]), ["a/", "a/b/", "a/b/z", "a/y", "k"]);
}

#[test]
fn an_opaque_mark_reaches_through_a_symbolic_link_of_a_lower_layer() {
    assert_eq!(tree(&[&["r/", "r/x", "l>r"], &["l/.wh..wh..opq", "l/y"]]), ["l>r", "r/", "r/y"]);
}

#[test]
fn the_last_entry_of_a_name_wins_for_every_pair_of_types() {
    for first in ["n/", "n", "n>t", "n|"] {
        for second in ["n/", "n", "n>t", "n|"] {
            assert_eq!(tree(&[&[first, second]]), [second], "{first} {second} in one layer");
            assert_eq!(tree(&[&[first], &[second]]), [second], "{first} {second} in two layers");
        }
    }
}

#[test]
fn a_file_over_a_directory_takes_its_subtree_away() {
    assert_eq!(tree(&[&["d/", "d/x", "d/e/", "d/e/y"], &["d"]]), ["d"]);
    assert_eq!(tree(&[&["d/", "d/x"], &["d", "d/"]]), ["d/"]);
}

#[test]
fn a_directory_over_a_directory_keeps_the_names_and_takes_the_mode() {
    assert_eq!(tree(&[&["d/:755", "d/x"], &["d/:700"]]), ["d/", "d/x"]);
    assert_eq!(mode(&[&["d/:755", "d/x"], &["d/:700"]], "d"), 0o700);
    assert_eq!(mode(&[&["./:711"]], ""), 0o711);
}

#[test]
fn parents_resolve_through_symbolic_links_inside_the_image() {
    assert_eq!(
        tree(&[&["usr/", "usr/lib/", "lib>usr/lib"], &["lib/x"]]),
        ["lib>usr/lib", "usr/", "usr/lib/", "usr/lib/x"]
    );
    assert_eq!(tree(&[&["a/", "a/up>../../../b", "b/"], &["a/up/x"]]), ["a/", "a/up>../../../b", "b/", "b/x"]);
    assert_eq!(tree(&[&["l>/r/s"], &["l/x"]]), ["l>/r/s", "r/", "r/s/", "r/s/x"]);
}

#[test]
fn a_symbolic_link_in_the_last_place_is_replaced_and_not_followed() {
    assert_eq!(tree(&[&["bin/", "bin/busybox", "bin/env>busybox"], &["bin/env"]]), ["bin/", "bin/busybox", "bin/env"]);
    assert_eq!(
        tree(&[&["run/", "run/x", "var/", "var/run>../run"], &["var/run/"]]),
        ["run/", "run/x", "var/", "var/run/"]
    );
    assert_eq!(tree(&[&["r/", "r/x", "l>r"], &[".wh.l"]]), ["r/", "r/x"]);
}

#[test]
fn what_a_link_goes_up_from_again_need_not_be_there() {
    assert_eq!(tree(&[&["l>none/../b", "l/x"]]), ["b/", "b/x", "l>none/../b"]);
    assert_eq!(tree(&[&["f", "l>f/../b", "l/x"]]), ["b/", "b/x", "f", "l>f/../b"]);
    assert_eq!(tree(&[&["l>no/../such/./../b/c", "l/x"]]), ["b/", "b/c/", "b/c/x", "l>no/../such/./../b/c"]);
    assert_eq!(tree(&[&["b/", "b/x", "l>none/../b"], &["l/.wh.x"]]), ["b/", "l>none/../b"]);
}

#[test]
fn a_symbolic_link_has_the_mode_that_the_kernel_gives_it() {
    assert_eq!(mode(&[&["l>t:600"]], "l"), 0o777);
}

#[test]
fn missing_parents_are_made() {
    assert_eq!(tree(&[&["a/b/c"]]), ["a/", "a/b/", "a/b/c"]);
    assert_eq!(mode(&[&["a/b/c"]], "a/b"), 0o755);
    assert_eq!(mode(&[&["a/b", "a/:700"]], "a"), 0o700);
}

#[test]
fn hard_links_reach_lower_layers_and_keep_the_file_alive() {
    assert!(same_inode(&[&["a"], &["b=a"]], "a", "b"));
    assert_eq!(tree(&[&["a"], &["b=a"], &[".wh.a"]]), ["b"]);
    assert_eq!(mode(&[&["a:600", "b=a"], &["a:644"]], "b"), 0o600);
    assert!(same_inode(&[&["l>x", "m=l"]], "l", "m"));
    assert!(same_inode(&[&["usr/", "usr/f", "lib>usr"], &["g=lib/f"]], "usr/f", "g"));
    assert_eq!(tree(&[&["d/", "d/f"], &["d=d/f"]]), ["d"]);
    assert_eq!(tree(&[&["a"], &["a=a", ".wh.a"]]), ["a"]);
}

#[test]
fn contradictions_are_errors() {
    assert!(matches!(merge(&[&["a=b", "b=a"]]), Err(MergeError::MissingLinkTarget(_))));
    assert!(matches!(merge(&[&["a=a"]]), Err(MergeError::MissingLinkTarget(_))));
    assert!(matches!(merge(&[&["d/", "a=d"]]), Err(MergeError::LinkToDirectory(_))));
    assert!(matches!(merge(&[&["f"], &["f/x"]]), Err(MergeError::NotADirectory(_))));
    assert!(matches!(merge(&[&["a>b", "b>a", "a/x"]]), Err(MergeError::Resolve(ResolveError::SymlinkLoop))));
    assert!(matches!(merge(&[&["f", "./"], &[".>x"]]), Err(MergeError::RootNotADirectory)));
}

#[test]
fn directories_cannot_be_nested_past_every_path() {
    let step = format!("{}x", "d/".repeat(1500));
    let deep = format!("{}s>/", "d/".repeat(1500));
    let layers: [&[&str]; 2] = [&[&step, &deep], &["s>d/d/d"]];
    assert!(merge(&layers).is_ok());
    let longer = format!("jump>{}", "d/".repeat(1500).trim_end_matches('/'));
    let over = format!("jump/{}x", "e/".repeat(1500));
    assert!(matches!(merge(&[&[&step, &longer, &over]]), Err(MergeError::Resolve(ResolveError::TooDeep))));
}

#[test]
fn a_link_to_a_name_that_no_file_system_holds_leads_nowhere() {
    let link = format!("l>{}", "n".repeat(256));
    assert!(matches!(merge(&[&[&link, "l/x"]]), Err(MergeError::Resolve(ResolveError::NameTooLong(256)))));
    assert_eq!(tree(&[&[&link, "l/.wh.x"]]), [link]);
}

#[test]
fn hiding_the_same_again_costs_nothing() {
    let files: Vec<String> = (0..20_000).map(|number| format!("d/{number}")).collect();
    let mut layer: Vec<&str> = vec!["d/"];
    layer.extend(files.iter().map(String::as_str));
    layer.extend(std::iter::repeat_n("d/.wh..wh..opq", 20_000));
    layer.extend(std::iter::repeat_n(".wh.d", 20_000));
    // Quadratic, this would be 800 million looks at names.
    assert_eq!(tree(&[&["d/", "d/lower"], &layer]).len(), 20_001);
}

#[test]
fn symbolic_links_cannot_make_a_path_endless() {
    let around = format!("n>{}", "a/../".repeat(800));
    let links: Vec<String> = (0..10).map(|number| format!("{number}>{}{}", "a/../".repeat(800), number + 1)).collect();
    let mut layer: Vec<&str> = vec!["a/", &around];
    layer.extend(links.iter().map(String::as_str));
    assert_eq!(tree(&[&layer, &["n/x"]]).len(), 13);
    layer.push("0/x");
    assert!(matches!(merge(&[&layer]), Err(MergeError::Resolve(ResolveError::TooLong))));
}
