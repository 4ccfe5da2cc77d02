//! The password field of shadow(5): a hash as crypt(5) makes it, or what no password matches.

/// What a password field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Password {
    /// A hash that some password matches.
    Hash,
    /// No password matches: the field begins with `!` or `*`.
    Locked,
    /// The empty password does.
    Empty,
    /// No password matches, as this is no hash; perhaps it is the password itself.
    NoHash,
}

/// A kind of hash with a fixed form: what it begins with, and how many characters the hash itself has.
const FIXED: [(&[u8], usize); 10] = [
    (b"$1$", 22),
    (b"$5$", 43),
    (b"$6$", 86),
    (b"$2a$", 53),
    (b"$2b$", 53),
    (b"$2x$", 53),
    (b"$2y$", 53),
    (b"$y$", 43),
    (b"$gy$", 43),
    (b"$7$", 43),
];

/// Kinds whose hashes have other lengths, by what they begin with.
const FREE: [&[u8]; 3] = [b"$sha1$", b"$md5", b"$3$$"];

/// The length of a hash of traditional DES, which has no mark.
const DES: usize = 13;

impl Password {
    /// Reads the field.
    pub fn of(field: &[u8]) -> Self {
        match field.first() {
            None => Self::Empty,
            Some(b'!' | b'*') => Self::Locked,
            Some(_) if is_marked_hash(field) || field.len() == DES && field.iter().all(is_of_hashes) => Self::Hash,
            Some(_) => Self::NoHash,
        }
    }
}

/// Whether a user may ask for this field: a hash with its mark, or what no password matches. A password itself may not stand
/// there, where it could be read and would not be valid.
pub fn may_be_asked_for(field: &[u8]) -> bool {
    let is_locked = || Password::of(field) == Password::Locked;
    let fits = || field.iter().all(|byte| byte.is_ascii_graphic() && *byte != b':');
    is_marked_hash(field) || is_locked() && fits()
}

/// Whether this is a hash that begins with its kind (`$6$`): 13 letters without a mark could be a password.
fn is_marked_hash(field: &[u8]) -> bool {
    // What crypt(5) lets no hash have.
    if !field.iter().all(|byte| byte.is_ascii_graphic() && !b":;*!\\".contains(byte)) {
        return false;
    }
    let hash = field.rsplit(|&byte| byte == b'$').next().unwrap_or_default();
    let is_whole = |length: usize| hash.len() == length && hash.iter().all(is_of_hashes);
    match FIXED.iter().find(|(mark, _)| field.starts_with(mark)) {
        // A cost, a salt or both stand between the mark and the hash.
        Some((mark, length)) => is_whole(*length) && field.len() > mark.len() + length,
        None => FREE.iter().any(|mark| field.starts_with(mark) && field.len() > mark.len() + DES),
    }
}

fn is_of_hashes(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"./".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_told_from_passwords() {
        // What libxcrypt and openssl make of "secret".
        for hash in [
            "$6$salt$egUxKNxDs8kPfh8iPMNcosMhb2eWah6d3R44JDm5Rj/j/XWR5E33QPd0YmHXoDHOIDR6kL5D3JcQcz0O8FHE00",
            "$6$rounds=5000$salt$egUxKNxDs8kPfh8iPMNcosMhb2eWah6d3R44JDm5Rj/j/XWR5E33QPd0YmHXoDHOIDR6kL5D3JcQcz0O8FHE00",
            "$5$salt$kpa26zwgX83BPSR8d7w93OIXbFt/d3UOTZaAu5vsTM6",
            "$1$salt$ez2vlPGdaLYkJam5pWs/Y1",
            "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$GmcwIgvdUC9qLWcKCi6gklUa1dM3ziD43YxYNURLKy0",
            "$gy$j9T$F5Jx5fExrKuPp53xLKQ..1$uE5FcoxTz78xZpMZkpTmj/0MogyeNUSLIjdCxpQjz.8",
            "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
            "$7$CU..../....F5Jx5fExrKuPp53xLKQ..1$whrYe9Xe1y0TuvX2p7d.1q1OxyBsKCsnXfJ.FlXyXS6",
        ] {
            assert_eq!(Password::of(hash.as_bytes()), Password::Hash, "{hash}");
            assert!(is_marked_hash(hash.as_bytes()), "{hash}");
            // A part of it is none.
            assert!(!is_marked_hash(&hash.as_bytes()[..hash.len() - 1]), "{hash}");
            assert!(!is_marked_hash(format!("{hash}:0").as_bytes()), "{hash}");
        }
        for hash in ["$sha1$24$salt$YGBhDkcwT6M9dgPDDuwOeCTso0wd", "$md5,rounds=904$salt$rlKWbLWYoRDXkrPX9H10K0"] {
            assert!(is_marked_hash(hash.as_bytes()), "{hash}");
        }
        for word in ["secret", "correct horse", "$6$", "$6$secret", "Pa$$w0rd", "$9$salt$hash", "x", "secret\n"] {
            assert_eq!(Password::of(word.as_bytes()), Password::NoHash, "{word:?}");
        }
        for locked in ["!", "*", "!!", "*LK*", "!$6$salt$x"] {
            assert_eq!(Password::of(locked.as_bytes()), Password::Locked);
        }
        for (field, may) in
            [("!", true), ("*", true), ("!$6$salt$x", true), ("!:0", false), ("* *", false), ("secret", false)]
        {
            assert_eq!(may_be_asked_for(field.as_bytes()), may, "{field}");
        }
        assert_eq!(Password::of(b""), Password::Empty);
        // Of traditional DES: one of /etc/shadow, and perhaps a password.
        assert_eq!(Password::of(b"abJnggxhB/yWI"), Password::Hash);
        assert!(!is_marked_hash(b"abJnggxhB/yWI"));
    }
}
