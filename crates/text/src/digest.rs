//! Digests in texts for people.

/// Hex digits of a digest that are enough to recognise it.
const ENOUGH: usize = 12;

/// A digest, or a name made of one, as people recognise it: `sha256:0123456789ab…`.
///
/// All that nex writes for people has this form, but for digests that somebody may have to copy: those have all their digits.
pub fn short_digest(digest: &str) -> String {
    let algorithm = digest.find([':', '-']).map_or(0, |at| at + 1);
    match digest.char_indices().nth(algorithm + ENOUGH) {
        Some((end, _)) => format!("{}\u{2026}", &digest[..end]),
        None => digest.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::short_digest;

    #[test]
    fn what_is_cut_has_an_ellipsis() {
        assert_eq!(short_digest(&format!("sha256:0123456789ab{}", "c".repeat(52))), "sha256:0123456789ab\u{2026}");
        assert_eq!(short_digest("sha256-0123456789abc"), "sha256-0123456789ab\u{2026}");
        for whole in ["sha256:0123456789ab", "sha256:", "", "0123456789ab"] {
            assert_eq!(short_digest(whole), whole);
        }
    }
}
