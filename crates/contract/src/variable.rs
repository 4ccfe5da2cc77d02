//! Variables of a program, as an image's `ENV` and a workload's `env` write them.

/// The name and the value of `NAME=value`. Without a value it is empty; without a name there is no variable.
pub fn split_variable(variable: &str) -> Option<(&str, &str)> {
    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
    (!name.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_equals_sign_ends_the_name() {
        for (variable, expected) in
            [("A=b=c", Some(("A", "b=c"))), ("A=", Some(("A", ""))), ("A", Some(("A", ""))), ("=b", None), ("", None)]
        {
            assert_eq!(split_variable(variable), expected, "{variable}");
        }
    }
}
