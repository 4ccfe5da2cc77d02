//! The guest's name servers, where `/etc/resolv.conf` leads to the agent's file: what the kernel has made of its `ip=`, or, for a
//! kernel that does not (`CONFIG_IP_PNP`), what `ip=` says.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use nex_contract::AGENT_RESOLV_CONF;

use crate::command_line::CommandLine;
use crate::mounts::make_directory;

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What the kernel writes, in the form of resolv.conf(5).
const KERNEL: &str = "/proc/net/pnp";

/// Where the name servers stand among the fields of `ip=`, counted from 0; see the kernel's
/// Documentation/admin-guide/nfs/nfsroot.rst.
const SERVERS: [usize; 2] = [7, 8];

/// Writes the file, where `/etc/resolv.conf` leads to it. `/run` and `/proc` should be mounted.
///
/// # Errors
/// When it cannot be written.
pub fn write_resolv_conf(line: &CommandLine) -> Result<(), String> {
    let path = Path::new(AGENT_RESOLV_CONF);
    if !fs::read_link(RESOLV_CONF).is_ok_and(|target| target == path) {
        return Ok(());
    }
    make_directory(path.parent().unwrap_or(path))?;
    let kernels = fs::read_to_string(KERNEL).unwrap_or_default();
    fs::write(path, text(kernels, line)).map_err(|error| format!("cannot write {AGENT_RESOLV_CONF}: {error}"))
}

/// The file: the kernel's where that names a server.
fn text(kernels: String, line: &CommandLine) -> String {
    if kernels.lines().any(|line| line.starts_with("nameserver ")) {
        return kernels;
    }
    let fields: Vec<_> = line.value("ip").unwrap_or_default().split(':').collect();
    let addresses = SERVERS.iter().filter_map(|&field| fields.get(field)?.parse::<Ipv4Addr>().ok());
    let servers = addresses.filter(|address| !address.is_unspecified() && !address.is_broadcast());
    let lines: String = servers.map(|address| format!("nameserver {address}\n")).collect();
    match lines.as_str() {
        "" => "# No name server: the kernel has none, and ip= on its command line has no dns0-ip.\n".into(),
        _ => format!("# From ip= on the kernel's command line.\n{lines}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(kernels: &str, line: &str) -> Vec<String> {
        let text = text(kernels.into(), &CommandLine::parse(line.as_bytes()));
        text.lines().filter_map(|line| line.strip_prefix("nameserver ")).map(str::to_owned).collect()
    }

    #[test]
    fn the_kernels_servers_come_first_and_the_command_lines_are_the_other_way() {
        let ip = "ip=192.0.2.15::192.0.2.2:255.255.255.0:box:eth0:off:192.0.2.3:192.0.2.4:192.0.2.5";
        assert_eq!(servers("", ip), ["192.0.2.3", "192.0.2.4"]);
        assert_eq!(servers("#MANUAL\nnameserver 192.0.2.9\n", ip), ["192.0.2.9"]);
        assert_eq!(servers("#PROTO: DHCP\ndomain x\n", ip), ["192.0.2.3", "192.0.2.4"]);
        assert_eq!(servers("", "ip=::::::off::192.0.2.4"), ["192.0.2.4"]);
        for none in ["", "ip=dhcp", "ip=192.0.2.15::192.0.2.2", "ip=::::::off:x:0.0.0.0", "ip=off"] {
            assert!(servers("", none).is_empty(), "{none}");
            assert!(text(String::new(), &CommandLine::parse(none.as_bytes())).starts_with("# No name server"));
        }
    }
}
