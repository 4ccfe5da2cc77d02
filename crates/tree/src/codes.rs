//! The codes of errors.

nex_fault::codes! {
    /// The system refuses to read, or to write, a file or a directory that is copied.
    SYSTEM = "copy-system";
    /// The tar cannot be written: its reader is gone, or the system refuses it.
    OUTPUT = "copy-output";
    /// A tar has a name that leads out of the place where it is unpacked, or does not belong to what is copied.
    OUTSIDE = "copy-outside";
    /// What is at the destination and what is copied there do not go together.
    DESTINATION = "copy-destination";
    /// A tar has nothing in it to be copied.
    EMPTY = "copy-empty";
    /// A file of this kind is not copied.
    KIND = "copy-kind";
}

#[cfg(test)]
mod tests {
    use nex_testkit::fault::parts;

    use crate::{Refusal, TreeError};

    #[test]
    fn an_error_is_a_fact_a_code_and_a_remedy() {
        let (fact, code, remedy) = parts(&TreeError::refused(b"a/b", Refusal::ThroughLink));
        assert_eq!(
            fact,
            "cannot write 'a/b': a name on the way is a symbolic link, and nothing is written through one"
        );
        assert_eq!((code, remedy.as_deref()), ("copy-destination", Some("copy to where it leads")));
        let full = TreeError::system("write", b"x\n", rustix::io::Errno::NOSPC);
        let fact = "cannot write 'x\\n': No space left on device (os error 28)";
        assert_eq!(parts(&full), (fact.to_owned(), "copy-system", None));
        // An option of builds is no help here.
        assert_eq!(parts(&TreeError::Tar(nex_tar::Error::TooManyExtensions(9))).2, None);
    }
}
