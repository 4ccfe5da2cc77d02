//! The codes of errors.

nex_fault::codes! {
    /// Another user owns the file, or could replace it.
    DISTRUST = "file-distrust";
    /// The file is not a directory.
    NOT_A_DIRECTORY = "file-not-a-directory";
    /// The system refuses the operation.
    SYSTEM = "file-system";
    /// A file that nex has to remove cannot be removed.
    STUCK = "file-stuck";
}

#[cfg(test)]
mod tests {
    use nex_testkit::fault::parts;

    use crate::trust::Distrust;
    use crate::way::WayError;

    #[test]
    fn an_error_is_a_fact_a_code_and_a_remedy() {
        let (fact, code, remedy) = parts(&WayError::Through { through: "/a".into(), why: Distrust::Writable });
        assert_eq!(fact, "it is reached through '/a', which can be written to by others");
        assert_eq!((code, remedy.as_deref()), ("file-distrust", Some("run 'chmod go-w /a' if they did not")));
        let taken = WayError::Distrust { path: "/a".into(), why: Distrust::Owner { owner: 5, user: 6 } };
        assert_eq!(parts(&taken), ("it belongs to user 5, not to user 6".to_owned(), "file-distrust", None));
    }
}
