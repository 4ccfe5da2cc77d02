//! Platforms: what an image runs on, and which entry of an index suits best.

use std::fmt;
use std::str::FromStr;

use nex_fault::{Code, Fault};

use crate::codes;

/// An operating system, an architecture and its variant, in the names that Go and therefore OCI use.
///
/// A value is always normal: `x86_64` has become `amd64`, `arm64/v8` has become `arm64`, and `arm` `arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// Why a text is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is no platform: expected an architecture such as amd64, arm64 or arm/v7, or OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as linux/arm64"
)]
pub struct PlatformError {
    /// For a message.
    text: String,
}

impl Fault for PlatformError {
    fn code(&self) -> Code {
        codes::BAD_PLATFORM
    }
}

/// The architectures that are known without a system before them, by Go's names.
const ARCHITECTURES: [&str; 13] = [
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64",
    "s390x",
];

impl Platform {
    /// A platform from its parts, in any of the usual spellings.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Platform {
        let (architecture, implied) = normal_architecture(&architecture.to_ascii_lowercase());
        let variant = variant.filter(|variant| !variant.is_empty()).map(normal_variant).or(implied);
        let variant = match (architecture.as_str(), variant.as_deref()) {
            ("amd64", Some("v1")) | ("arm64", Some("v8")) => None,
            ("arm", None) => Some("v7".to_owned()),
            _ => variant,
        };
        Platform { os: os.to_ascii_lowercase(), architecture, variant }
    }

    /// What this machine runs. The system is always Linux, because the guest is.
    pub fn host() -> Platform {
        Platform::new("linux", std::env::consts::ARCH, None)
    }

    /// The operating system: `linux`.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// The architecture: `amd64`, `arm64`, ...
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The variant, `None` for the architecture's usual one.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// How well software for `offered` runs here: `None` not at all, otherwise more is better.
    ///
    /// Variants are levels: a machine of one level runs every lower one (`arm/v7` runs `arm/v6`), never a higher one.
    /// `amd64` counts as v1, `arm64` as v8 and `arm` as v7, which is containerd's rule too.
    pub fn suits(&self, offered: &Platform) -> Option<u32> {
        if self.os != offered.os || self.architecture != offered.architecture {
            return None;
        }
        if self.variant == offered.variant {
            return Some(u32::MAX);
        }
        let (wanted, offered) = (self.level()?, offered.level()?);
        (offered <= wanted).then_some(offered)
    }

    /// The variant as a number: `v7` is 7.
    fn level(&self) -> Option<u32> {
        match (self.architecture.as_str(), self.variant.as_deref()) {
            ("amd64", None) => Some(1),
            ("arm64", None) => Some(8),
            (_, variant) => variant?.strip_prefix('v')?.parse().ok(),
        }
    }
}

/// Go's name of an architecture, and the variant that the other name implied.
fn normal_architecture(name: &str) -> (String, Option<String>) {
    let (name, variant) = match name {
        "x86_64" | "x86-64" => ("amd64", None),
        "aarch64" => ("arm64", None),
        "x86" | "i386" | "i686" => ("386", None),
        "armhf" => ("arm", Some("v7")),
        "armel" => ("arm", Some("v6")),
        "powerpc64le" => ("ppc64le", None),
        "powerpc64" if cfg!(target_endian = "little") => ("ppc64le", None),
        "loongarch64" => ("loong64", None),
        other => (other, None),
    };
    (name.to_owned(), variant.map(str::to_owned))
}

/// `8` and `V8` mean `v8`.
fn normal_variant(variant: &str) -> String {
    let variant = variant.to_ascii_lowercase();
    if variant.starts_with(|first: char| first.is_ascii_digit()) { format!("v{variant}") } else { variant }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Platform, PlatformError> {
        let wrong = || PlatformError { text: nex_text::short_name(text) };
        let parts: Vec<&str> = text.split('/').collect();
        let plain = |part: &&str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        // The guest's system is Linux, whatever else there is in the world.
        let is_known = |name: &str| ARCHITECTURES.contains(&&*normal_architecture(&name.to_ascii_lowercase()).0);
        match parts.as_slice() {
            [architecture] if is_known(architecture) => Ok(Platform::new("linux", architecture, None)),
            [architecture, variant] if is_known(architecture) => match normal_variant(variant).strip_prefix('v') {
                Some(level) if plain(&level) => Ok(Platform::new("linux", architecture, Some(variant))),
                _ => Err(wrong()),
            },
            [os, architecture] if parts.iter().all(plain) => Ok(Platform::new(os, architecture, None)),
            [os, architecture, variant] if parts.iter().all(plain) => {
                Ok(Platform::new(os, architecture, Some(variant)))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().expect("a platform")
    }

    #[test]
    fn other_spellings_become_the_usual_one() {
        for (spelling, normal) in [
            ("linux/x86_64", "linux/amd64"),
            ("Linux/AMD64/v1", "linux/amd64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm64/8", "linux/arm64"),
            ("linux/armel", "linux/arm/v6"),
            ("linux/arm", "linux/arm/v7"),
            ("arm64", "linux/arm64"),
            ("AArch64", "linux/arm64"),
            ("x86_64", "linux/amd64"),
            ("arm/v6", "linux/arm/v6"),
            ("arm64/v8", "linux/arm64"),
            ("s390x", "linux/s390x"),
        ] {
            assert_eq!(platform(spelling).to_string(), normal);
        }
    }

    #[test]
    fn a_machine_runs_its_own_level_and_lower_ones() {
        assert!(platform("linux/arm/v7").suits(&platform("linux/arm/v6")).is_some());
        assert!(
            platform("linux/arm").suits(&platform("linux/arm/v6"))
                > platform("linux/arm").suits(&platform("linux/arm/v5"))
        );
        assert_eq!(platform("linux/amd64").suits(&platform("linux/amd64/v3")), None);
        assert_eq!(platform("linux/amd64").suits(&platform("linux/arm64")), None);
        assert_eq!(platform("linux/amd64").suits(&Platform::new("unknown", "unknown", None)), None);
    }

    #[test]
    fn refuses_what_is_no_platform() {
        for text in [
            "",
            "linux",
            "windows",
            "linux/",
            "arm64/",
            "arm64/linux",
            "/amd64",
            "linux/arm/v7/x",
            "linux/am d64",
            "a\u{0}/b",
        ] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
