//! Users, groups and passwords, of the image and of the agent.

use nex_inspect::View;

use super::super::memory::Image;
use super::super::{Error, Init, Options, wire};
use super::{alpine, wired, wired_with};

#[test]
fn distroless_keeps_its_users() {
    let image = Image::default()
        .file(
            "/etc/passwd",
            0o644,
            "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:\n",
        )
        .file("/etc/group", 0o644, "root:x:0:\nnonroot:x:65532:\n");
    let (guest, wiring) = wired(image);
    assert_eq!(wiring.init, Init::Agent);
    assert!(guest.text("/etc/passwd").contains("nonroot:x:65532:65532:nonroot:/home/nonroot:\nnex:x:1000:1000:"));
    assert_eq!(guest.text("/etc/shadow"), "root:*::0:99999:7:::\nnex:!::0:99999:7:::\n");
}

#[test]
fn every_byte_of_other_users_stays() {
    let image = alpine().file("/etc/passwd", 0o644, b"root:x:0:0::/root:/bin/sh\n\n# caf\xe9 \n+::::::\nlast:x:7:7");
    let wiring = wire(&image, &Options::default()).unwrap();
    let guest = image.apply(&wiring.changes);
    let expected =
        b"root:x:0:0::/root:/bin/sh\n\n# caf\xe9 \n+::::::\nlast:x:7:7\nnex:x:1000:1000:nex:/home/nex:/sbin/nologin\n";
    assert_eq!(guest.read(b"/etc/passwd", u64::MAX).unwrap().unwrap(), expected);
    let shadow = guest.stat(b"/etc/shadow").unwrap();
    assert_eq!((shadow.mode, shadow.uid, shadow.gid), (0o640, 0, 42));
}

#[test]
fn an_existing_nex_keeps_its_numbers_and_gets_its_home() {
    let image = alpine()
        .file("/etc/passwd", 0o644, "root:x:0:0::/root:/bin/sh\nnex:x:101:102::/home/nex:/bin/sh\n")
        .file("/etc/group", 0o644, "root:x:0:\nnex:x:102:\n");
    let (guest, wiring) = wired(image);
    assert!(guest.text("/etc/passwd").ends_with("nex:x:101:102::/home/nex:/bin/sh\n"));
    let home = guest.stat(b"/home/nex").unwrap();
    assert_eq!((home.uid, home.gid), (101, 102));
    assert_eq!(wiring.notes.iter().filter(|note| note.fact().contains("stays")).count(), 2, "{:?}", wiring.notes);
}

#[test]
fn another_user_1000_is_joined_and_named() {
    let image = alpine().file("/etc/passwd", 0o644, "root:x:0:0::/:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n");
    let (guest, wiring) = wired(image);
    assert!(guest.text("/etc/passwd").contains("\nnode:x:1000:1000::/home/node:/bin/sh\nnex:x:1000:1000:"));
    assert!(wiring.notes.iter().any(|note| note.fact().contains("'node'")), "{:?}", wiring.notes);
}

#[test]
fn root_without_a_password_is_locked() {
    let (guest, wiring) = wired(alpine().file("/etc/shadow", 0o640, "root:::0:::::\n"));
    assert!(guest.text("/etc/shadow").starts_with("root:*::0:::::\n"));
    assert!(wiring.notes.iter().any(|note| note.fact().contains("empty password")), "{:?}", wiring.notes);

    let (guest, wiring) = wired(Image::default().file("/etc/passwd", 0o644, "root::0:0:root:/root:/bin/sh\n"));
    assert!(guest.text("/etc/passwd").starts_with("root:x:0:0:root:/root:/bin/sh\n"));
    assert!(guest.text("/etc/shadow").starts_with("root:*:"));
    assert!(wiring.notes.iter().any(|note| note.fact().contains("empty password")), "{:?}", wiring.notes);
}

#[test]
fn root_gets_the_password_asked_for() {
    // Of "secret", made by `openssl passwd -1 -salt salt`.
    for field in ["$1$salt$ez2vlPGdaLYkJam5pWs/Y1", "!", "*"] {
        let options = Options { root_password: Some(field.into()), ..Options::default() };
        let (guest, _) = wired_with(alpine(), &options);
        assert!(guest.text("/etc/shadow").starts_with(&format!("root:{field}::0:::::\nguest:!::0:::::\n")));
    }
    for broken in ["x:0:0\n", "secret", "$6$salt$hash"] {
        let broken = Options { root_password: Some(broken.into()), ..Options::default() };
        let error = wire(&alpine(), &broken).unwrap_err();
        assert!(matches!(error, Error::PasswordHash) && !error.to_string().contains("secret"));
    }
}

#[test]
fn a_password_that_the_image_brings_is_told() {
    let (guest, wiring) = wired(alpine().file("/etc/shadow", 0o640, "root:$6$salt$hash:0:::::\n"));
    assert!(guest.text("/etc/shadow").starts_with("root:$6$salt$hash:0:::::\n"));
    assert!(wiring.notes.iter().any(|note| note.fact().contains("stays valid")), "{:?}", wiring.notes);
    let (_, wiring) = wired(alpine().file("/etc/shadow", 0o640, "root:!$6$salt$hash:0:::::\n"));
    assert!(!wiring.notes.iter().any(|note| note.fact().contains("stays valid")), "{:?}", wiring.notes);
}
