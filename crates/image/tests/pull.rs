//! An image pulled from a real registry is the one that was pushed.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use nex_image::{Error, Image, ImageDirectories, Limits, NoProgress, Options, open};
use nex_registry::transport::Security;
use nex_testkit::registry::{Protection, Registry};

fn run(directory: &Path, command: &str) {
    let output = Command::new("sh").args(["-ec", command]).current_dir(directory).output().expect("sh");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

fn open_text(text: &str) -> Result<Image, Error> {
    let mut registry = nex_registry::Options::from_environment();
    registry.transport.security = Security::PlainHttp;
    let platform = "linux/amd64".parse().expect("a platform");
    open(
        &text.parse()?,
        &Options {
            platform,
            offline: false,
            registry,
            limits: Limits::default(),
            cache: None,
            aside: None,
            installed: ImageDirectories::default(),
        },
    )
}

#[test]
fn a_pulled_image_is_the_pushed_one() {
    let here = tempfile::tempdir().expect("a directory");
    let has = |tool| Command::new(tool).arg("--version").output().is_ok();
    if !["umoci", "skopeo", "docker-registry"].into_iter().all(has) {
        eprintln!("LEFT OUT: umoci, skopeo or docker-registry is missing");
        return;
    }
    let server = Registry::start(Protection::Open).expect("a registry");
    let host = server.address();
    run(
        here.path(),
        &format!(
            "mkdir root; head -c 3000000 /dev/urandom >root/file
             umoci init --layout layout; umoci new --image layout:one
             umoci insert --rootless --image layout:one root /root
             umoci config --image layout:one --config.user 5 --architecture amd64 --os linux
             skopeo copy -q --dest-tls-verify=false oci:layout:one docker://{host}/team/app:one
             skopeo copy -q --dest-tls-verify=false -f v2s2 oci:layout:one docker://{host}/team/app:docker"
        ),
    );
    let pushed = open_text(&format!("oci:{}/layout:one", here.path().display())).expect("a layout");
    let by_tag = open_text(&format!("{host}/team/app:one")).expect("by tag");
    let digest = by_tag.manifest_digest.expect("a manifest");
    let by_digest = open_text(&format!("docker://{host}/team/app@{digest}")).expect("by digest");
    let docker = open_text(&format!("{host}/team/app:docker")).expect("as Docker schema 2");
    assert_eq!((pushed.manifest_digest, by_digest.manifest_digest), (Some(digest), Some(digest)));
    for image in [by_tag, by_digest, docker] {
        assert_eq!(image.config, pushed.config, "{}", image.name);
        let summary = image.open_layer(0, Arc::new(NoProgress)).and_then(|layer| layer.finish()).expect("a good layer");
        assert_eq!(Some(summary.diff_id), pushed.layers[0].diff_id, "{}", image.name);
    }
    let missing = open_text(&format!("{host}/team/app:two")).expect_err("no such tag").to_string();
    assert!(missing.contains("it has docker, one"), "{missing}");
}
