//! Layers that are made to exhaust the machine: refused at a limit or carried, in bounded memory and time, and nothing of
//! them is left behind.
//!
//! The memory is bounded by the kernel: nex gets an address space of [`MEMORY`] and no more.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use nex_testkit::layer::{self, Entry};
use nex_testkit::layout::{self, Compression, Image};
use nex_testkit::nex::{self, failed, names, rootfs};
use nex_testkit::sparse::{header, pax, pax_record};
use nex_testkit::{Result, command, fsck};
use serde_json::{Value, json};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
/// The address space that a build gets, in bytes: threads and their stacks included.
const MEMORY: u64 = 1 << 30;
/// Far longer than any refusal takes on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A directory for inputs, and in it one for the output alone.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Result<Self> {
        let place = Self { directory: nex::directory()? };
        fs::create_dir(place.output().with_file_name(""))?;
        Ok(place)
    }

    fn input(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn output(&self) -> PathBuf {
        self.directory.path().join("out/rootfs.ext4")
    }

    /// `nex rootfs` within its bounds of memory and time.
    fn bounded(&self, image: &str, options: &[&str]) -> Result<Output> {
        let build = rootfs(image, &self.output())?;
        let mut limited = Command::new("prlimit");
        limited.arg(format!("--as={MEMORY}")).args(["--", "env", "-i"]);
        limited.arg(build.get_program()).args(build.get_args()).args(options);
        let begin = Instant::now();
        let result = command::output(&mut limited)?;
        assert!(begin.elapsed() < PATIENCE, "took {:?}", begin.elapsed());
        Ok(result)
    }

    /// The build fails with all of `words` in its message, and leaves nothing.
    fn refuses(&self, image: &str, options: &[&str], words: &[&str]) -> Result<()> {
        failed(&self.bounded(image, options)?, words)?;
        assert!(names(&self.directory.path().join("out"))?.is_empty(), "something is left behind");
        Ok(())
    }

    /// The build succeeds, and e2fsck takes its output.
    fn carries(&self, image: &str, options: &[&str]) -> Result<()> {
        let result = self.bounded(image, &[&["--size", "auto"], options].concat())?;
        assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
        fsck::check(&self.output())?;
        fs::remove_file(self.output())?;
        Ok(())
    }

    fn layout(&self, name: &str, image: &Image) -> Result<String> {
        let layout = self.input(name);
        image.write(&layout, "image")?;
        Ok(format!("oci:{}:image", layout.display()))
    }
}

/// A tar of one file of zeros, written without ever being whole in memory.
fn write_zeros(out: &mut impl Write, length: u64) -> Result<()> {
    let zeros = vec![0; MIB as usize];
    out.write_all(&pax(pax_record("size", &length.to_string()).into_bytes(), &header(b"zeros", b'0', 0)))?;
    for _ in 0..length / MIB {
        out.write_all(&zeros)?;
    }
    out.write_all(&zeros[..1024])?;
    Ok(())
}

/// 10 GiB of zeros in 10 MiB of gzip.
#[test]
#[ignore = "slow: compresses 10 GiB"]
fn ten_gibibytes_of_zeros_in_gzip_are_refused_at_the_ratio() -> Result<()> {
    let place = Place::new()?;
    let bomb = place.input("bomb.tar.gz");
    let mut gzip = GzEncoder::new(BufWriter::new(File::create(&bomb)?), flate2::Compression::default());
    write_zeros(&mut gzip, 10 << 30)?;
    gzip.finish()?.flush()?;
    let image = format!("tar:{}", bomb.display());
    place.refuses(&image, &[], &["layer 1", "200 times", "bombs"])
}

/// zstd makes 1 MiB of them 50 bytes: one that the ratio alone could let through is stopped by the total.
#[test]
fn zeros_in_zstd_are_refused_at_the_ratio_or_at_the_total() -> Result<()> {
    let place = Place::new()?;
    let bomb = place.input("bomb.tar.zst");
    let mut zstd = zstd::Encoder::new(File::create(&bomb)?, 1)?;
    write_zeros(&mut zstd, 2 << 30)?;
    zstd.finish()?;
    let image = format!("tar:{}", bomb.display());
    place.refuses(&image, &[], &["layer 1", "200 times", "bombs"])?;
    place.refuses(&image, &["--max-ratio", "1000000", "--max-unpacked", "512MiB"], &["layer 1", "536870912 bytes"])
}

/// The window is what a decompressor must keep in memory.
#[test]
fn a_zstd_window_of_two_gibibytes_is_refused() -> Result<()> {
    let place = Place::new()?;
    let bomb = place.input("window.tar.zst");
    let mut zstd = zstd::Encoder::new(File::create(&bomb)?, 1)?;
    zstd.window_log(31)?;
    zstd.long_distance_matching(true)?;
    // Without a size in front, the frame has to say how large a window it wants.
    zstd.include_contentsize(false)?;
    zstd.write_all(&layer::tar(&[Entry::file("f", "content")])?)?;
    zstd.finish()?;
    place.refuses(&format!("tar:{}", bomb.display()), &[], &["layer 1", "zstd"])
}

/// zstd inside zstd is no layer: only one compression is undone.
#[test]
fn nested_compression_is_refused_by_its_name() -> Result<()> {
    let place = Place::new()?;
    let tar = layer::tar(&[Entry::file("f", "content")])?;
    let inner = zstd::encode_all(&tar[..], 3)?;
    for (name, nested) in [("zstd", zstd::encode_all(&inner[..], 3)?), ("gzip", layout::gzip(&layout::gzip(&tar)?)?)] {
        let file = place.input(name);
        fs::write(&file, nested)?;
        let words = [format!("what {name} has compressed in tar:"), format!("is compressed with {name}")];
        place.refuses(&format!("tar:{}", file.display()), &[], &words.each_ref().map(String::as_str))?;
    }
    Ok(())
}

/// A million gzip members, each with nothing or one byte in it.
#[test]
fn a_million_gzip_members_are_carried() -> Result<()> {
    let place = Place::new()?;
    let tar = layer::tar(&[Entry::file("f", "content")])?;
    let empty = layout::gzip(b"")?;
    let mut blob = empty.repeat(1_000_000);
    for byte in &tar {
        blob.extend_from_slice(&layout::gzip(&[*byte])?);
    }
    let file = place.input("members.tar.gz");
    fs::write(&file, blob)?;
    place.carries(&format!("tar:{}", file.display()), &[])
}

/// A tar of so many empty files, in directories of a thousand each.
fn write_empty_files(tar: &Path, count: u32) -> Result<()> {
    let mut out = BufWriter::new(File::create(tar)?);
    for number in 0..count {
        out.write_all(&header(format!("{:03}/{number:06}", number / 1000).as_bytes(), b'0', 0))?;
    }
    out.write_all(&[0; 1024])?;
    Ok(out.flush()?)
}

#[test]
fn a_million_empty_files_are_refused_at_the_limit() -> Result<()> {
    let place = Place::new()?;
    let tar = place.input("files.tar");
    write_empty_files(&tar, 200_000)?;
    let image = format!("tar:{}", tar.display());
    place.refuses(&image, &["--max-entries", "100000"], &["layer 1", "entry 100001 '100/100000'", "--max-entries"])?;
    place.refuses(&image, &["--max-metadata", "1MiB"], &["layer 1", "1048576 bytes", "--max-metadata"])
}

#[test]
#[ignore = "slow: a million files"]
fn a_million_empty_files_are_carried() -> Result<()> {
    let place = Place::new()?;
    let tar = place.input("files.tar");
    write_empty_files(&tar, 1_000_000)?;
    place.carries(&format!("tar:{}", tar.display()), &[])
}

/// Chains of PAX headers: 64 KiB for each of many entries are carried, more than 1 MiB for one is not.
#[test]
fn pax_headers_have_a_limit_for_each_entry() -> Result<()> {
    let place = Place::new()?;
    let comment = |length: usize| pax_record("comment", &"x".repeat(length)).into_bytes();
    let chain = |records: Vec<u8>| Image { layers: vec![pax(records, &header(b"f", b'0', 0))], ..no_layers() };
    let many = (0..2_000).flat_map(|number| pax(comment(64 << 10), &header(format!("{number}").as_bytes(), b'0', 0)));
    let many = Image { layers: vec![many.collect()], ..no_layers() };
    place.carries(&place.layout("many", &many)?, &[])?;
    place.carries(&place.layout("small", &chain(comment(1_000_000)))?, &[])?;
    let large = place.layout("large", &chain(comment(1 << 20)))?;
    place.refuses(&large, &[], &["layer 1", "entry 1", "1048576", "--max-headers"])?;
    // Many small ones of one entry are one chain too, however they are named.
    let long_name =
        [&header(b"././@LongLink", b'L', 1 << 20)[..], &vec![b'n'; 1 << 20], &pax(comment(9), &header(b"f", b'0', 0))];
    let both = Image { layers: vec![long_name.concat()], ..no_layers() };
    place.refuses(&place.layout("both", &both)?, &[], &["layer 1", "entry 1", "--max-headers"])
}

/// A header that says gibibytes, with nothing behind it, must not make anybody take as much memory.
#[test]
fn promised_sizes_take_no_memory() -> Result<()> {
    let place = Place::new()?;
    for (name, kind, words) in [
        ("records", b'x', "--max-headers"),
        ("global", b'g', "cut short"),
        ("name", b'L', "--max-headers"),
        ("file", b'0', "cut short"),
    ] {
        let layer = header(b"f", kind, (1 << 33) - 1).to_vec();
        let image = place.layout(name, &Image { layers: vec![layer], ..no_layers() })?;
        place.refuses(&image, &["--size", "16GiB"], &["layer 1", "entry 1", words])?;
    }
    Ok(())
}

#[test]
fn paths_and_directories_have_an_end() -> Result<()> {
    let place = Place::new()?;
    let deepest = layer::tar(&[Entry::file("d/".repeat(2047) + "f", "x")])?;
    place.carries(&place.layout("deep", &Image { layers: vec![deepest], ..no_layers() })?, &[])?;
    let deeper = layer::tar(&[Entry::file("d/".repeat(2050), "x")])?;
    place.refuses(
        &place.layout("deeper", &Image { layers: vec![deeper], ..no_layers() })?,
        &[],
        &["entry 1", "4095"],
    )?;
    // A link leads deeper than any path could.
    let entries = [
        Entry::symlink("d/".repeat(1000) + "link", "e/".repeat(1000)),
        Entry::file("d/".repeat(1000) + "link/" + &"f/".repeat(60) + "f", "x"),
    ];
    let image = Image { layers: vec![layer::tar(&entries)?], ..no_layers() };
    place.refuses(&place.layout("links", &image)?, &[], &["layer 1", "entry 2", "more than 2048 directories deep"])
}

#[test]
fn layers_manifests_and_indexes_have_limits() -> Result<()> {
    let place = Place::new()?;
    let layers = (0..600).map(|number| layer::tar(&[Entry::file(number.to_string(), "x")])).collect::<Result<_>>()?;
    let many = Image { layers, ..no_layers() };
    let image = place.layout("many", &many)?;
    place.refuses(&image, &[], &["600 layers", "limit of 512"])?;
    place.carries(&image, &["--max-layers", "600"])?;

    let layout = place.input("large");
    let padding = "x".repeat(5 << 20);
    let manifest = json!({ "schemaVersion": 2, "annotations": { "padding": padding }, "layers": [] });
    let manifest = layout::write_blob(&layout, "", &serde_json::to_vec(&manifest)?)?;
    layout::write_index(&layout, vec![manifest], true)?;
    place.refuses(&format!("oci:{}", layout.display()), &[], &["limit of 4194304 bytes"])?;

    let nested = format!("oci:{}", nested_indexes(&place, 4)?.display());
    place.refuses(&nested, &[], &["is an index", "the third one inside another"])
}

/// A layout in which an index leads to an index, and so on.
fn nested_indexes(place: &Place, depth: usize) -> Result<PathBuf> {
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    let layout = place.input("nested");
    let mut inner: Value = no_layers().write_manifest(&layout, "image")?;
    for _ in 0..depth {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [inner] });
        inner = layout::write_blob(&layout, INDEX, &serde_json::to_vec(&index)?)?;
    }
    layout::write_index(&layout, vec![inner], true)?;
    Ok(layout)
}

/// An index cannot hold its own digest, but one that is there under another's digest is noticed.
#[test]
fn an_index_that_claims_to_be_inside_itself_is_refused() -> Result<()> {
    let place = Place::new()?;
    let layout = place.input("cycle");
    let promised = layout::digest(b"an index");
    let index = json!({ "schemaVersion": 2, "manifests": [{ "digest": promised, "size": 400 }] });
    let mut index = serde_json::to_vec(&index)?;
    index.resize(400, b' ');
    layout::write_blob(&layout, "", b"an index")?;
    fs::write(layout.join("blobs/sha256").join(promised.trim_start_matches("sha256:")), &index)?;
    fs::write(layout.join("index.json"), &index)?;
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    place.refuses(&format!("oci:{}", layout.display()), &[], &["not what its digest says"])
}

/// The members of an archive that lead to each other by links.
#[test]
fn links_in_an_archive_that_go_in_circles_are_refused() -> Result<()> {
    let place = Place::new()?;
    let members = [
        Entry::symlink("manifest.json", "a/../manifest.json"),
        Entry::symlink("oci-layout", "index.json"),
        Entry::hard_link("index.json", "oci-layout"),
    ];
    let file = place.input("circle.tar");
    fs::write(&file, layer::tar(&members)?)?;
    for form in ["docker-archive", "oci-archive"] {
        place.refuses(&format!("{form}:{}", file.display()), &[], &["circle.tar"])?;
    }
    Ok(())
}

/// JSON that is nested to make a parser's stack overflow, and numbers that fit nowhere.
#[test]
fn json_made_to_hurt_is_refused() -> Result<()> {
    let place = Place::new()?;
    let layout = place.input("json");
    fs::create_dir(&layout)?;
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let deep = "[".repeat(3 << 20);
    let ignored = format!(r#"{{"unknown":{deep}"#);
    let size = r#"{"manifests":[{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":1e999}]}"#;
    for json in [&deep, &ignored, size, "\u{feff}{}"] {
        fs::write(layout.join("index.json"), json)?;
        place.refuses(&format!("oci:{}", layout.display()), &[], &["index.json", "is not valid"])?;
    }
    Ok(())
}

/// An image without layers and with its layers plain.
fn no_layers() -> Image {
    Image {
        layers: Vec::new(),
        compression: Compression::None,
        media_type: true,
        architecture: "amd64",
        config: json!({}),
    }
}

/// The bound on memory is one: what needs more than [`MEMORY`] dies of it.
#[test]
fn the_bound_on_memory_is_kept() -> Result<()> {
    let mut limited = Command::new("prlimit");
    limited
        .args(["--as=16777216", "--", "env", "-i"])
        .arg(nex::program())
        .args(["rootfs", "--image", "scratch", "-o", "-"]);
    assert!(!command::output(&mut limited)?.status.success());
    Ok(())
}
