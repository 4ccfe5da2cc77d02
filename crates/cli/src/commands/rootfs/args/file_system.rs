//! The flags for the parts of the file system, and how their values are read.

use clap::Args;
use nex_ext4::{BLOCK_SIZE, Reserved};
use nex_text::short_name;
use uuid::Uuid;

use crate::args::size;

/// What mke2fs lets be reserved at most.
const MAX_PERCENT: u16 = 50;

/// The parts of the file system.
#[derive(Debug, Args)]
#[command(next_help_heading = "File system")]
pub struct FileSystemArgs {
    /// The least number of inodes in all [default: one for 16 KiB, or a quarter more than the content needs].
    #[arg(long, value_name = "NUMBER")]
    pub inodes: Option<u64>,

    /// The journal's size, 4MiB to 40000MiB [default: as mke2fs, or less where the content leaves no room].
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub journal_size: Option<u64>,

    /// Make no journal: the file is smaller, but after a stop without an unmount e2fsck has to check all of it.
    #[arg(long, conflicts_with = "journal_size")]
    pub no_journal: bool,

    /// The file system's label: 16 bytes at most [default: none].
    #[arg(long, value_name = "TEXT", value_parser = label, default_value = "", hide_default_value = true)]
    pub label: Label,

    /// The file system's UUID [default: computed from the image's layers and the file system's flags].
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    pub uuid: Option<Uuid>,

    /// The room that only root may fill: a percentage such as 5%, or a size; at most half of the file system [default: nothing].
    #[arg(long, value_name = "SIZE", value_parser = reserved, default_value = "0", hide_default_value = true)]
    pub reserved: Reserved,

    /// The size up to which the file system can grow later without a change of its format [default: 256GiB].
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub max_size: Option<u64>,
}

/// The value of `--label`, padded with NULs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(pub [u8; 16]);

fn label(text: &str) -> Result<Label, String> {
    let mut label = [0; 16];
    let field = label.get_mut(..text.len());
    field
        .ok_or_else(|| format!("'{}' has {} bytes, and a label has 16 at most", short_name(text), text.len()))?
        .copy_from_slice(text.as_bytes());
    Ok(Label(label))
}

fn uuid(text: &str) -> Result<Uuid, String> {
    match Uuid::try_parse(text) {
        Ok(uuid) if uuid.is_nil() => Err("the nil UUID stands for none; name another, or leave --uuid out".into()),
        Ok(uuid) => Ok(uuid),
        Err(error) => Err(format!("'{}' is not a UUID: {error}", short_name(text))),
    }
}

fn reserved(text: &str) -> Result<Reserved, String> {
    match text.strip_suffix('%') {
        Some(percentage) => share(percentage).map(Reserved::Share),
        None => Ok(Reserved::Blocks(size::parse(text)?.div_ceil(BLOCK_SIZE))),
    }
}

/// Parts of 10,000 from a percentage with at most two decimals.
fn share(percentage: &str) -> Result<u16, String> {
    let expected =
        || format!("'{}%' is not a percentage from 0% to {MAX_PERCENT}%, such as 5% or 2.5%", short_name(percentage));
    let (whole, decimals) = percentage.split_once('.').unwrap_or((percentage, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || decimals.len() > 2 {
        return Err(expected());
    }
    let whole: u16 = whole.parse().map_err(|_| expected())?;
    let hundredths: u16 = format!("{decimals:0<2}").parse().map_err(|_| expected())?;
    let share = whole.checked_mul(100).and_then(|share| share.checked_add(hundredths));
    share.filter(|share| *share <= MAX_PERCENT * 100).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserves_are_percentages_or_sizes() {
        let cases = [
            ("5%", Reserved::Share(500)),
            ("2.5%", Reserved::Share(250)),
            ("0.05%", Reserved::Share(5)),
            ("50%", Reserved::Share(5000)),
            ("0", Reserved::Blocks(0)),
            ("1", Reserved::Blocks(1)),
            ("8MiB", Reserved::Blocks(2048)),
        ];
        for (text, expected) in cases {
            assert_eq!(reserved(text), Ok(expected), "{text}");
        }
        for text in ["", "%", "50.01%", "51%", "-1%", "+5%", "5.%", ".5%", "1.234%", "99999%", "5 %", "x"] {
            assert!(reserved(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_have_16_bytes_at_most() {
        assert_eq!(label("root"), Ok(Label(*b"root\0\0\0\0\0\0\0\0\0\0\0\0")));
        assert_eq!(label("sixteen bytes ok"), Ok(Label(*b"sixteen bytes ok")));
        assert!(label("seventeen bytes !").is_err());
        assert!(label("nine \u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}").is_err(), "bytes count, not characters");
    }

    #[test]
    fn the_nil_uuid_is_refused() {
        assert!(uuid("00000000-0000-0000-0000-000000000000").is_err());
        assert!(uuid("01234567-89ab-4def-8123-456789abcdef").is_ok());
        assert!(uuid("01234567").is_err());
    }
}
