//! Releases of Firecracker that are known to be vulnerable.
//!
//! One row a vulnerability. The table is what `docs/firecracker.md` shows; a test keeps the two together.

use std::fmt;

/// The program that is vulnerable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// Firecracker itself.
    Firecracker,
    /// Its jailer.
    Jailer,
}

impl fmt::Display for Component {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Firecracker => "Firecracker",
            Self::Jailer => "Firecracker's jailer",
        })
    }
}

/// A release: `1.13.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u32, pub u32, pub u32);

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A vulnerability.
#[derive(Debug, PartialEq, Eq)]
pub struct Advisory {
    /// Its name.
    pub id: &'static str,
    /// Who has it.
    pub component: Component,
    /// The first release that has it, and the first of the same line that has it no more.
    pub ranges: &'static [(Release, Release)],
    /// What it lets whom do, and what of that nex lets happen.
    pub what: &'static str,
}

/// All that are known, the newest last.
pub const ADVISORIES: &[Advisory] = &[
    Advisory {
        id: "CVE-2026-1386",
        component: Component::Jailer,
        ranges: &[(Release(0, 0, 0), Release(1, 13, 2)), (Release(1, 14, 0), Release(1, 14, 1))],
        what: "a local user who can write where a jail is prepared makes root overwrite any file; nex prepares jails where \
               only root can",
    },
    Advisory {
        id: "CVE-2026-5747",
        component: Component::Firecracker,
        ranges: &[(Release(1, 13, 0), Release(1, 14, 4)), (Release(1, 15, 0), Release(1, 15, 1))],
        what: "root of a guest with devices on PCI crashes Firecracker or runs code on the host; nex does not ask for PCI",
    },
];

impl Advisory {
    /// The releases in which it is fixed.
    pub fn fixed_in(&self) -> impl Iterator<Item = Release> {
        self.ranges.iter().map(|(_, fixed)| *fixed)
    }

    /// A warning of it, for whoever runs this version.
    pub fn warning(&self, version: &str) -> String {
        let fixed: Vec<String> = self.fixed_in().map(|release| release.to_string()).collect();
        let (id, component, what) = (self.id, self.component, self.what);
        format!("{component} {version} is vulnerable ({id}): {what}; it is fixed in {}", fixed.join(" and "))
    }

    fn concerns(&self, version: Version) -> bool {
        self.ranges.iter().any(|(first, fixed)| version.release >= *first && version.is_before(*fixed))
    }
}

/// The known vulnerabilities of a program of this version. Of a version that cannot be read, none is known.
pub fn of(component: Component, version: &str) -> impl Iterator<Item = &'static Advisory> {
    let version = Version::parse(version);
    let concerned = move |advisory: &&Advisory| version.is_some_and(|version| advisory.concerns(version));
    ADVISORIES.iter().filter(move |advisory| advisory.component == component).filter(concerned)
}

/// A version as a program tells it: a release, and whether it is older than that release of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    release: Release,
    is_earlier: bool,
}

impl Version {
    /// Reads `1.14.1`, `v1.14.1`, `1.14.1-rc.2` and `1.14`. What git describes as behind a release, `1.14.1-12-g0a1b2c3`, has
    /// all of it.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        // What stands behind a plus sign is about how it was built.
        let text = text.split('+').next()?;
        let (numbers, rest) = text.split_once('-').map_or((text, None), |(numbers, rest)| (numbers, Some(rest)));
        let mut numbers = numbers.split('.').map(|number| number.parse().ok());
        let release = Release(numbers.next()??, numbers.next()??, numbers.next().unwrap_or(Some(0))?);
        let is_behind = |rest: &str| {
            rest == "dirty" || rest.split_once("-g").is_some_and(|(count, _)| count.parse::<u32>().is_ok())
        };
        Some(Self { release, is_earlier: rest.is_some_and(|rest| !is_behind(rest)) })
    }

    fn is_before(self, release: Release) -> bool {
        self.release < release || self.release == release && self.is_earlier
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(component: Component, version: &str) -> Vec<&'static str> {
        of(component, version).map(|advisory| advisory.id).collect()
    }

    #[test]
    fn ranges_end_where_they_say() {
        for (version, jailer, firecracker) in [
            ("0.25.0", true, false),
            ("1.12.1", true, false),
            ("1.13.0", true, true),
            ("1.13.1", true, true),
            ("1.13.2", false, true),
            ("1.13.9", false, true),
            ("1.14.0", true, true),
            ("1.14.1", false, true),
            ("1.14.3", false, true),
            ("1.14.4", false, false),
            ("1.14.99", false, false),
            ("1.15.0", false, true),
            ("1.15.1", false, false),
            ("1.16.0", false, false),
            ("2.0.0", false, false),
        ] {
            let found = |component| !ids(component, version).is_empty();
            assert_eq!((found(Component::Jailer), found(Component::Firecracker)), (jailer, firecracker), "{version}");
        }
    }

    #[test]
    fn odd_versions_are_read_or_let_be() {
        for (version, vulnerable) in [
            ("v1.15.0", true),
            ("1.15", true),
            ("1.15.0-dev", true),
            ("1.15.1-rc.1", true),
            ("1.15.1-3-gdeadbee", false),
            ("1.15.0-3-gdeadbee", true),
            ("1.15.1-dirty", false),
            ("1.15.1+local", false),
            ("1.15.0+local-build", true),
        ] {
            assert_eq!(!ids(Component::Firecracker, version).is_empty(), vulnerable, "{version}");
        }
        for nonsense in
            ["", "v", "1", "1.", "-", "1.15.x", "99999999999.15.0", "1.15.0.0.0\u{202e}", "(no version)", "é"]
        {
            let _ = ids(Component::Firecracker, nonsense);
            assert!(ids(Component::Jailer, nonsense).is_empty(), "{nonsense}");
        }
    }

    #[test]
    fn the_documentation_shows_the_table() {
        let page = include_str!("../../../docs/firecracker.md");
        for advisory in ADVISORIES {
            let rows: Vec<&str> = page.lines().filter(|line| line.contains(advisory.id)).collect();
            let [row] = rows[..] else { panic!("{} has {} rows", advisory.id, rows.len()) };
            assert!(row.contains(&advisory.component.to_string()), "{row}");
            for (first, fixed) in advisory.ranges {
                assert!(row.contains(&fixed.to_string()), "{row} lacks {fixed}");
                assert!(*first == Release(0, 0, 0) || row.contains(&first.to_string()), "{row} lacks {first}");
            }
            let warning = advisory.warning("1.0.0");
            assert!(warning.contains(advisory.id) && warning.contains("1.0.0"), "{warning}");
        }
    }
}
