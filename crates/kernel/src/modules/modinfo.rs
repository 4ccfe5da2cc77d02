//! What a module says about itself in its section `.modinfo`: texts `key=value`, each ended by a NUL.

use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};

/// A module's own words.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Modinfo {
    /// The modules that must be there before.
    pub depends: Vec<String>,
    /// The modules that should be there before, where there are any such (`softdep=pre: ...`).
    pub softdeps: Vec<String>,
    /// The version of the kernel that it was built for.
    pub kernel: Option<String>,
}

impl Modinfo {
    /// Reads it from a module's file. One that is no ELF file says nothing.
    pub fn read(module: &[u8]) -> Self {
        let section = ElfFile64::<object::Endianness>::parse(module).ok().and_then(|file| {
            let section = file.section_by_name_bytes(b".modinfo")?;
            section.data().ok()
        });
        Self::parse(section.unwrap_or_default())
    }

    fn parse(section: &[u8]) -> Self {
        let mut modinfo = Self::default();
        for text in section.split(|byte| *byte == 0) {
            let text = String::from_utf8_lossy(text);
            match text.split_once('=') {
                Some(("depends", names)) => modinfo.depends.extend(names.split(',').filter_map(canonical)),
                Some(("softdep", list)) => modinfo.softdeps.extend(before(list)),
                Some(("vermagic", magic)) => modinfo.kernel = magic.split_whitespace().next().map(str::to_owned),
                _ => {}
            }
        }
        modinfo
    }
}

/// `pre: a b post: c`: a and b come before.
fn before(list: &str) -> Vec<String> {
    let words = list.split_whitespace().skip_while(|word| *word != "pre:").skip(1);
    words.take_while(|word| !word.ends_with(':')).filter_map(canonical).collect()
}

/// A module's name: files' names have either `-` or `_`.
pub fn canonical(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_others_passed_over() {
        let section = b"license=GPL\0depends=virtio,virtio-ring\0softdep=post: z pre: crc32c a-b post: y\0\0=\0vermagic=6.1.0 SMP \0";
        let expected = Modinfo {
            depends: vec!["virtio".into(), "virtio_ring".into()],
            softdeps: vec!["crc32c".into(), "a_b".into()],
            kernel: Some("6.1.0".into()),
        };
        assert_eq!(Modinfo::parse(section), expected);
        assert_eq!(Modinfo::parse(b"depends=\0"), Modinfo::default());
    }
}
