//! The reason of a failed boot as text.

use nex_diagnose::console::{Explanation, Symptom};
use nex_text::human;

use crate::lines::Lines;

/// Why a boot failed, for people; and why the image could not be looked at.
pub fn explanation(explanation: &Explanation, unread_image: Option<&str>) -> String {
    let mut lines = Lines::default();
    match &explanation.cause {
        None if explanation.ready => lines.add("cause", "none: the agent has reported that the guest is up"),
        None => lines.add("cause", "none was found"),
        Some(Symptom { finding, line, .. }) => {
            lines.add("cause", &format!("{} ({})", finding.evidence, finding.id));
            if let Some(line) = line {
                lines.add(&format!("line {}", line.number), &line.text);
            }
            lines.remedy("do", &finding.remedy);
        }
    }
    for (index, Symptom { finding, line, .. }) in explanation.others.iter().enumerate() {
        let label = if index == 0 { "then" } else { "" };
        let place = line.as_ref().map(|line| format!(", line {}", line.number)).unwrap_or_default();
        lines.add(label, &format!("{} ({}{place})", finding.evidence, finding.id));
    }
    if let Some(kernel) = &explanation.kernel {
        lines.add("kernel", kernel);
    }
    if explanation.unread_bytes > 0 {
        let bytes = human(explanation.unread_bytes as u64);
        lines.add("unread", &format!("{bytes} in the console's middle, which is longer than any boot's"));
    }
    if let Some(why) = unread_image {
        lines.add("image", &format!("could not be looked at: {why}"));
    }
    lines.0
}
