//! Registries that drip, and a build that ends all the same: soon, in words, and with nothing left behind.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::fault_registry::{FaultRegistry, Request};
use nex_testkit::fault_server::Reply;
use nex_testkit::layer::Entry;
use nex_testkit::layout::{Compression, Image};
use nex_testkit::nex::{self, failed, rootfs};
use nex_testkit::{Result, command, noise};

/// Between two bytes of a server that drips.
const PAUSE: Duration = Duration::from_millis(50);
/// Only a failing test takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends again and again, until nobody listens.
fn drip(reply: &mut Reply, bytes: &[u8]) -> io::Result<()> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        reply.body(bytes)?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Builds an image from a registry that answers so, with these flags: it fails soon and leaves nothing. Gives what nex says.
fn pull(
    flags: &[&str],
    answer: impl Fn(&Request, &[u8], &mut Reply) -> io::Result<()> + Send + Sync + 'static,
) -> Result<String> {
    let directory = nex::directory()?;
    let (layout, output) = (directory.path().join("layout"), directory.path().join("out/image.ext4"));
    fs::create_dir(directory.path().join("out"))?;
    Image::of(&[vec![Entry::file("file", noise::bytes(64 << 10, 1))]])?
        .compressed(Compression::None)
        .write(&layout, "image")?;
    let registry = FaultRegistry::start(&layout, answer)?;
    let start = Instant::now();
    let mut pull = rootfs(&format!("{}/team/image:one", registry.address()), &output)?;
    let result = command::output(pull.args(["--size", "auto", "--plain-http", "--no-cache"]).args(flags))?;
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    failed(&result, &[&format!("http://{}/v2/team/image/", registry.address())])?;
    assert!(start.elapsed() < PATIENCE / 2, "it took {:?}: {said}", start.elapsed());
    let left: Vec<_> = fs::read_dir(directory.path().join("out"))?.flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?} is left");
    Ok(said)
}

#[test]
fn a_manifest_that_drips_ends_the_build() -> Result<()> {
    let said = pull(&["--registry-timeout", "1s"], |_, _, reply| {
        reply.head("200 OK", &[("Content-Length", "1000000")])?;
        drip(reply, b" ")
    })?;
    assert!(
        said.contains("/manifests/one: no complete answer within 1 s") && said.contains("--registry-timeout"),
        "{said}"
    );
    Ok(())
}

#[test]
fn early_hints_without_end_end_the_build() -> Result<()> {
    let said = pull(&["--registry-timeout", "1s"], |_, _, reply| drip(reply, b"HTTP/1.1 103 Early Hints\r\n\r\n"))?;
    assert!(said.contains("/manifests/one: no complete answer within 1 s"), "{said}");
    Ok(())
}

#[test]
fn a_config_that_drips_ends_the_build() -> Result<()> {
    let said = pull(&["--registry-timeout", "1s"], |request, content, reply| {
        if request.path.contains("/manifests/") || request.layer.is_some() {
            return reply.serve(request, content);
        }
        reply.head("200 OK", &[("Content-Length", &content.len().to_string())])?;
        content.chunks(1).try_for_each(|byte| drip(reply, byte))
    })?;
    assert!(said.contains("/blobs/sha256:") && said.contains("no complete answer within 1 s"), "{said}");
    Ok(())
}

#[test]
fn a_layer_that_drips_ends_the_build() -> Result<()> {
    let said = pull(&["--min-throughput", "10KiB/1s"], |request, content, reply| {
        if request.layer.is_none() {
            return reply.serve(request, content);
        }
        let body = reply.begin(request, content)?;
        reply.body(&body[..2000])?;
        body[2000..].chunks(1).try_for_each(|byte| {
            thread::sleep(PAUSE);
            reply.body(byte)
        })
    })?;
    assert!(said.contains("/blobs/sha256:") && said.contains("less than the 10240 that it has to"), "{said}");
    assert!(said.contains("--min-throughput"), "{said}");
    Ok(())
}

/// The control: slower than the other tests have patience for, and as fast as it has to be.
#[test]
fn a_layer_that_is_slow_but_fast_enough_is_built() -> Result<()> {
    let directory = nex::directory()?;
    let (layout, output) = (directory.path().join("layout"), directory.path().join("image.ext4"));
    Image::of(&[vec![Entry::file("file", noise::bytes(64 << 10, 1))]])?
        .compressed(Compression::None)
        .write(&layout, "image")?;
    let registry = FaultRegistry::start(&layout, |request, content, reply| {
        let body = reply.begin(request, content)?;
        body.chunks(2048).try_for_each(|piece| {
            thread::sleep(PAUSE);
            reply.body(piece)
        })
    })?;
    let mut pull = rootfs(&format!("{}/team/image:one", registry.address()), &output)?;
    pull.args([
        "--size",
        "auto",
        "--plain-http",
        "--no-cache",
        "--min-throughput",
        "1KiB/1s",
        "--registry-timeout",
        "20s",
    ]);
    command::run(&mut pull).map(drop)
}
