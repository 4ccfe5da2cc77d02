//! Reports about the cache as text.

use nex_cache::{CacheReport, CacheUsage, VerifyReport, age};
use nex_rootfs::GarbageReport;
use nex_text::{human, short_digest};

use crate::lines::{Lines, since};

/// What is in the cache, a line for each entry.
pub fn entries(report: &CacheReport) -> String {
    let mut lines = Lines::default();
    for entry in &report.entries {
        let key = short_digest(&entry.key);
        let about = entry.about.as_deref().unwrap_or("damaged; nex cache verify removes it");
        let (bytes, age) = (human(entry.bytes), since(age(entry.used)));
        lines.add(entry.kind, &format!("{key}  {bytes:>10}  {age:>6}  {about}"));
    }
    lines.0
}

/// How much room the cache takes.
pub fn usage(usage: &CacheUsage) -> String {
    let mut lines = Lines::default();
    lines.add("directory", &usage.directory);
    for kind in &usage.kinds {
        lines.add(kind.kind, &format!("{} in {} entries", human(kind.bytes), kind.entries));
    }
    lines.add("total", &format!("{} ({} bytes)", human(usage.bytes), usage.bytes));
    lines.add("limit", &format!("{} ({} bytes)", human(usage.limit), usage.limit));
    lines.0
}

/// What was removed.
pub fn collected(report: &GarbageReport) -> String {
    let (mut lines, cache) = (Lines::default(), &report.cache);
    lines.add("directory", &cache.directory);
    lines.add("removed", &format!("{} in {} entries", human(cache.removed_bytes), cache.removed));
    lines.add("total", &format!("{} ({} bytes)", human(cache.bytes), cache.bytes));
    if report.removed_trees > 0 {
        lines.add("trees", &format!("{} of killed builds removed from {}", report.removed_trees, report.work_dir));
    }
    lines.notes(&report.notes);
    lines.0
}

/// What was found to be damaged.
pub fn verified(report: &VerifyReport) -> String {
    let mut lines = Lines::default();
    lines.add("directory", &report.directory);
    lines.add("checked", &format!("{} in {} entries", human(report.bytes), report.checked));
    for damage in &report.damaged {
        lines.add("removed", &format!("{}: {}", damage.path, damage.problem));
    }
    for path in &report.foreign {
        lines.add("foreign", &format!("{path}: no entry of the cache; remove it yourself"));
    }
    lines.add("damaged", &report.damaged.len().to_string());
    lines.0
}
