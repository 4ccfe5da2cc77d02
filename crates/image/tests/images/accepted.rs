//! What other tools write and read, and the specification does not have: each is read as these tools read it. skopeo is the judge
//! where it reads the same.

use std::fs;

use nex_image::{Error, Image, Limits, Options, Reference, open};
use nex_registry::Digest;
use tempfile::TempDir;

use crate::{has, open_text, options, read_all, run, shown};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A layout that is written by hand, with one layer in all its images.
struct Layout {
    here: TempDir,
    layer: Vec<u8>,
}

impl Layout {
    fn new() -> Layout {
        let here = tempfile::tempdir().expect("a directory");
        run(here.path(), "mkdir -p blobs/sha256 root; echo x >root/f; tar -cf root.tar -C root f");
        fs::write(here.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
        let layer = fs::read(here.path().join("root.tar")).expect("a layer");
        Layout { here, layer }
    }

    fn diff_id(&self) -> Digest {
        Digest::sha256(&self.layer)
    }

    /// Writes a blob, and gives what a descriptor of it has inside.
    fn blob(&self, media_type: &str, bytes: &[u8]) -> String {
        let digest = Digest::sha256(bytes);
        fs::write(self.here.path().join("blobs/sha256").join(digest.hex()), bytes).expect("written");
        format!(r#""mediaType":"{media_type}","digest":"{digest}","size":{}"#, bytes.len())
    }

    fn config(&self, platform: &str) -> String {
        let (os, architecture) = platform.split_once('/').expect("a platform");
        let diff_id = self.diff_id();
        format!(r#"{{"os":"{os}","architecture":"{architecture}","rootfs":{{"diff_ids":["{diff_id}"]}}}}"#)
    }

    /// An image with this config: what a descriptor of its manifest has inside.
    fn image(&self, config_type: &str, config: &str) -> String {
        let config = self.blob(config_type, config.as_bytes());
        let layer = self.blob(LAYER, &self.layer);
        let manifest =
            format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{{config}}},"layers":[{{{layer}}}]}}"#);
        self.blob(MANIFEST, manifest.as_bytes())
    }

    fn index(&self, manifests: &[String]) {
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, manifests.join(","));
        fs::write(self.here.path().join("index.json"), index).expect("written");
    }

    fn open(&self) -> Result<Image, Error> {
        open_text(&format!("oci:{}", self.here.path().display()))
    }

    fn refusal(&self) -> String {
        shown(&self.open().expect_err("an image"))
    }

    /// Opens the image, and reads its layer.
    fn read(&self) -> Image {
        let image = self.open().expect("an image");
        assert_eq!(read_all(&image).expect("good layers"), [self.diff_id()]);
        image
    }
}

#[test]
fn the_content_of_a_config_decides_where_its_type_says_nothing() {
    let layout = Layout::new();
    let config = layout.config("linux/amd64");
    for media_type in ["application/octet-stream", "application/json", "text/html", "text/plain; charset=utf-8"] {
        layout.index(&[format!("{{{}}}", layout.image(media_type, &config))]);
        layout.read();
        // Control: what is no config, or one of other layers, is an artifact still.
        let two = config.replace(r#""diff_ids":["#, &format!(r#""diff_ids":["{}","#, layout.diff_id()));
        for other in ["not json", "{}", "[]", r#"{"rootfs":null}"#, &two] {
            layout.index(&[format!("{{{}}}", layout.image(media_type, other))]);
            let error = layout.refusal();
            assert!(error.contains("is not a container image but an artifact (its config is a "), "{error}");
        }
    }
    for artifact in [
        "application/vnd.cncf.helm.config.v1+json",
        "application/vnd.wasm.config.v0+json",
        "application/vnd.oci.empty.v1+json",
    ] {
        layout.index(&[format!("{{{}}}", layout.image(artifact, &config))]);
        assert!(layout.refusal().contains(&format!("but an artifact (its config is a {artifact})")));
    }
}

#[test]
fn the_configs_decide_where_an_index_names_no_platforms() {
    let layout = Layout::new();
    let of = |platform: &str| layout.image(CONFIG, &layout.config(platform));
    let digest = |inside: &str| inside.split('"').nth(7).expect("a digest").parse::<Digest>().expect("a digest");
    let (amd64, arm64, s390x) = (of("linux/amd64"), of("linux/arm64"), of("linux/s390x"));
    let attestation = format!(
        r#"{{{},"annotations":{{"vnd.docker.reference.type":"attestation-manifest"}},"platform":{{"os":"unknown","architecture":"unknown"}}}}"#,
        layout.blob(MANIFEST, b"no manifest at all")
    );
    let chart = layout.image("application/vnd.cncf.helm.config.v1+json", "{}");
    for none in
        ["", r#","platform":null"#, r#","platform":{}"#, r#","platform":{"os":"","architecture":"","variant":""}"#]
    {
        let entry = |inside: &str| format!("{{{inside}{none}}}");
        let entries = [attestation.clone(), entry(&arm64), entry(&chart), entry(&amd64)];
        layout.index(&entries);
        assert_eq!(layout.read().manifest_digest, Some(digest(&amd64)), "{none}");
        // An index inside, that is not said to be for anything.
        let nested = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
        let nested = layout.blob("application/vnd.oci.image.index.v1+json", nested.as_bytes());
        layout.index(&[entry(&s390x), entry(&nested)]);
        assert_eq!(layout.read().manifest_digest, Some(digest(&amd64)), "{none}");

        layout.index(&[attestation.clone(), entry(&arm64), entry(&chart), entry(&s390x)]);
        let error = layout.refusal();
        assert!(
            error.contains("has no variant for linux/amd64; it has variants for linux/arm64, linux/s390x;"),
            "{error}"
        );
    }
    // What is named is believed, and nothing else is looked at.
    let missing = format!(r#"{{"mediaType":"{MANIFEST}","digest":"{}","size":5}}"#, Digest::sha256(b"not here"));
    let named = format!(r#"{{{amd64},"platform":{{"os":"linux","architecture":"amd64"}}}}"#);
    layout.index(&[missing, named]);
    assert_eq!(layout.read().manifest_digest, Some(digest(&amd64)));
    // Two that nothing tells apart are two.
    let other = layout.image(CONFIG, &layout.config("linux/amd64").replace('}', " }"));
    layout.index(&[format!("{{{amd64}}}"), format!("{{{other}}}")]);
    assert!(layout.refusal().contains("holds several images"));
}

#[test]
fn no_more_manifests_are_looked_at_than_an_honest_index_has() {
    let layout = Layout::new();
    let entry = |number: usize| format!("{{{}}}", layout.image(CONFIG, &layout.config(&format!("linux/cpu{number}"))));
    let right = format!("{{{}}}", layout.image(CONFIG, &layout.config("linux/amd64")));
    let mut entries: Vec<String> = (0..31).map(entry).collect();
    entries.push(right.clone());
    layout.index(&entries);
    layout.read();
    entries.insert(0, entry(31));
    layout.index(&entries);
    let error = layout.refusal();
    assert!(error.contains("over the limit of 32"), "{error}");
}

#[test]
fn documents_are_read_as_go_reads_them() {
    let layout = Layout::new();
    let diff_id = layout.diff_id();
    let config = format!(
        r#"{{"OS":"linux","Architecture":"amd64","history":null,"created":null,"variant":null,
            "config":{{"User":"1","user":"7","env":["A=1"],"Env":["B=2"],"Cmd":null,"Labels":{{"x":"y","X":null}}}},
            "Config":{{"WORKINGDIR":"/w"}},"rootfs":{{"Type":"layers","DIFF_IDS":["{diff_id}"]}}}}"#
    );
    let config = layout.blob(CONFIG, config.as_bytes());
    let layer = layout.blob(LAYER, &layout.layer);
    let manifest = format!(
        r#"{{"SchemaVersion":2,"schemaVersion":2,"Config":{{{config},"URLs":null}},"LAYERS":[{{{layer},"Annotations":null}}]}}"#
    )
    .replace(r#""digest""#, r#""Digest""#);
    layout.index(&[format!("{{{},\"platform\":null}}", layout.blob(MANIFEST, manifest.as_bytes()))]);
    let image = layout.read();
    let here = &image.config;
    assert_eq!((here.user.as_str(), here.working_dir.as_str()), ("7", "/w"));
    assert_eq!((here.env.as_slice(), here.cmd.len()), (&["B=2".to_owned()][..], 0));
    assert_eq!(here.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(), ["X=", "x=y"]);
    if has("skopeo") {
        let judged = run(layout.here.path(), "skopeo inspect --config oci:.").replace([' ', '\n'], "");
        assert!(judged.contains(r#""User":"7""#) && judged.contains(r#""WorkingDir":"/w""#), "{judged}");
        assert!(judged.contains(r#"["B=2"]"#) && !judged.contains("A=1"), "{judged}");
    }
}

/// A docker archive in the words of Jib: `image.tar` in a directory.
fn jibs_archive(layout: &Layout) -> String {
    let here = layout.here.path();
    let config = layout.config("linux/amd64");
    fs::write(here.join("config.json"), config).expect("written");
    fs::write(here.join("layer.tar"), &layout.layer).expect("written");
    let manifest = r#"[{"config":"config.json","repoTags":["app:1"],"layers":["layer.tar"]}]"#;
    fs::write(here.join("manifest.json"), manifest).expect("written");
    run(here, "tar -cf image.tar config.json layer.tar manifest.json");
    here.join("image.tar").display().to_string()
}

#[test]
fn the_archives_of_jib_are_read() {
    let layout = Layout::new();
    let file = jibs_archive(&layout);
    for reference in [format!("docker-archive:{file}"), format!("docker-archive:{file}:app:1")] {
        assert_eq!(read_all(&open_text(&reference).expect("an image")).expect("good layers"), [layout.diff_id()]);
    }
    if has("skopeo") {
        run(layout.here.path(), "skopeo copy -q docker-archive:image.tar:app:1 dir:judged");
    }
    // Two lists of layers are two images.
    let doubled = r#"[{"config":"config.json","layers":["layer.tar"],"Layers":["other.tar"]}]"#;
    fs::write(layout.here.path().join("manifest.json"), doubled).expect("written");
    run(layout.here.path(), "tar -cf image.tar config.json layer.tar manifest.json");
    let error = shown(&open_text(&format!("docker-archive:{file}")).expect_err("two lists"));
    assert!(error.contains("'Layers' 2 times, and not always the same"), "{error}");
}

#[test]
fn an_archive_by_a_writer_that_summed_up_signed_bytes_is_read() {
    let layout = Layout::new();
    let file = jibs_archive(&layout);
    let archive = fs::read(&file).expect("an archive");
    let mut odd = nex_testkit::sparse::header(b"caf\xe9", b'0', 0);
    let sum: i64 = odd
        .iter()
        .enumerate()
        .map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { i64::from(byte.cast_signed()) })
        .sum();
    odd[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    fs::write(&file, [&odd[..], &archive].concat()).expect("written");
    assert_eq!(
        read_all(&open_text(&format!("docker-archive:{file}")).expect("an image")).expect("good layers"),
        [layout.diff_id()]
    );
    // The control: a sum of neither kind.
    odd[148..156].copy_from_slice(format!("{:06o}\0 ", sum + 1).as_bytes());
    fs::write(&file, [&odd[..], &archive].concat()).expect("written");
    let error = shown(&open_text(&format!("docker-archive:{file}")).expect_err("damaged"));
    assert!(error.contains("checksum"), "{error}");
}

#[test]
fn compressed_archives_are_what_is_in_them() {
    if !has("skopeo") || !has("zstd") || !has("bzip2") {
        return;
    }
    let layout = Layout::new();
    layout.index(&[format!("{{{}}}", layout.image(CONFIG, &layout.config("linux/amd64")))]);
    let here = layout.here.path();
    run(
        here,
        "skopeo copy -q oci:. oci-archive:oci.tar:one; skopeo copy -q oci:. docker-archive:docker.tar:app:one
         for file in oci docker; do
             gzip -k $file.tar; zstd -q $file.tar; xz -k $file.tar; bzip2 -k $file.tar
             split -n 2 $file.tar part; for part in partaa partab; do gzip -c $part; done >$file.two.gz
             skopeo copy -q $file-archive:$file.tar.zst dir:judged-$file
         done",
    );
    let of = |form: &str, name: &str| format!("{form}-archive:{}", here.join(name).display());
    for form in ["oci", "docker"] {
        let plain = open_text(&of(form, &format!("{form}.tar"))).expect("a plain archive");
        for ending in ["tar.gz", "tar.zst", "two.gz"] {
            let image = open_text(&of(form, &format!("{form}.{ending}"))).expect(ending);
            assert_eq!((image.manifest_digest, &image.config), (plain.manifest_digest, &plain.config), "{ending}");
            assert_eq!(read_all(&image).expect("good layers"), [layout.diff_id()], "{ending}");
        }
        for (ending, way) in [("tar.xz", "xz -dc "), ("tar.bz2", "bzip2 -dc ")] {
            let error = shown(&open_text(&of(form, &format!("{form}.{ending}"))).expect_err(ending));
            let file = here.join(format!("{form}.{ending}"));
            assert!(error.contains(&format!("{way}{} >image.tar", file.display())), "{error}");
        }
        // The tip leads to where it is read.
        for ending in ["tar", "tar.gz", "tar.zst"] {
            let file = here.join(format!("{form}.{ending}")).display().to_string();
            let error = shown(&file.parse::<Reference>().expect_err("a path"));
            assert!(error.contains(&format!("did you mean {form}-archive:{file}?")), "{error}");
        }
    }
    // What is damaged is no archive, at whatever byte.
    let whole = fs::read(here.join("docker.tar.gz")).expect("an archive");
    for length in [whole.len() - 1, whole.len() / 2, 20] {
        fs::write(here.join("cut.gz"), &whole[..length]).expect("written");
        let error = shown(&open_text(&of("docker", "cut.gz")).expect_err("a cut archive"));
        assert!(error.contains("cannot be unpacked: the gzip data ends in the middle"), "{error}");
    }
    fs::write(here.join("more.gz"), [&whole[..], b"more"].concat()).expect("written");
    assert!(open_text(&of("docker", "more.gz")).is_err());
}

#[test]
fn an_archive_unpacks_to_no_more_than_it_may() {
    let layout = Layout::new();
    let file = jibs_archive(&layout);
    run(layout.here.path(), "truncate -s 8M zeros; tar -rf image.tar zeros; gzip image.tar");
    let reference: Reference = format!("docker-archive:{file}.gz").parse().expect("a reference");
    let open = |change: fn(&mut Limits)| {
        let mut options = Options { aside: Some(layout.here.path().to_owned()), ..options() };
        change(&mut options.limits);
        open(&reference, &options)
    };
    open(|_| ()).expect("an honest archive");
    let error = shown(&open(|limits| limits.ratio_free_bytes = 1 << 20).expect_err("a bomb"));
    assert!(error.contains("200 times its size") && error.contains("--max-ratio"), "{error}");
    let error = shown(&open(|limits| limits.uncompressed_bytes = 1 << 20).expect_err("a large one"));
    assert!(error.contains("limit of 1048576 bytes") && error.contains("--max-unpacked"), "{error}");
    let left = fs::read_dir(layout.here.path()).expect("a directory").flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".tmp")).count();
    assert_eq!(left, 0, "files stay behind");
}

#[test]
fn an_archive_of_which_only_the_start_is_looked_at_gets_no_wrong_tip() {
    let here = tempfile::tempdir().expect("a directory");
    let hex = "a".repeat(64);
    run(
        here.path(),
        &format!(
            "mkdir -p blobs/sha256 {hex} root; head -c 3000000 /dev/zero >blobs/sha256/x; cp blobs/sha256/x {hex}/layer.tar
             cp blobs/sha256/x root/file; echo '[]' >manifest.json
             tar -czf docker25.tgz blobs manifest.json; tar -czf docker.tgz {hex} manifest.json; tar -czf root.tgz root"
        ),
    );
    for (name, expected) in
        [("docker25", "docker-archive:F or oci-archive:F"), ("docker", "docker-archive:F"), ("root", "tar:F")]
    {
        let file = here.path().join(format!("{name}.tgz")).display().to_string();
        let error = shown(&file.parse::<Reference>().expect_err("a path"));
        let expected = format!("did you mean {}?", expected.replace('F', &file));
        assert!(error.contains(&expected), "{error}");
    }
}
