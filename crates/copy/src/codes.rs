//! The codes of errors.

nex_fault::codes! {
    /// The guest cannot read or write a file of the copy; the message has its reason.
    GUEST = "cp-guest";
    /// The connection with the guest ended during a copy, or the guest broke the rules of the channel.
    CONNECTION = "cp-connection";
    /// Standard input cannot be read, or is not a tar.
    INPUT = "cp-input";
    /// Standard output cannot be written.
    OUTPUT = "cp-output";
}

#[cfg(test)]
mod tests {
    use nex_testkit::fault::parts;

    use crate::CopyError;

    #[test]
    fn an_error_is_a_fact_a_code_and_a_remedy() {
        let packed = nex_file::kind::of(b"\x1f\x8b").unwrap();
        let (fact, code, remedy) = parts(&CopyError::Packed(packed));
        assert_eq!(fact, "standard input is compressed with gzip, and must be a plain tar");
        assert_eq!((code, remedy.as_deref()), ("cp-input", Some("unpack it on the way, by 'gzip -dc'")));
        let guest = CopyError::Guest("cannot write '\\u{1b}': full".into());
        assert_eq!(parts(&guest), ("the guest: cannot write '\\u{1b}': full".to_owned(), "cp-guest", None));
    }
}
