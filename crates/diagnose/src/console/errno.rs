//! The kernel's error numbers, as it writes them: negative.

/// What happens most when a root is mounted or an init is started. The numbers are the same on x86 and arm64.
const ERRORS: [(i32, &str, &str); 24] = [
    (1, "EPERM", "operation not permitted"),
    (2, "ENOENT", "no such file or directory"),
    (5, "EIO", "input/output error"),
    (6, "ENXIO", "no such device or address"),
    (7, "E2BIG", "argument list too long"),
    (8, "ENOEXEC", "exec format error"),
    (12, "ENOMEM", "out of memory"),
    (13, "EACCES", "permission denied"),
    (14, "EFAULT", "bad address"),
    (15, "ENOTBLK", "block device required"),
    (16, "EBUSY", "device busy"),
    (19, "ENODEV", "no such device"),
    (20, "ENOTDIR", "not a directory"),
    (21, "EISDIR", "is a directory"),
    (22, "EINVAL", "invalid argument"),
    (26, "ETXTBSY", "text file busy"),
    (28, "ENOSPC", "no space left"),
    (30, "EROFS", "read-only file system"),
    (36, "ENAMETOOLONG", "file name too long"),
    (40, "ELOOP", "too many symbolic links"),
    (74, "EBADMSG", "bad checksum"),
    (80, "ELIBBAD", "accessing a corrupted shared library"),
    (117, "EUCLEAN", "structure needs cleaning"),
    (126, "ENOKEY", "required key not available"),
];

/// An error number in words: `-13` is `permission denied (EACCES)`.
pub fn words(error: i32) -> String {
    let number = error.unsigned_abs();
    let known = ERRORS.iter().find(|(own, ..)| own.unsigned_abs() == number);
    known.map_or_else(|| format!("error {number}"), |(_, name, words)| format!("{words} ({name})"))
}

/// The number of a name, as in `ENOENT: No such file or directory`, with which the agent's messages end; or of
/// `No such file or directory (os error 2)`.
pub fn named(text: &str) -> Option<i32> {
    if let Some((_, rest)) = text.rsplit_once("(os error ") {
        return number(rest).map(|number| -number);
    }
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter_map(|word| ERRORS.iter().find(|(_, name, _)| *name == word)).map(|(number, ..)| -number).next_back()
}

/// The number at the start of a text.
pub fn number(text: &str) -> Option<i32> {
    let end = text.bytes().enumerate().position(|(place, byte)| !(byte.is_ascii_digit() || place == 0 && byte == b'-'));
    text.get(..end.unwrap_or(text.len()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{named, number, words};

    #[test]
    fn numbers_have_words() {
        assert_eq!(words(-13), "permission denied (EACCES)");
        assert_eq!(words(i32::MIN), "error 2147483648");
        assert_eq!(number("-8)."), Some(-8));
        assert_eq!(named("cannot start the init /x: ENOEXEC: Exec format error"), Some(-8));
        assert_eq!(named("cannot start the init /x: No such file or directory (os error 2)"), Some(-2));
        assert_eq!(named("nothing"), None);
        assert_eq!(number("-"), None);
        assert_eq!(number("99999999999"), None);
    }
}
