//! Ports of vsock, as the words of the command line have them.

/// The kernel's `VMADDR_PORT_ANY`, which stands for no port.
const ANY: u32 = u32::MAX;

/// A port in digits alone, so that each is written in one way.
pub fn parse(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_plain && *port != ANY)
}
