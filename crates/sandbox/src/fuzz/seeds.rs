//! What fuzzing starts from: a run as each side hears it, with something of every kind.

use std::time::Duration;

use serde::Serialize;

use super::Listener;
use crate::ids::TreeIds;
use crate::protocol::{Answer, Ending, Limit, Order, Outcome, Report, Setup};
use crate::uplink::Uplink;
use crate::{Change, Kind, Limits, MemoryBound, Mount, Network, Node, Piece, Script, Secret, World, Xattr};

/// Inputs for the target, each with its listener.
pub fn seeds() -> Vec<Vec<u8>> {
    let told: Vec<Said> = nodes().into_iter().map(change).chain([removed(), said(&Answer::NoMoreChanges)]).collect();
    let answers = [said(&Answer::Unshared), said(&Answer::NoUserNamespace(1)), said(&Answer::Failed("no".into()))];
    let endings = endings().map(|ending| [said(&Answer::Shell(ending.clone())), said(&Answer::Ended(ending))].concat());
    let all_answers = [answers.concat(), endings.concat(), said(&Answer::Removed)].concat();
    let orders = [said(&Order::Start(Box::new(setup()))), said(&Order::Run { shell: Some("vt102".into()) })];
    let places = nodes().into_iter().map(|node| said(&Order::Place(node)));
    let tree: Vec<Said> = places.clone().collect();
    let init =
        [said(&(setup(), Some("vt102"), MemoryBound::Cgroup)), said(&(setup(), None::<String>, MemoryBound::Sampled))];
    let mut seeds = vec![
        input(Listener::Monitor, tree.concat()),
        input(Listener::Monitor, orders.concat()),
        input(Listener::Caller, all_answers),
        input(Listener::CallerThatKeeps, told.concat()),
        input(Listener::MonitorOfInit, reports()),
        input(Listener::Init, init.concat()),
    ];
    seeds.extend(places.map(|place| input(Listener::Monitor, place)));
    seeds
}

/// Bytes on the wire.
type Said = Vec<u8>;

fn said(message: &impl Serialize) -> Said {
    let message = postcard::to_stdvec(message).expect("it can be said");
    [&u32::try_from(message.len()).expect("it is short").to_le_bytes()[..], &message].concat()
}

fn input(listener: Listener, said: Said) -> Vec<u8> {
    [&[listener as u8][..], &said].concat()
}

/// A change, and behind it what its file consists of.
fn change(node: Node) -> Said {
    let change = Change::Set { node, new: true };
    let content = vec![b'x'; usize::try_from(change.content_length()).expect("it is short")];
    [said(&Answer::Change(change)), content].concat()
}

fn removed() -> Said {
    said(&Answer::Change(Change::Removed(b"etc/old".to_vec())))
}

/// A tree.
fn nodes() -> Vec<Node> {
    let xattr = |name: &str, value: &[u8]| Xattr { name: name.into(), value: value.to_vec() };
    let acl =
        [2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 5, 0, 255, 255, 255, 255, 32, 0, 5, 0, 255, 255, 255, 255];
    let pieces = vec![Piece { offset: 4096, source: 0, length: 5 }, Piece { offset: 65536, source: 5, length: 3 }];
    let kinds = [
        ("", Kind::Directory),
        ("dev", Kind::Directory),
        ("dev/console", Kind::CharacterDevice { major: 5, minor: 1 }),
        ("dev/disk", Kind::BlockDevice { major: 259, minor: 70_000 }),
        ("etc", Kind::Directory),
        ("etc/empty", Kind::File { size: 0, pieces: Vec::new() }),
        ("etc/sparse", Kind::File { size: 100_000, pieces }),
        ("etc/twice", Kind::HardLink(b"etc/sparse".to_vec())),
        ("etc/link", Kind::Symlink(b"../../outside".to_vec())),
        ("fifo", Kind::Fifo),
    ];
    let node = |(number, (path, kind)): (u32, (&str, Kind))| Node {
        path: path.into(),
        mode: if kind == Kind::Directory { 0o1777 } else { 0o4751 },
        uid: number,
        gid: 34,
        seconds: -1,
        nanoseconds: 999_999_999,
        xattrs: match path {
            "etc" => vec![xattr("system.posix_acl_default", &acl)],
            "etc/sparse" => vec![xattr("user.x", b"value"), xattr("trusted.y", b"hidden")],
            _ => Vec::new(),
        },
        kind,
    };
    (0..).zip(kinds).map(node).collect()
}

fn setup() -> Setup {
    Setup {
        place: "/work/run-1".into(),
        ids: TreeIds::first(65536),
        groups: true,
        world: World {
            scripts: vec![Script { name: "setup.sh".into(), content: b"#!/bin/sh\n".to_vec() }],
            env: vec![("A".into(), "b".into())],
            directories: vec![b"/my-rootfs".to_vec()],
            mounts: vec![Mount { source: "/srv".into(), target: b"/srv".to_vec(), read_only: true }],
            secrets: vec![Secret { name: "token".into(), content: b"secret".to_vec() }],
            network: Network::Host,
            hostname: "box".into(),
            limits: Limits { time: Duration::from_millis(1500), memory: 1 << 30, processes: 4096, names: 1 << 20 },
        },
        keep_failed: true,
        uplink: Uplink::Sockets,
        has_memory_group: true,
        resolver: Some(b"nameserver 127.0.0.1\n".to_vec()),
    }
}

fn endings() -> [Ending; 4] {
    let limit = Outcome::Limit { script: 2, limit: Limit::Disk(1 << 30) };
    [Outcome::Done, Outcome::Exit { script: 0, code: -1 }, Outcome::Signal { script: 1, signal: 9 }, limit].map(
        |outcome| Ending {
            outcome,
            line: Some(7),
            memory: MemoryBound::Sampled,
            refused: Some("'chown' could not".into()),
        },
    )
}

fn reports() -> Said {
    let reports = [
        Report::Unshared,
        Report::Listening,
        Report::Began { script: 0, file: (65024, 77) },
        Report::Ended { script: 0, status: 11, signalled: true },
        Report::Shell,
        Report::ShellEnded,
        Report::Failed("no".into()),
    ];
    reports.iter().flat_map(said).collect()
}
