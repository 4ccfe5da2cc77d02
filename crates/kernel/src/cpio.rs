//! An archive in cpio's "newc" form, as the kernel unpacks it into its first root file system
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

/// The length of an entry's header, and of its name and content when padded, is a multiple of this.
const ALIGNMENT: usize = 4;
const MAGIC: &str = "070701";
/// The name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CONSOLE: u32 = 0o020_600;

/// An archive in memory. The kernel accepts several, one after the other.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a directory; those above it must be there already.
    pub fn directory(&mut self, name: &str) {
        self.entry(name, DIRECTORY, (0, 0), b"");
    }

    /// Adds a file that everybody may read and execute. It has less than 4 GiB.
    pub fn program(&mut self, name: &str, content: &[u8]) {
        self.entry(name, PROGRAM, (0, 0), content);
    }

    /// Adds the console's device node, from which the kernel gives its first process the standard streams.
    pub fn console(&mut self, name: &str) {
        const MAJOR: u32 = 5;
        const MINOR: u32 = 1;
        self.entry(name, CONSOLE, (MAJOR, MINOR), b"");
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry(TRAILER, 0, (0, 0), b"");
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
        self.entries += 1;
        let (inode, owner, links, time, device, check) = (self.entries, 0, 1, 0, 0, 0);
        let (name_size, size) = (name.len() as u32 + 1, content.len() as u32);
        let fields = [inode, mode, owner, owner, links, time, size, device, device, major, minor, name_size, check];
        self.bytes.extend_from_slice(MAGIC.as_bytes());
        fields.iter().for_each(|field| self.bytes.extend_from_slice(format!("{field:08x}").as_bytes()));
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
    }
}
