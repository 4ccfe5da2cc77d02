//! The same image in every form, made by umoci and skopeo, and what is said when something is wrong with one.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use nex_image::{Config, Error, LayerError, LayerReader, NoProgress, Options, Platform, ReadAhead, Reference, open};
use nex_registry::Digest;
use nex_testkit::noise::Random;
use tempfile::TempDir;

use crate::{has, open_text, options, read_all, run, shown};

fn refusal(text: &str) -> String {
    shown(&open_text(text).expect_err(text))
}

/// An image of two layers, `oci:layout:one`, made by umoci. `None` where the tools are missing.
fn umoci_image() -> Option<(TempDir, String)> {
    if !has("umoci") || !has("skopeo") {
        return None;
    }
    let here = tempfile::tempdir().expect("a directory");
    run(
        here.path(),
        "mkdir -p one two; echo hello >one/file; ln one/file one/link; echo more >two/other
         umoci init --layout layout; umoci new --image layout:one
         umoci insert --rootless --image layout:one one /one
         umoci insert --rootless --image layout:one two /two
         umoci config --image layout:one --config.entrypoint /bin/app --config.cmd -v --config.env A=1 --config.user 5:6 \
             --config.label x=y --config.exposedports 80/tcp --config.workingdir /w --architecture amd64 --os linux",
    );
    let path = here.path().display().to_string();
    Some((here, path))
}

#[test]
fn a_layer_that_cannot_begin_ahead_begins_in_its_turn() {
    let Some((_here, path)) = umoci_image() else { return };
    let image = open_text(&format!("oci:{path}/layout:one")).expect("a layout");
    let digest = image.layers[1].digest.expect("a digest").to_string();
    let blob = Path::new(&path).join("layout/blobs").join(digest.replace(':', "/"));
    let aside = blob.with_extension("aside");
    let mut layers = ReadAhead::new(&image, &[0, 1], Arc::new(NoProgress));
    fs::rename(&blob, &aside).expect("the blob");
    let lowest = layers.take(0).expect("the lowest layer");
    fs::rename(&aside, &blob).expect("the blob");
    lowest.finish().expect("a good layer");
    layers.take(1).and_then(LayerReader::finish).expect("the layer in its turn");
}

#[test]
fn the_same_image_is_the_same_in_every_form() {
    let Some((here, path)) = umoci_image() else { return };
    run(
        here.path(),
        "skopeo copy -q oci:layout:one oci-archive:oci.tar:one
         skopeo copy -q oci:layout:one docker-archive:docker.tar:registry.test/app:one
         skopeo copy -q --dest-compress-format zstd oci:layout:one oci:zstd:one",
    );
    let layout = open_text(&format!("oci:{path}/layout:one")).expect("a layout");
    let diff_ids = read_all(&layout).expect("good layers");
    assert_eq!(diff_ids.len(), 2);
    assert_eq!(
        (layout.config.entrypoint.as_slice(), layout.config.user.as_str()),
        (&["/bin/app".to_owned()][..], "5:6")
    );
    let same = |text: String| {
        let image = open_text(&text).expect(&text);
        assert_eq!(image.config, layout.config, "{text}");
        assert_eq!(read_all(&image).expect(&text), diff_ids, "{text}");
        image
    };
    assert_eq!(same(format!("oci-archive:{path}/oci.tar")).manifest_digest, layout.manifest_digest);
    assert_eq!(same(format!("docker-archive:{path}/docker.tar")).manifest_digest, None);
    same(format!("docker-archive:{path}/docker.tar:registry.test/app:one"));
    same(format!("docker-archive:{path}/docker.tar:@0"));
    same(format!("oci:{path}/zstd:one"));
    let digest = layout.manifest_digest.expect("a manifest");
    same(format!("oci:{path}/layout@{digest}"));
}

#[test]
fn a_missing_tag_or_platform_says_what_there_is() {
    let Some((here, path)) = umoci_image() else { return };
    run(here.path(), "umoci tag --image layout:one two; umoci config --image layout:two --config.user 7");
    let tag = refusal(&format!("oci:{path}/layout:three"));
    assert!(tag.contains("three") && tag.contains("it has one, two"), "{tag}");
    let several = refusal(&format!("oci:{path}/layout"));
    assert!(several.contains("they are one, two; add :NAME to the reference"), "{several}");

    let reference: Reference = format!("oci:{path}/layout:one").parse().expect("a reference");
    let platform: Platform = "linux/arm64".parse().expect("a platform");
    let error = shown(&open(&reference, &Options { platform, ..options() }).expect_err("no such platform"));
    assert!(
        error.contains("linux/arm64") && error.ends_with("it has variants for linux/amd64; choose with --platform"),
        "{error}"
    );
}

#[test]
fn a_blob_that_was_changed_or_cut_is_refused() {
    let Some((_here, path)) = umoci_image() else { return };
    let reference = format!("oci:{path}/layout:one");
    let image = open_text(&reference).expect("an image");
    let layer = image.layers[1].digest.expect("a digest");
    let blob = format!("{path}/layout/blobs/sha256/{}", layer.hex());
    let good = fs::read(&blob).expect("a blob");

    // The time in the gzip header: the data stays good, only the digest can tell.
    let mut changed = good.clone();
    changed[4] ^= 1;
    fs::write(&blob, changed).expect("written");
    let error = read_all(&image).expect_err("changed");
    assert!(matches!(&error, Error::Layer { index: 1, problem: LayerError::Digest(_), .. }), "{error}");
    assert!(shown(&error).contains(&layer.to_string()), "{}", shown(&error));

    fs::write(&blob, &good[..good.len() - 1]).expect("written");
    let error = read_all(&image).expect_err("cut");
    assert!(matches!(&error, Error::Layer { index: 1, problem: LayerError::CutShort { .. }, .. }), "{error}");

    fs::remove_file(&blob).expect("removed");
    assert!(shown(&read_all(&image).expect_err("gone")).contains(&blob));

    let manifest = image.manifest_digest.expect("a manifest");
    fs::write(format!("{path}/layout/blobs/sha256/{}", manifest.hex()), "{}").expect("written");
    let error = refusal(&reference);
    assert!(error.contains("2 bytes, but its descriptor says"), "{error}");
}

#[test]
fn an_archive_cut_short_never_panics_and_always_fails() {
    let Some((here, path)) = umoci_image() else { return };
    run(here.path(), "skopeo copy -q oci:layout:one docker-archive:docker.tar:app:one");
    let whole = fs::read(here.path().join("docker.tar")).expect("an archive");
    let cut = here.path().join("cut.tar");
    // The last two blocks only mark the end, and the padding before them may be longer.
    for length in (0..whole.len().saturating_sub(10_240)).step_by(777) {
        fs::write(&cut, &whole[..length]).expect("written");
        let result = open_text(&format!("docker-archive:{path}/cut.tar")).and_then(|image| read_all(&image));
        assert!(result.is_err(), "{length} bytes of {}", whole.len());
    }
}

#[test]
fn a_damaged_archive_never_panics() {
    let Some((here, path)) = umoci_image() else { return };
    run(
        here.path(),
        "skopeo copy -q oci:layout:one docker-archive:a.tar:app:one; skopeo copy -q oci:layout:one oci-archive:b.tar",
    );
    for (file, transport) in [("a.tar", "docker-archive"), ("b.tar", "oci-archive")] {
        let whole = fs::read(here.path().join(file)).expect("an archive");
        let mut random = Random::new(1);
        for _ in 0..120 {
            let mut damaged = whole.clone();
            let at = random.below(whole.len());
            damaged[at] = random.byte();
            fs::write(here.path().join("damaged"), damaged).expect("written");
            if let Err(Error::Layer { problem: LayerError::StageDied { stage }, .. }) =
                open_text(&format!("{transport}:{path}/damaged")).and_then(|image| read_all(&image))
            {
                panic!("byte {at} of {file} made the thread panic that was to {stage}");
            }
        }
    }
}

#[test]
fn an_index_is_resolved_by_platform() {
    let Some((here, path)) = umoci_image() else { return };
    let layout = open_text(&format!("oci:{path}/layout:one")).expect("an image");
    let manifest = layout.manifest_digest.expect("a manifest");
    let file = format!("{path}/layout/blobs/sha256/{}", manifest.hex());
    let size = fs::metadata(file).expect("a manifest").len();
    let entry = |os: &str, architecture: &str, digest: Digest| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":{size},
                "platform":{{"os":"{os}","architecture":"{architecture}"}}}}"#
        )
    };
    let other = Digest::sha256(b"not here");
    let entries =
        [entry("unknown", "unknown", other), entry("linux", "s390x", other), entry("linux", "amd64", manifest)];
    let mut nested = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
    let mut outcomes = Vec::new();
    for _ in 0..4 {
        let digest = Digest::sha256(nested.as_bytes());
        fs::write(here.path().join("layout/blobs/sha256").join(digest.hex()), &nested).expect("written");
        let descriptor = format!(
            r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{digest}","size":{}}}"#,
            nested.len()
        );
        nested = format!(r#"{{"schemaVersion":2,"manifests":[{descriptor}]}}"#);
        fs::write(here.path().join("layout/index.json"), &nested).expect("written");
        outcomes.push(open_text(&format!("oci:{path}/layout")).map(|image| image.manifest_digest));
    }
    assert!(matches!(&outcomes[0], Ok(Some(digest)) if *digest == manifest), "{:?}", outcomes[0]);
    assert!(outcomes[3].as_ref().is_err_and(|error| error.to_string().contains("index")), "{:?}", outcomes[3]);
}

#[test]
fn the_old_docker_shape_with_links_is_read() {
    let here = tempfile::tempdir().expect("a directory");
    let path = here.path().display().to_string();
    run(here.path(), "mkdir root a b; echo x >root/f; tar -cf a/layer.tar root; ln -s ../a/layer.tar b/layer.tar");
    let diff_id = Digest::sha256(&fs::read(here.path().join("a/layer.tar")).expect("a layer"));
    let config =
        format!(r#"{{"os":"linux","architecture":"amd64","rootfs":{{"diff_ids":["{diff_id}","{diff_id}"]}}}}"#);
    let name = format!("{}.json", Digest::sha256(config.as_bytes()).hex());
    fs::write(here.path().join(&name), config).expect("written");
    let manifest = format!(r#"[{{"Config":"{name}","RepoTags":["app:1"],"Layers":["a/layer.tar","b/layer.tar"]}}]"#);
    fs::write(here.path().join("manifest.json"), manifest).expect("written");
    run(here.path(), "tar -cf ../$(basename $PWD).tar *.json a b && mv ../$(basename $PWD).tar image.tar");
    let image = open_text(&format!("docker-archive:{path}/image.tar:docker.io/library/app:1")).expect("an image");
    assert_eq!(read_all(&image).expect("good layers"), [diff_id, diff_id]);
    let error = refusal(&format!("docker-archive:{path}/image.tar:other"));
    assert!(error.contains("it has app:1"), "{error}");
    assert!(refusal(&format!("docker-archive:{path}/image.tar:@1")).contains("@1"));
    let error = refusal(&format!("{path}/image.tar"));
    assert!(error.contains("did you mean docker-archive:"), "{error}");
}

#[test]
fn an_image_without_layers_is_refused_with_a_way_to_mean_it() {
    let Some((here, path)) = umoci_image() else { return };
    run(
        here.path(),
        "umoci new --image layout:zero
         umoci config --image layout:zero --architecture amd64 --os linux --config.cmd /bin/app
         skopeo copy -q oci:layout:zero docker-archive:zero.tar:app:zero",
    );
    for text in [format!("oci:{path}/layout:zero"), format!("docker-archive:{path}/zero.tar")] {
        let error = refusal(&text);
        assert!(error.starts_with(&text) && error.contains("no layers") && error.contains("`scratch`"), "{error}");
    }
}

#[test]
fn a_tar_a_directory_and_nothing_are_images_too() {
    let here = tempfile::tempdir().expect("a directory");
    let path = here.path().display().to_string();
    run(here.path(), "mkdir root; echo x >root/f; tar -czf root.tar.gz -C root .");
    let image = open_text(&format!("tar:{path}/root.tar.gz")).expect("a tar");
    assert_eq!((read_all(&image).expect("a good layer").len(), &image.config), (1, &Config::default()));
    let image = open_text(&format!("rootfs:{path}/root")).expect("a directory");
    assert_eq!(read_all(&image).expect("a good layer").len(), 1);
    assert_eq!(open_text("scratch").expect("nothing").layers.len(), 0);
    assert!(refusal(&format!("tar:{path}/none.tar")).contains("none.tar"));
    assert!(refusal(&format!("tar:{path}/root")).contains("rootfs:DIR"));
    assert!(refusal(&format!("oci:{path}/root")).contains("oci-layout"));
}

#[test]
fn what_is_not_there_is_said_with_what_would_be_right() {
    let here = tempfile::tempdir().expect("a directory");
    let path = here.path().display().to_string();
    run(here.path(), "mkdir root; echo x >root/f; tar -cf root.tar -C root .; echo no tar at all >text");
    for (reference, expected) in [
        (
            "oci:PATH/none",
            "there is no OCI layout in PATH/none: the directory does not exist; oci: wants a directory that",
        ),
        (
            "oci:PATH/root",
            "there is no OCI layout in PATH/root: it has no file oci-layout; oci: wants a directory that",
        ),
        (
            "oci:PATH/root.tar",
            "there is no OCI layout in PATH/root.tar: it is no directory; oci: wants a directory that",
        ),
        ("oci-archive:PATH/none", "there is no OCI archive in PATH/none: the file does not exist; oci-archive: wants"),
        ("oci-archive:PATH/root", "there is no OCI archive in PATH/root: it is a directory; oci-archive: wants"),
        (
            "oci-archive:PATH/root.tar",
            "there is no OCI archive in PATH/root.tar: it has no file oci-layout; oci-archive:",
        ),
        (
            "docker-archive:PATH/none",
            "there is no docker archive in PATH/none: the file does not exist; docker-archive:",
        ),
        ("docker-archive:PATH/root.tar", "there is no docker archive in PATH/root.tar: it has no file manifest.json; "),
        ("docker-archive:PATH/text/x", "there is no docker archive in PATH/text/x: its path leads through a file; "),
    ] {
        let error = refusal(&reference.replace("PATH", &path));
        assert!(error.starts_with(&expected.replace("PATH", &path)), "{error}");
    }
    let text = refusal(&format!("docker-archive:{path}/text"));
    assert!(text.contains(&format!("{path}/text")) && !text.contains("No such"), "{text}");
}

#[test]
fn pipes_sockets_and_devices_are_no_archives_and_are_not_waited_for() {
    let here = tempfile::tempdir().expect("a directory");
    let path = here.path().display().to_string();
    run(here.path(), "mkfifo fifo; mkdir a b; mkfifo a/oci-layout b/index.json");
    fs::write(here.path().join("b/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
    let _socket = UnixListener::bind(here.path().join("socket")).expect("a socket");
    for (reference, expected) in [
        (format!("docker-archive:{path}/fifo"), "fifo: it is a FIFO"),
        (format!("oci-archive:{path}/fifo"), "fifo: it is a FIFO"),
        (format!("oci-archive:{path}/socket"), "socket: it is a socket"),
        ("docker-archive:/dev/zero".to_owned(), "/dev/zero: it is a device"),
        (format!("oci:{path}/fifo"), "it is no directory"),
        (format!("oci:{path}/a"), "oci-layout: it is a FIFO"),
        (format!("oci:{path}/b"), "index.json: it is a FIFO"),
    ] {
        let (sender, answer) = mpsc::channel();
        let asked = reference.clone();
        thread::spawn(move || sender.send(refusal(&asked)));
        let error = answer.recv_timeout(Duration::from_secs(10)).expect(&reference);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn offline_never_asks_a_registry() {
    let error = refusal("alpine");
    assert!(
        error.contains("docker.io/library/alpine:latest") && error.contains("oci:DIR") && error.contains("--offline"),
        "{error}"
    );
}
