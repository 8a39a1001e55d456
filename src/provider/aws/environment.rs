//! The variables by which users lead the AWS SDK.

use std::env;

/// What is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    // What is not Unicode the SDK does not read, either.
    env::var(name).ok().filter(|value| !value.is_empty())
}
