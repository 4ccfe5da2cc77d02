//! The file system features that a kernel may not know, by the bits that it names.

use crate::image::feature::{self, Feature, Set};

/// The features of these bits: `casefold (kernel 5.2, with CONFIG_UNICODE)`.
pub fn incompatible(bits: u32) -> String {
    names(bits, Set::Incompat)
}

/// Likewise of those that only forbid to write.
pub fn read_only_compatible(bits: u32) -> String {
    names(bits, Set::RoCompat)
}

fn names(bits: u32, set: Set) -> String {
    let named = feature::named(set, bits).filter(|feature| !feature.name().is_empty());
    let mut names: Vec<_> = named.map(|feature| name(&feature)).collect();
    let rest =
        feature::named(set, bits).filter(|feature| feature.name().is_empty()).fold(0, |rest, one| rest | one.bit());
    if rest != 0 || names.is_empty() {
        names.push(format!("{rest:#x}, which has no name here"));
    }
    names.join(", ")
}

fn name(feature: &Feature) -> String {
    let Some((major, minor)) = feature.since else { return format!("{} (no kernel)", feature.name()) };
    let options: Vec<_> = feature.options.iter().map(|option| format!("CONFIG_{option}")).collect();
    let with = if options.is_empty() { String::new() } else { format!(", with {}", options.join(" and ")) };
    format!("{} (kernel {major}.{minor}{with})", feature.name())
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
