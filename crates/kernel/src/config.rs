//! A kernel's configuration: the text that its build was made from.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What a whole configuration begins with. Fragments, as people write them by hand or keep with `make savedefconfig`, leave
/// out what has its default.
const WHOLE: &[u8] = b"Automatically generated file; DO NOT EDIT";

/// The longest configuration, in bytes. Those of distributions have 300 KiB.
const LONGEST: u64 = 16 << 20;

/// How an option is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Built in.
    Yes,
    /// Built as a module, which somebody has to load.
    Module,
    /// Not there.
    No,
    /// The text does not say.
    Unknown,
}

/// The options of a kernel.
#[derive(Clone, Debug)]
pub struct Config {
    options: BTreeMap<String, String>,
    is_whole: bool,
}

impl Config {
    /// Reads a file; `None` when it holds no option.
    ///
    /// # Errors
    /// When it cannot be read, or is longer than any configuration.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        Ok(Self::parse(&Self::text_of(path)?))
    }

    /// The text of a file that may be a configuration.
    pub(crate) fn text_of(path: &Path) -> io::Result<Vec<u8>> {
        let text = nex_file::read_regular_within(path, LONGEST)?;
        text.ok_or_else(|| io::Error::other("it has more than 16 MiB, which no configuration has"))
    }

    /// `config-RELEASE` beside a kernel, as distributions have them, if it is there.
    pub fn beside(kernel: &Path, release: Option<&str>) -> Option<PathBuf> {
        let name = kernel.file_name()?.to_string_lossy().into_owned();
        let in_name = name.split_once('-').map(|(_, release)| release);
        let releases = in_name.into_iter().chain(release).filter(|release| !release.contains('/'));
        releases.map(|release| kernel.with_file_name(format!("config-{release}"))).find(|path| path.is_file())
    }

    /// Reads the text of a configuration; `None` when it holds no option.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let is_whole = memchr::memmem::find(text, WHOLE).is_some();
        let options: BTreeMap<_, _> = text.split(|&byte| byte == b'\n').filter_map(option).collect();
        (!options.is_empty()).then_some(Self { options, is_whole })
    }

    /// How an option is set; its name is without `CONFIG_`.
    pub fn get(&self, name: &str) -> Setting {
        match self.options.get(name).map(String::as_str) {
            Some("m") => Setting::Module,
            Some("n" | "") => Setting::No,
            Some(_) => Setting::Yes,
            None if self.is_whole => Setting::No,
            None => Setting::Unknown,
        }
    }

    /// The text of an option that is no switch, without quotes.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(|value| value.trim_matches('"')).filter(|value| !value.is_empty())
    }

    /// Whether an option that it does not name is one that the kernel does not have.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

/// `CONFIG_NAME=value` or `# CONFIG_NAME is not set`.
fn option(line: &[u8]) -> Option<(String, String)> {
    let line = std::str::from_utf8(line).ok()?.trim();
    if let Some(name) = line.strip_prefix("# CONFIG_") {
        return Some((name.strip_suffix(" is not set")?.into(), "n".into()));
    }
    let (name, value) = line.strip_prefix("CONFIG_")?.split_once('=')?;
    Some((name.into(), value.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_fragment_leaves_out_is_unknown() {
        let text =
            "CONFIG_EXT4_FS=y\nCONFIG_OVERLAY_FS=m\n# CONFIG_MODULES is not set\nCONFIG_DEFAULT_INIT=\"/init\"\n";
        let fragment = Config::parse(text.as_bytes()).expect("options");
        let whole = [b"#\n# ", WHOLE, b"\n", text.as_bytes()].concat();
        let whole = Config::parse(&whole).expect("options");
        for config in [&fragment, &whole] {
            assert_eq!(config.get("EXT4_FS"), Setting::Yes);
            assert_eq!(config.get("OVERLAY_FS"), Setting::Module);
            assert_eq!(config.get("MODULES"), Setting::No);
            assert_eq!(config.text("DEFAULT_INIT"), Some("/init"));
        }
        assert_eq!((fragment.get("TMPFS"), whole.get("TMPFS")), (Setting::Unknown, Setting::No));
        assert!(Config::parse(b"no options\n").is_none());
    }
}
