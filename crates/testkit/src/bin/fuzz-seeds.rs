//! Writes the inputs that the fuzz targets start from, a directory for each: `fuzz-seeds fuzz/corpus`.

use std::fs;
use std::path::Path;
use std::{env, iter};

use nex_channel::{CLOSE_FRAME, Exit, Flow, Frame, Message, Part, Signal, StreamId};
use nex_testkit::layer::{self, Entry};
use nex_testkit::packed::LAYER_BREAK;
use nex_testkit::sparse::{self, Form};
use nex_testkit::{Failure, Result};

fn main() -> Result<()> {
    let directory = env::args_os().nth(1).ok_or(Failure::new("name the directory for the inputs"))?;
    let directory = Path::new(&directory);
    write(directory, "layers", layers()?)?;
    write(directory, "archive", archives()?)?;
    write(directory, "blob", blobs()?)?;
    write(directory, "documents", documents())?;
    write(directory, "reference", references())?;
    write(directory, "edit", edits())?;
    write(directory, "check", checks())?;
    write(directory, "reader", reads())?;
    write(directory, "set_agent", checks())?;
    write(directory, "cache", records())?;
    write(directory, "kernel", kernels()?)?;
    write(directory, "channel", sessions())?;
    write(directory, "journal", journals())?;
    write(directory, "spool", spools())?;
    write(directory, "wire", nex_sandbox::fuzz::seeds())
}

fn write(directory: &Path, target: &str, inputs: Vec<Vec<u8>>) -> Result<()> {
    let directory = directory.join(target);
    fs::create_dir_all(&directory)?;
    for (number, input) in inputs.iter().enumerate() {
        fs::write(directory.join(format!("seed-{number:02}")), input)?;
    }
    Ok(())
}

/// Stacks of layers that use everything that a layer can say.
fn layers() -> Result<Vec<Vec<u8>>> {
    let stacks = [
        vec![vec![Entry::directory("etc").mode(0o1777), Entry::file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")]],
        vec![
            vec![Entry::directory("a"), Entry::file("a/b", "below"), Entry::symlink("l", "a"), Entry::file("c", "c")],
            vec![Entry::whiteout("a/b"), Entry::file("l/n", "n"), Entry::hard_link("d", "c"), Entry::opaque("a")],
        ],
        vec![vec![
            Entry::file("x", "x").xattr("user.x", "1").xattr("security.capability", [1, 0, 0, 2, 0, 32, 0, 0]),
            Entry::file("y", "y").pax("mtime", "-1.5").pax("uid", "4000000000").pax("size", "1").pax("gid", "7"),
            Entry::file("n".repeat(200), "long name"),
            Entry::symlink("s", "t".repeat(300)),
        ]],
        vec![vec![
            Entry::character_device("dev/c", 5, 1),
            Entry::block_device("dev/b", 259, 70_000),
            Entry::fifo("p").owner(3, 4),
        ]],
        vec![vec![
            Entry::symlink("sbin", "usr/sbin"),
            Entry::file("usr/sbin/init", "x").mode(0o755),
            Entry::file("etc/inittab", "::sysinit:/sbin/openrc sysinit\n#ttyS0::respawn:/sbin/getty\n"),
            Entry::directory("etc/init.d"),
            Entry::file("etc/group", "root:x:0:\nwheel:x:10:root\n"),
            Entry::file("etc/shadow", "root:*::0:::::\n"),
            Entry::directory("etc/systemd/system"),
            Entry::file("usr/lib/systemd/systemd", "\x7fELF"),
        ]],
    ];
    let mut inputs = Vec::new();
    for stack in &stacks {
        let tars: Result<Vec<Vec<u8>>> = stack.iter().map(|entries| layer::tar(entries)).collect();
        inputs.push(tars?.join(&LAYER_BREAK[..]));
    }
    for form in Form::ALL {
        inputs.push(sparse::tar(form, "sparse", 100_000, &[(4096, b"one"), (20_000, b"two"), (60_000, b"three")]));
    }
    let regions: Vec<(u64, &[u8])> = (0..30).map(|number| (number * 8192, &b"region"[..])).collect();
    inputs.push(sparse::tar(Form::Gnu, "many", 1 << 40, &regions));
    inputs.push(long_names());
    Ok(inputs)
}

/// A name and a target in the way of old GNU tar: in entries of their own.
fn long_names() -> Vec<u8> {
    let name = [&b"directory/".repeat(20)[..], b"name\0"].concat();
    let record = |kind: u8, size: usize, content: &[u8]| {
        [
            &sparse::header(b"././@LongLink", kind, size as u64)[..],
            content,
            &vec![0; content.len().wrapping_neg() % 512],
        ]
        .concat()
    };
    let link = sparse::header(b"cut", b'2', 0);
    [record(b'L', name.len(), &name), record(b'K', name.len(), &name), link.to_vec(), vec![0; 1024]].concat()
}

const CONFIG: &str = r#"{"architecture":"amd64","os":"linux","created":"2024-05-06T07:08:09.5Z","config":{"Env":["A=b"],"Cmd":["c"],"Entrypoint":["d"],"User":"1:2","WorkingDir":"/w","Labels":{"l":"m"},"ExposedPorts":{"80/tcp":{}},"Volumes":{"/v":{}},"StopSignal":"TERM"},"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]},"history":[{"created_by":"x"},{"created_by":"y","empty_layer":true}]}"#;

/// Documents in lines; the third one after a manifest is a layer, empty.
fn documents() -> Vec<Vec<u8>> {
    let manifest = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",@1},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar",@2}]}"#;
    let docker = r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.docker.container.image.v1+json",@1},"layers":[{@2,"annotations":null}]}"#;
    let single = r#"{"schemaVersion":2,"manifests":[{@1,"annotations":{"org.opencontainers.image.ref.name":"t"}}]}"#;
    let platforms = r#"{"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json",@1},{@2,"platform":{"os":"unknown","architecture":"unknown"},"annotations":{"vnd.docker.reference.type":"attestation-manifest"}}]}"#;
    let nested = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{@1,"platform":{"os":"linux","architecture":"amd64"}},{@1,"platform":{"os":"linux","architecture":"arm","variant":"v6"}}]}"#;
    let foreign = r#"{"config":{@1},"layers":[{@2,"urls":["https://elsewhere"]}]}"#;
    [
        [single, manifest].as_slice(),
        &[single, docker],
        &[nested, manifest],
        &[platforms, nested, manifest],
        &[single, foreign],
    ]
    .iter()
    .map(|lines| [lines, [CONFIG, ""].as_slice()].concat().join("\n").into_bytes())
    .collect()
}

fn archives() -> Result<Vec<Vec<u8>>> {
    let item = r#"[{"Config":"c.json","RepoTags":["a:b"],"Layers":["1/layer.tar"]}]"#;
    let docker = [
        Entry::file("c.json", CONFIG),
        Entry::symlink("1/layer.tar", "../2/layer.tar"),
        Entry::file("2/layer.tar", ""),
        Entry::hard_link("3/layer.tar", "2/layer.tar"),
        Entry::file("manifest.json", item),
    ];
    let index = r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}]}"#;
    let oci = [
        Entry::file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#),
        Entry::file("index.json", index),
        Entry::file("blobs/sha256/44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "{}"),
    ];
    Ok(vec![layer::tar(&docker)?, layer::tar(&oci)?])
}

fn blobs() -> Result<Vec<Vec<u8>>> {
    let tar = layer::tar(&[Entry::file("f", "content")])?;
    let gzip = |bytes: &[u8]| nex_testkit::layout::gzip(bytes);
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3);
    let (first, second) = tar.split_at(700);
    Ok(vec![
        tar.clone(),
        gzip(&tar)?,
        [gzip(first)?, gzip(b"")?, gzip(second)?, vec![0; 100]].concat(),
        zstd(&tar)?,
        [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(first)?, &zstd(second)?].concat(),
        Vec::new(),
    ])
}

fn references() -> Vec<Vec<u8>> {
    let digest = format!("sha256:{}", iter::repeat_n('a', 64).collect::<String>());
    let texts = [
        "alpine",
        "docker://host:5000/a/b:tag",
        "docker://[::1]:5000/a/b:tag",
        &format!("localhost/a@{digest}"),
        &format!("oci:dir@{digest}"),
        "oci:/a/b:docker.io/library/alpine:3.20",
        "oci-archive:x.tar:tag",
        "docker-archive:x.tar:@1",
        "docker-archive:x.tar:alpine:3.20",
        "tar:x.tar.gz",
        "rootfs:/nowhere",
        "containers-storage:x",
        "scratch",
        &digest,
        &format!("sha512:{}", "b".repeat(128)),
        "linux/arm/v7",
        "linux/x86_64",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// What is changed, where, and a size of three bytes: of sound images, and of some with damage, five bytes for each byte of
/// it.
fn edits() -> Vec<Vec<u8>> {
    let (choices, places, sizes) = (0..4u8, [0u8, 1, 2, 5, 12, 24], [[0, 0, 0], [0x88, 0x13, 0], [0x40, 0x0d, 3]]);
    let edits = choices.flat_map(|choice| places.map(|place| [choice, place]));
    let sound: Vec<Vec<u8>> = edits.flat_map(|edit| sizes.map(|size| [&edit[..], &size].concat())).collect();
    let damage = |number: u8| [number, 0, number.wrapping_mul(24), 0, number];
    let damaged = sound.iter().zip(0..).map(|(edit, from)| {
        let damage = (from..from + 8).flat_map(damage);
        edit.iter().copied().chain(damage).collect()
    });
    damaged.chain(sound.clone()).collect()
}

/// Which guest, and five bytes for each byte of damage to it.
fn checks() -> Vec<Vec<u8>> {
    let damage = |number: u8| [number, 0, number.wrapping_mul(37), 0, number.wrapping_mul(11)];
    let damaged = |guest: u8, from: u8| std::iter::once(guest).chain((from..from + 8).flat_map(damage)).collect();
    (0..3).flat_map(|guest| [vec![guest], damaged(guest, 0), damaged(guest, 40), damaged(guest, 120)]).collect()
}

/// Which image, and whether wrong checksums are noted only; then five bytes for each byte of damage to it.
fn reads() -> Vec<Vec<u8>> {
    const IMAGES: u8 = 9;
    const NOTED: u8 = 0x80;
    let damage = |number: u8| [number, 0, number.wrapping_mul(37), number % 4, number.wrapping_mul(11)];
    let damaged = |image: u8, from: u8| iter::once(image).chain((from..from + 4).flat_map(damage)).collect();
    let of = |image: u8| [vec![image], damaged(image, 0), damaged(image | NOTED, 40), damaged(image, 120)];
    (0..IMAGES).flat_map(of).collect()
}

/// Changes of the records of the cache, as `fuzz_targets/cache.rs` reads them.
fn records() -> Vec<Vec<u8>> {
    const CHANGED: u8 = 0x10;
    let layers = (0..2u8).flat_map(|layer| (0..3u8).map(move |file| layer << 1 | file << 2));
    let replaced = layers.clone().map(|choice| vec![choice, b'{', b'}']);
    let changed = layers.flat_map(|choice| {
        let change = |at: u8| [at, 0, at.wrapping_mul(37)];
        [vec![], change(3).to_vec(), (0..8).flat_map(|at| change(at * 9)).collect()]
            .map(|changes| [&[choice | CHANGED], &changes[..]].concat())
    });
    // Changes of scripts in postcard's form: what was done (0 sets a name, 1 removes one), path, mode, owner, group, time, extended
    // attributes, type, and whether it is new.
    let set = |path: u8, kind: &[u8]| [&[0, 1, path, 0xa4, 3, 0, 0, 2, 0, 0], kind, &[1]].concat();
    let kinds: [&[u8]; 7] = [&[0], &[1, 9, 1, 2, 0, 4], &[1, 0, 0], &[2, 1, b'a'], &[3, 1, b'b'], &[4, 1, 3], &[6]];
    let framed = |change: Vec<u8>| [&[change.len() as u8], &change[..]].concat();
    let all: Vec<u8> = (b'a'..).zip(kinds).flat_map(|(path, kind)| framed(set(path, kind))).collect();
    let removed = framed(vec![1, 1, b'b']);
    let scripts = [all.clone(), [&all[..], &removed].concat(), removed].map(|changes| [&[1], &changes[..]].concat());
    replaced.chain(changed).chain(scripts).collect()
}

/// What the other end of a channel says, to a host and to a guest, with deeds of theirs between (`fuzz_targets/channel.rs`).
fn sessions() -> Vec<Vec<u8>> {
    const GUEST: u8 = 1;
    const PORT: u8 = 2;
    let frame = |number: u32, message: Message| {
        let mut bytes = Vec::new();
        if let Some(stream) = StreamId::new(number) {
            Frame { stream, message }.encode(&mut bytes);
        }
        bytes
    };
    let pieces =
        |bytes: Vec<u8>| bytes.chunks(128).flat_map(|piece| [&[piece.len() as u8 - 1], piece].concat()).collect();
    let said = |number, message| -> Vec<u8> { pieces(frame(number, message)) };
    let close: Vec<u8> = pieces(CLOSE_FRAME.to_vec());
    // A deed of the first stream, with its amount; from 8 on, what waits is taken, and 15 closes.
    let deed = |deed: u8, amount: u8| vec![0x80 | deed << 3, amount];
    let request = br#"{"exec":{"argv":["a",{"hex":"ff"}],"env":["A=b"],"user":"1","workingDir":"/","stdin":"stream"}}"#;
    let (first, second) = request.split_at(20);
    let signal = Signal::new(15).map(|signal| said(1, Message::Signal(signal))).unwrap_or_default();
    let asked = [said(1, Message::Open(first, Part::More)), said(1, Message::Open(second, Part::Last))].concat();
    let begun =
        [asked.clone(), deed(0, 0), deed(8, 255), said(1, Message::Data(Flow::Stdin, b"input")), signal].concat();
    let to_guest = [
        [&begun[..], &deed(1, 1), &deed(4, 1), &said(1, Message::Eof(Flow::Stdin)), &deed(5, 0), &deed(8, 255)]
            .concat(),
        [&begun[..], &deed(1, 200), &said(1, Message::Reset("enough".into())), &deed(5, 0), &deed(8, 9)].concat(),
        [&asked[..], &deed(6, 0), &said(1, Message::Eof(Flow::Stdin)), &deed(8, 9), &asked].concat(),
        [&begun[..], &deed(1, 1), &deed(8, 9), &said(1, Message::Credit(Flow::Stdout, 1)), &[11], &[0; 12]].concat(),
        said(1, Message::Open(br#"{"attach":{"size":{"rows":1,"columns":1}}}"#, Part::Last)),
        said(1, Message::Open(br#"{"tarIn":{"path":"/"}}"#, Part::Last)),
        [&begun[..], &deed(15, 0), &deed(5, 0), &deed(8, 255), &close].concat(),
        [&begun[..], &deed(1, 1), &close, &deed(8, 9)].concat(),
    ];
    let opened =
        [deed(0, 1), deed(8, 255), said(1, Message::Opened), said(1, Message::Data(Flow::Stdout, b"x"))].concat();
    let ends = [said(1, Message::Eof(Flow::Stdout)), said(1, Message::Eof(Flow::Stderr))].concat();
    let exit = said(1, Message::Exit(Exit::Code(0)));
    let to_host = [
        [&opened[..], &deed(1, 3), &deed(2, 0), &deed(8, 99), &ends, &exit, &deed(6, 1), &deed(7, 1)].concat(),
        [&opened[..], &deed(3, 0), &deed(5, 0), &deed(8, 9), &exit].concat(),
        [&opened[..], &deed(15, 0), &deed(8, 9), &said(1, Message::Data(Flow::Stdout, b"x")), &close].concat(),
        [&opened[..], &close, &deed(8, 9), &deed(6, 1)].concat(),
        [&deed(0, 99)[..], &deed(8, 9), &deed(5, 0), &deed(8, 9), &said(1, Message::Reset("no".into()))].concat(),
    ];
    let windows = [0, 8, 16, 24];
    let all = to_guest.iter().map(|steps| (GUEST, steps)).chain(to_host.iter().map(|steps| (0, steps)));
    all.flat_map(|(end, steps)| {
        let choices = windows.into_iter().flat_map(|window| [window, window | PORT]);
        choices.map(move |choice| [&[choice | end], &steps[..]].concat())
    })
    .collect()
}

/// Small kernels in every form, and configurations.
fn kernels() -> Result<Vec<Vec<u8>>> {
    let config =
        b"# Automatically generated file; DO NOT EDIT.\nCONFIG_EXT4_FS=y\n# CONFIG_X is not set\nCONFIG_Y=\"z\"\n";
    let mut vmlinux = b"\x7fELF\x02\x01\x01".to_vec();
    vmlinux.resize(18, 0);
    vmlinux.extend_from_slice(&62_u16.to_le_bytes());
    vmlinux.resize(64, 0);
    let inside = [b"Linux version 6.6.7 (a@b)\n\0IKCFG_ST".as_slice(), &nex_testkit::layout::gzip(config)?].concat();
    vmlinux.extend_from_slice(&inside);
    let mut image = vec![0; 64];
    image[0x38..0x3C].copy_from_slice(b"ARM\x64");
    image.extend_from_slice(&inside);
    let mut bzimage = vec![0; 1024];
    bzimage[0x1F1] = 1;
    bzimage[0x202..0x206].copy_from_slice(b"HdrS");
    bzimage[0x206..0x208].copy_from_slice(&0x020F_u16.to_le_bytes());
    bzimage[0x20E..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    bzimage[0x236] = 1;
    bzimage[0x300..0x308].copy_from_slice(b"6.6.7 (a");
    let around = |payload: &[u8]| {
        let mut file = bzimage.clone();
        file[0x24C..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        [&file, payload].concat()
    };
    let mut zboot = b"MZ\0\0zimg".to_vec();
    let payload = zstd::encode_all(&image[..], 3)?;
    zboot.extend_from_slice(&64_u32.to_le_bytes());
    zboot.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    zboot.resize(64, 0);
    zboot.extend_from_slice(&payload);
    let gzip = nex_testkit::layout::gzip(&vmlinux)?;
    let magics = [
        b"\x02\x21\x4c\x18\x05\0\0\0\x40abcd".as_slice(),
        b"\xfd7zXZ\0\0\x01",
        b"\x5d\0\0\x80\0",
        b"BZh9",
        b"\x89LZO\0",
    ];
    let packed = magics.iter().map(|payload| around(payload)).collect::<Vec<_>>();
    let zstd = around(&zstd::encode_all(&vmlinux[..], 3)?);
    Ok([vec![config.to_vec(), vmlinux, image, around(&gzip), zstd, gzip, zboot], packed].concat())
}

/// Journals of the guest that `fuzz_targets/journal.rs` reads, as docs/supervisor.md describes them.
fn journals() -> Vec<Vec<u8>> {
    let process = r#"{"pid":7,"startTicks":9,"pidNamespace":5,"bootId":"00000000-0000-4000-8000-000000000000"}"#;
    let line = |event: &str| format!("{{\"schemaVersion\":1,\"time\":1700000000000,\"event\":{event}}}\n");
    let created = line(&format!(
        r#""created","id":"abcdefghijklmnopqrstuvwxyz","name":"web","root":"a.ext4","command":["sh"],"supervisor":{process}"#
    ));
    let rest = [
        r#""makes","path":"/tmp/nex-abcdefghijklmnopqrstuvwxyz""#.to_owned(),
        format!(r#""started","name":"qemu","vmm":{process}"#),
        r#""up""#.to_owned(),
        r#""restarted","times":1"#.to_owned(),
        r#""stop-asked","by":{"who":"client","uid":1000,"pid":8},"how":"stop""#.to_owned(),
        r#""ended","reason":"exited","code":3,"ranMs":5,"restarts":1,"losses":{"droppedBytes":4}"#.to_owned(),
    ];
    let whole = [created.clone(), rest.iter().map(|event| line(event)).collect()].concat();
    let torn = whole.as_bytes().get(..whole.len() / 2).unwrap_or_default().to_vec();
    vec![created.into_bytes(), whole.into_bytes(), torn]
}

/// Bytes of output, as `fuzz_targets/spool.rs` writes them before it damages what is written.
fn spools() -> Vec<Vec<u8>> {
    let damage = |from: u8| (from..from + 4).flat_map(|number| [number, number.wrapping_mul(37), 0, number]);
    (0..4_u8).map(|number| iter::once(number * 5).chain(damage(number * 40)).collect()).collect()
}
