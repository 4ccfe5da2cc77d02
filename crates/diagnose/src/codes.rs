//! Why nothing could be checked, for programs. What is wrong with what was checked, findings say by their rules.

nex_fault::codes! {
    /// A file to be checked cannot be read.
    UNREADABLE = "check-unreadable";
    /// The file given as a kernel's configuration is not such a file.
    NO_CONFIG = "check-no-config";
    /// The root filesystem would not come up with this kernel.
    CONTRACT = "run-contract";
}

#[cfg(test)]
mod tests {
    use nex_fault::{Fault, advised};

    use crate::CheckError;

    #[test]
    fn a_configuration_that_is_none_says_which_one_to_give() {
        let error = CheckError::NoConfig("config".into());
        let said = advised(&error, nex_fault::Setting::flag);
        assert_eq!(
            said,
            "'config' is no kernel's configuration: it has no CONFIG_ line; give the .config that the kernel was built with"
        );
        let read = CheckError::Read { path: "a".into(), cause: std::io::ErrorKind::NotFound.into() };
        assert_eq!(advised(&read, |_| String::new()), "cannot read 'a': entity not found");
        assert_eq!([read.code(), error.code()].map(|code| code.id()), ["check-unreadable", "check-no-config"]);
        assert_eq!(super::ALL.len(), 3);
    }
}
