//! What runs in a guest, for people. Nothing is done with these texts but to show them.

use serde::{Deserialize, Serialize};

/// The most bytes of a text that is no command, as JSON has them. Paths are longer in theory alone.
const LONGEST: usize = 2 << 10;

/// The most bytes of a command, as JSON has them.
const LONGEST_COMMAND: usize = 8 << 10;

/// What runs in a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct About {
    /// The root filesystem's file.
    pub root: String,
    /// The container image that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The program and its arguments; empty for the image's own.
    pub command: Vec<String>,
    /// Whether the command was too long, and only its beginning is here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub command_is_cut: bool,
}

impl About {
    /// The same, of a length that fits into a journal's line.
    #[must_use]
    pub fn cut(self) -> Self {
        let short = |text: String| beginning(&text, &mut { LONGEST }).unwrap_or_default().to_owned();
        let mut room = LONGEST_COMMAND;
        let mut command = Vec::new();
        let mut command_is_cut = self.command_is_cut;
        for word in self.command {
            let kept = beginning(&word, &mut room);
            command_is_cut |= kept.is_none_or(|kept| kept.len() < word.len());
            let Some(kept) = kept else { break };
            command.push(kept.to_owned());
        }
        Self {
            root: short(self.root),
            image: self.image.map(short),
            kernel: self.kernel.map(short),
            command,
            command_is_cut,
        }
    }
}

/// As much of a word as there is room for in JSON; `None` when not even an empty one fits.
fn beginning<'a>(word: &'a str, room: &mut usize) -> Option<&'a str> {
    /// Two quotation marks and a comma.
    const AROUND: usize = 3;
    /// `\u0000`.
    const LONGEST_ESCAPE: usize = 6;
    *room = room.checked_sub(AROUND)?;
    let mut end = 0;
    for letter in word.chars() {
        let bytes = if letter < ' ' {
            LONGEST_ESCAPE
        } else {
            letter.len_utf8().max(if matches!(letter, '"' | '\\') { 2 } else { 1 })
        };
        let Some(left) = room.checked_sub(bytes) else { break };
        *room = left;
        end += letter.len_utf8();
    }
    word.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_any_length_fits_and_says_that_it_is_cut() {
        let about = |command: Vec<String>| About { root: "r".repeat(9000), command, ..About::default() }.cut();
        let whole = about(vec!["sh".into(), "-c".into(), "echo \"ä\"\n".into()]);
        assert_eq!((whole.command.len(), whole.command_is_cut, whole.root.len()), (3, false, LONGEST - 3));
        for command in
            [vec!["\u{1}".repeat(100_000)], vec![String::new(); 100_000], vec!["ä\"\\".repeat(3000), "x".into()]]
        {
            let cut = about(command);
            assert!(cut.command_is_cut && !cut.command.is_empty());
            assert!(serde_json::to_vec(&cut.command).unwrap().len() <= LONGEST_COMMAND + 1);
            assert_eq!(cut.clone().cut(), cut);
        }
    }
}
