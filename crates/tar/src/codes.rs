//! The codes of errors.

nex_fault::codes! {
    /// The stream under the tar failed.
    UNREADABLE = "tar-unreadable";
    /// The tar is damaged, or cut short.
    DAMAGED = "tar-damaged";
    /// An entry breaks the format, or contradicts itself.
    INVALID = "tar-invalid";
    /// An entry is of a kind or a version that is not read.
    UNSUPPORTED = "tar-unsupported";
    /// An entry has more headers, or is in more pieces, than the limits allow.
    OVER_LIMIT = "tar-over-limit";
    /// No tar can say what is to be written.
    UNWRITABLE = "tar-unwritable";
}

#[cfg(test)]
mod tests {
    use nex_testkit::fault::parts;

    use crate::{Error, PaxError};

    #[test]
    fn an_error_is_a_fact_a_code_and_a_remedy() {
        let (fact, code, remedy) = parts(&Error::TooManyExtensions(9));
        assert_eq!(fact, "its extension headers (PAX records, long names) take more than 9 bytes");
        assert_eq!((code, remedy.as_deref()), ("tar-over-limit", Some("allow more with --max-headers")));
        let version = Error::Pax(PaxError::SparseVersion("2.0".to_owned()));
        let fact = "is a sparse file of the version 2.0; known are 0.0, 0.1 and 1.0";
        assert_eq!(parts(&version), (fact.to_owned(), "tar-unsupported", None));
    }
}
