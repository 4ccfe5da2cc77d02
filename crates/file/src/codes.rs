//! The codes of errors.

nex_fault::codes! {
    /// Another user owns it, or could put something else into its place.
    DISTRUST = "file-distrust";
    /// It is no directory.
    NOT_A_DIRECTORY = "file-not-a-directory";
    /// The system refuses.
    SYSTEM = "file-system";
    /// Something that is to be removed stays.
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
