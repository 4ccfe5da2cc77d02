//! The kind of processor a program is for.

use object::elf;

/// A kind of processor, by the fields of the ELF header that tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// `e_machine`.
    pub(crate) number: u16,
    /// The word size, 32 or 64 bits.
    pub(crate) bits: u8,
    /// The byte order.
    pub(crate) little_endian: bool,
}

/// What is known about a kind of processor.
struct Known {
    processor: Processor,
    /// The name in image indexes, which is Go's (`GOARCH`).
    oci: &'static str,
    /// The directory of its libraries on Debian.
    multiarch: &'static str,
    /// Rust's target for static programs.
    rust_target: &'static str,
}

const fn known(
    oci: &'static str,
    number: elf::Machine,
    (bits, little_endian): (u8, bool),
    multiarch: &'static str,
    rust_target: &'static str,
) -> Known {
    Known { processor: Processor { number: number.0, bits, little_endian }, oci, multiarch, rust_target }
}

const LITTLE_64: (u8, bool) = (64, true);
const LITTLE_32: (u8, bool) = (32, true);
const BIG_64: (u8, bool) = (64, false);

const KNOWN: [Known; 9] = [
    known("amd64", elf::EM_X86_64, LITTLE_64, "x86_64-linux-gnu", "x86_64-unknown-linux-musl"),
    known("arm64", elf::EM_AARCH64, LITTLE_64, "aarch64-linux-gnu", "aarch64-unknown-linux-musl"),
    known("386", elf::EM_386, LITTLE_32, "i386-linux-gnu", "i686-unknown-linux-musl"),
    known("arm", elf::EM_ARM, LITTLE_32, "arm-linux-gnueabihf", "armv7-unknown-linux-musleabihf"),
    known("riscv64", elf::EM_RISCV, LITTLE_64, "riscv64-linux-gnu", "riscv64gc-unknown-linux-musl"),
    known("ppc64le", elf::EM_PPC64, LITTLE_64, "powerpc64le-linux-gnu", "powerpc64le-unknown-linux-musl"),
    known("s390x", elf::EM_S390, BIG_64, "s390x-linux-gnu", "s390x-unknown-linux-musl"),
    known("loong64", elf::EM_LOONGARCH, LITTLE_64, "loongarch64-linux-gnu", "loongarch64-unknown-linux-musl"),
    known("mips64le", elf::EM_MIPS, LITTLE_64, "mips64el-linux-gnuabi64", "mips64el-unknown-linux-muslabi64"),
];

impl Processor {
    /// The processor that an image index calls `architecture`; `None` for a name that is not known here.
    pub fn for_architecture(architecture: &str) -> Option<Self> {
        KNOWN.iter().find(|known| known.oci == architecture).map(|known| known.processor)
    }

    /// Whether this is the kind of processor that an image index calls `architecture`.
    pub fn is(self, architecture: &str) -> bool {
        self.known().is_some_and(|known| known.oci == architecture)
    }

    /// Whether these are programs of 32 bits for the wider processors, which run them where their kernel is built to.
    pub fn is_compat_of(self, wide: Self) -> bool {
        [("amd64", "386"), ("arm64", "arm")].iter().any(|(whole, half)| wide.is(whole) && self.is(half))
    }

    fn known(self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.processor == self)
    }

    /// The directory below `/lib` and `/usr/lib` that Debian keeps its libraries in.
    pub fn multiarch(self) -> Option<&'static str> {
        self.known().map(|known| known.multiarch)
    }

    /// Rust's target for static programs.
    pub fn rust_target(self) -> Option<&'static str> {
        self.known().map(|known| known.rust_target)
    }
}

impl std::fmt::Display for Processor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.known() {
            Some(known) => f.write_str(known.oci),
            None => {
                let order = if self.little_endian { "little" } else { "big" };
                write!(f, "ELF machine {} ({} bits, {order}-endian)", self.number, self.bits)
            }
        }
    }
}
