//! The report of a build as text.

use nex_contract::AGENT;
use nex_rootfs::guest::{Pid1, ResolvConf, ResolvConfAction};
use nex_rootfs::{AgentServiceReport, Report, ScriptReport, VerityReport};
use nex_sandbox::MemoryBound;
use nex_text::{human, short_digest};

use crate::lines::{Lines, amount, times};

/// The report for people.
pub fn text(report: &Report) -> String {
    let mut lines = Lines::default();
    lines.add("output", &report.output);
    if let Some(sha256) = &report.sha256 {
        lines.add("sha256", sha256);
    }
    lines.add("size", &sizes(report));
    lines.add("used", &amount(&report.used));
    lines.add("free", &amount(&report.free));
    if let Some(verity) = &report.verity {
        add_verity(&mut lines, verity);
    }
    lines.add("image", &report.image.reference);
    if let Some(digest) = &report.image.digest {
        lines.add("digest", digest);
    }
    lines.add("platform", &report.image.platform);
    for (index, layer) in report.image.layers.iter().enumerate() {
        let label = if index == 0 { "layers" } else { "" };
        let cached = if layer.cached { ", from the cache" } else { "" };
        let (digest, bytes) = (short_digest(&layer.digest), human(layer.tar_bytes));
        lines.add(label, &format!("{digest}  {bytes}, {} entries{cached}", layer.entries));
    }
    if let Some(script) = &report.script {
        add_script(&mut lines, script);
    }
    if let Some(script) = &report.boot_script {
        lines.add("boot script", script);
    }
    let whose = if report.agent.protocol.is_some() { "" } else { ", not nex's own" };
    lines.add("agent", &format!("{} ({}{whose})", report.agent.path, human(report.agent.bytes)));
    lines.add("started by", &report.started_by);
    add_service(&mut lines, &report.agent_service);
    if report.pid1 == Pid1::Image {
        lines.add("process 1", "the image's program, once the guest is up");
    }
    lines.add("resolv.conf", &resolv_conf(&report.resolv_conf));
    lines.notes(&report.notes);
    lines.add("time", &times(&report.phases, 2));
    lines.0
}

fn resolv_conf(done: &ResolvConf) -> String {
    let path = done.path.as_deref().unwrap_or_default();
    let what = match done.action {
        ResolvConfAction::Kept if done.path.is_none() => "kept".into(),
        ResolvConfAction::Kept => format!("kept, a link to {path}"),
        ResolvConfAction::Kernel => format!("the kernel's, by a link to {path}"),
        ResolvConfAction::Agent => format!("the agent's, by a link to {path}"),
        ResolvConfAction::File => format!("from {path}"),
    };
    format!("{what} ({})", done.why)
}

/// How the agent is started, as far as that is not as usual.
fn add_service(lines: &mut Lines, service: &AgentServiceReport) {
    if service.path != AGENT {
        lines.add("as", &service.path);
    }
    for (index, word) in service.args.iter().enumerate() {
        lines.add(if index == 0 { "arguments" } else { "" }, word);
    }
    for (index, variable) in service.env.iter().enumerate() {
        lines.add(if index == 0 { "variables" } else { "" }, variable);
    }
    if !matches!(&*service.user, "nex:nex" | "root") {
        lines.add("user", &service.user);
    }
}

/// The directories that gained most are named, and as many of the files that are left out.
fn add_script(lines: &mut Lines, script: &ScriptReport) {
    const NAMED: usize = 5;
    lines.add(
        "script",
        &format!(
            "{}: {}{} created, {} changed, {} deleted, {} in files",
            script.scripts.join(", "),
            if script.cached { "cached; " } else { "" },
            script.created,
            script.changed,
            script.deleted,
            human(script.bytes)
        ),
    );
    let mut gained: Vec<_> = script.directories.iter().filter(|directory| directory.bytes > 0).collect();
    gained.sort_by_key(|directory| std::cmp::Reverse(directory.bytes));
    for directory in gained.iter().take(NAMED) {
        lines.add("", &format!("+ {}  {}", human(directory.bytes), directory.path));
    }
    if script.memory == Some(MemoryBound::Cgroup) {
        lines.add("", "its memory was held by a cgroup");
    }
    if let Some(snapshot) = &script.snapshot {
        lines.add("", &format!("the result is what it left in {snapshot}"));
    }
    if !script.left_out.is_empty() {
        let named: Vec<_> = script.left_out.iter().take(NAMED).map(String::as_str).collect();
        let more = script.left_out.len().saturating_sub(NAMED) as u64 + script.unlisted_left_out;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.add("left out", &format!("{}{more} (--clean=false keeps them)", named.join(", ")));
    }
}

fn sizes(report: &Report) -> String {
    let size = format!("{} ({} bytes)", human(report.size), report.size);
    let appended = report.verity.as_ref().filter(|verity| verity.hash_file.is_none()).map(|verity| verity.hash_bytes);
    let expected = report.size + appended.unwrap_or(0);
    if report.output_bytes == expected { size } else { format!("{size}, {} compressed", human(report.output_bytes)) }
}

fn add_verity(lines: &mut Lines, verity: &VerityReport) {
    let place = match &verity.hash_file {
        Some(file) => format!("in {file}"),
        None => format!("at {}", verity.hash_offset),
    };
    lines.add("verity", &format!("{} blocks, hash tree of {} {place}", verity.data_blocks, human(verity.hash_bytes)));
    lines.add("root hash", &verity.root_hash);
    lines.add("salt", &verity.salt);
    lines.add("boot with", &verity.kernel_arguments);
    lines.add("check with", &verity.verify);
    lines.add("open with", &verity.open);
}
