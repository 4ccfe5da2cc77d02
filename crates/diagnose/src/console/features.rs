//! The file system features that a kernel may not know, by the bits that it names.

use nex_ext4::FeatureSet;

use crate::feature::{Need, needs_of};

/// The features of these bits: `casefold (kernel 5.2, with CONFIG_UNICODE)`.
pub fn incompatible(bits: u32) -> String {
    names(bits, FeatureSet::Incompat)
}

/// Likewise of those that only forbid to write.
pub fn read_only_compatible(bits: u32) -> String {
    names(bits, FeatureSet::RoCompat)
}

fn names(bits: u32, set: FeatureSet) -> String {
    let mut names: Vec<_> = needs_of(set, bits).filter_map(|need| name(&need)).collect();
    let nameless = needs_of(set, bits).filter(|need| need.feature.name().is_none());
    let rest = nameless.fold(0, |rest, need| rest | need.feature.bit);
    if rest != 0 || names.is_empty() {
        names.push(format!("{rest:#x}, which has no name here"));
    }
    names.join(", ")
}

fn name(need: &Need) -> Option<String> {
    let name = need.feature.name()?;
    let Some((major, minor)) = need.since else { return Some(format!("{name} (no kernel)")) };
    let options: Vec<_> = need.options.iter().map(|option| format!("CONFIG_{option}")).collect();
    let with = if options.is_empty() { String::new() } else { format!(", with {}", options.join(" and ")) };
    Some(format!("{name} (kernel {major}.{minor}{with})"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn bits_have_names() {
        assert_eq!(super::incompatible(0x2_0000), "casefold (kernel 5.2, with CONFIG_UNICODE)");
        assert_eq!(super::incompatible(0x800_0400), "ea_inode (kernel 4.13), 0x8000000, which has no name here");
        assert_eq!(super::read_only_compatible(0), "0x0, which has no name here");
    }
}
