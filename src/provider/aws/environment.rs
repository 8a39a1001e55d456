//! Environment variables that configure the AWS SDK.

use std::env;

/// The value of a variable that is set and not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    // The SDK does not read values that are not Unicode, either.
    env::var(name).ok().filter(|value| !value.is_empty())
}
