//! Files and directories of a running system as tars: [`pack`] makes one of a path, [`unpack`] writes one below a path.
//!
//! Neither side trusts the other. A tar may come from a guest that wants to write elsewhere on the host, and a tree may change while it
//! is read. So nothing below the path that the caller names is reached by a path of several parts: each name is opened in its
//! parent's handle, and no symbolic link is followed (CVE-2018-15664 is what happens otherwise).
//!
//! Memory does not grow with the size of files. It grows with the names of the directories that are being packed, with the files in them that
//! have further names, and, up to a bound, with the directories that are unpacked.
//!
//! ```
//! use std::io::BufReader;
//! use nex_tree::{Notes, PackOptions, Place, UnpackOptions, pack, unpack};
//!
//! let (from, to) = (tempfile::tempdir()?, tempfile::tempdir()?);
//! std::fs::write(from.path().join("file"), "bytes")?;
//!
//! let (mut tar, mut notes) = (Vec::new(), Notes::default());
//! pack(&from.path().join("file"), PackOptions::default(), &mut tar, &mut notes)?;
//! let options = UnpackOptions { place: Place::Copy, ..UnpackOptions::default() };
//! unpack(&mut &tar[..], &to.path().join("copy"), options, &mut notes)?;
//! assert_eq!(std::fs::read(to.path().join("copy"))?, b"bytes");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod codes;
mod error;
mod notes;
mod pack;
mod unpack;
mod xattrs;

pub use self::error::{Refusal, TreeError};
pub use self::notes::{LeftOut, Note, Notes};
pub use self::pack::{Link, Mounts, PackOptions, pack, root_name};
pub use self::unpack::{Devices, Owners, Place, UnpackOptions, unpack};
