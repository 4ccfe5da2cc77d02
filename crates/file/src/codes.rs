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
    use std::collections::BTreeSet;

    use nex_fault::{Fault, whole};

    use super::*;
    use crate::trust::Distrust;
    use crate::way::WayError;

    #[test]
    fn each_code_is_of_this_area_and_there_once() {
        let ids: BTreeSet<_> = ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), ALL.len());
        assert!(ids.iter().all(|id| id.starts_with("file-")), "{ids:?}");
    }

    /// The fact with its causes, the code, and what to do about it.
    fn parts(error: &dyn Fault) -> (String, &'static str, Option<String>) {
        let remedy = error.remedy().map(|remedy| remedy.words(nex_fault::Setting::flag));
        (whole(error), error.code().id(), remedy)
    }

    #[test]
    fn an_error_is_a_fact_a_code_and_a_remedy() {
        let (fact, code, remedy) = parts(&WayError::Through { through: "/a".into(), why: Distrust::Writable });
        assert_eq!(fact, "it is reached through '/a', which can be written to by others");
        assert_eq!((code, remedy.as_deref()), ("file-distrust", Some("run 'chmod go-w /a' if they did not")));
        let taken = WayError::Distrust { path: "/a".into(), why: Distrust::Owner { owner: 5, user: 6 } };
        assert_eq!(parts(&taken), ("it belongs to user 5, not to user 6".to_owned(), "file-distrust", None));
    }
}
