//! The image of Nex's documentation page, which nex takes without `--image`. A third party keeps it in a registry, so there is more
//! to say than of other images where the registry does not give it.

use nex_fault::Code;
use nex_image::{InstalledName, Reference};
use nex_rootfs::Options;

use crate::diagnostic::Diagnostic;

/// Its name.
pub const NAME: &str = "synadia/nex-rootfs:alpine";

/// The same failure, with the choices that there are where it is this image that a registry did not give.
pub fn with_choices(diagnostic: Diagnostic, options: &Options) -> Diagnostic {
    if !is_not_given(diagnostic.code()) || NAME.parse() != Ok(options.reference.clone()) {
        return diagnostic;
    }
    let ours = Reference::Installed(InstalledName::of_nex());
    let way_to_ours = match InstalledName::of_nex().find(&options.image.installed) {
        Ok(_) => "which is installed here",
        Err(_) => "which a release of nex brings, and 'make default-image' in nex's sources makes",
    };
    diagnostic.hinting_also(format!(
        "{NAME} is a third party's image; take --image {ours}, {way_to_ours}, or an image of your own (--image NAME, oci:DIR, tar:FILE, \
         rootfs:DIR), or --image {} for nothing but the agent",
        Reference::Scratch
    ))
}

/// Whether an error of this code is a registry's, or the network's, or says that there is no such image.
fn is_not_given(code: Code) -> bool {
    use nex_image::codes::{NO_PLATFORM, NOT_FOUND, OFFLINE};
    nex_registry::codes::ALL.contains(&code) || [OFFLINE, NOT_FOUND, NO_PLATFORM].contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_failures_than_a_registry_s_need_no_other_image() {
        assert!(is_not_given(nex_registry::codes::HOST_NOT_FOUND) && is_not_given(nex_image::codes::OFFLINE));
        assert!(!is_not_given(nex_image::codes::OVER_LIMIT) && !is_not_given(crate::codes::OUTPUT));
    }
}
