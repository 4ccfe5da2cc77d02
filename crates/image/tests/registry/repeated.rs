//! Blobs that a manifest names several times.

use std::process::Command;
use std::sync::Arc;

use nex_image::{ImageDirectories, Limits, NoProgress, Options, ReadAhead, Reference, open};
use nex_registry::Digest;
use nex_testkit::http_server::{Server, answer};

use crate::support::options;

/// A manifest may name a layer several times, as builds with empty steps make it.
#[test]
fn a_blob_that_is_named_several_times_is_fetched_once() {
    let here = tempfile::tempdir().unwrap();
    let script = "echo a >a; echo b >b; tar -cf a.tar a; tar -cf b.tar b";
    assert!(Command::new("sh").args(["-ec", script]).current_dir(here.path()).status().unwrap().success());
    let [a, b] = ["a.tar", "b.tar"].map(|name| std::fs::read(here.path().join(name)).unwrap());
    let layers = [&a, &b, &a, &b, &b];
    let diff_ids: Vec<_> = layers.iter().map(|layer| format!("\"{}\"", Digest::sha256(layer))).collect();
    let config = format!(r#"{{"os":"linux","architecture":"amd64","rootfs":{{"diff_ids":[{}]}}}}"#, diff_ids.join(","));
    let inside = |bytes: &[u8]| format!(r#"{{"digest":"{}","size":{}}}"#, Digest::sha256(bytes), bytes.len());
    let listed: Vec<_> = layers.iter().map(|layer| inside(layer)).collect();
    let manifest =
        format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, inside(config.as_bytes()), listed.join(","));
    let blobs = [config.into_bytes(), a.clone(), b.clone()];
    let served = blobs.clone();
    let server = Server::start(move |_, request| {
        let blob = served.iter().find(|blob| request.is_for(&format!("/v2/a/b/blobs/{}", Digest::sha256(blob))));
        answer("200 OK", &[], blob.map_or(manifest.as_bytes(), |blob| blob))
    });
    let read = |aside: bool| {
        let before = server.requests().len();
        let settings = Options {
            platform: "linux/amd64".parse().unwrap(),
            offline: false,
            cache: None,
            aside: aside.then(|| here.path().to_owned()),
            installed: ImageDirectories::default(),
            registry: options(),
            limits: Limits::default(),
        };
        let image = open(&format!("{}/a/b:latest", server.host()).parse::<Reference>().unwrap(), &settings).unwrap();
        let all: Vec<_> = (0..layers.len()).collect();
        let mut ahead = ReadAhead::new(&image, &all, Arc::new(NoProgress));
        for (index, layer) in layers.iter().enumerate() {
            assert_eq!(ahead.take(index).unwrap().finish().unwrap().diff_id, Digest::sha256(layer));
        }
        let asked = server.requests().split_off(before);
        blobs[1..]
            .iter()
            .map(|blob| {
                let path = format!("/v2/a/b/blobs/{}", Digest::sha256(blob));
                asked.iter().filter(|request| request.is_for(&path)).count()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(read(true), [1, 1]);
    // Control: where nothing can be held, each comes by itself.
    assert_eq!(read(false), [2, 3]);
}
