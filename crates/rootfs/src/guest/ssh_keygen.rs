//! What makes the host keys of SSH servers.

use nex_inspect::View;

/// A script or a unit that makes keys mentions one of these.
const MAKERS: [&[u8]; 4] = [b"ssh-keygen", b"sshd-keygen", b"gen-keys", b"dropbearkey"];

/// More than any of these files has, in bytes.
const LONGEST: u64 = 1 << 20;

/// Whether a file makes keys.
pub(crate) fn makes_keys(view: &dyn View, path: &str) -> bool {
    let text = view.read(path.as_bytes(), LONGEST).ok().flatten().unwrap_or_default();
    MAKERS.iter().any(|maker| text.windows(maker.len()).any(|window| window == *maker))
}
