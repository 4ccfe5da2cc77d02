//! The codes of errors.

nex_fault::codes! {
    /// The system refuses to read or write a file or directory of the copy.
    SYSTEM = "copy-system";
    /// The tar cannot be written: its reader has closed it, or the system refuses it.
    OUTPUT = "copy-output";
    /// A tar has a name that leads out of its destination, or that does not belong to the copied file or directory.
    OUTSIDE = "copy-outside";
    /// The copy does not fit the destination: a directory is missing, a file is of another kind, or a symbolic link is on the way.
    DESTINATION = "copy-destination";
    /// A tar has no files to copy.
    EMPTY = "copy-empty";
    /// nex does not copy files of this kind.
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
