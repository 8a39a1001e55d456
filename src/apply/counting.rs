//! Whether the running application counts its requests, where something else deploys it.

use crate::error::{Error, Result};
use crate::host::Role;
use crate::remote::Remote;
use crate::spec::Spec;

/// Prints the state in one line.
const STATE: &str = r#"[ -e "$1" ] || { echo "not installed: run \`monctl up\`"; exit; }
    exec /usr/bin/python3 "$1" state"#;
const PROGRAM: &str = "/etc/monctl/counting/counting.py";
/// The state of an application that counts.
const COUNTED: &str = "counted";

/// Whether a host's application counts its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counting(String);

impl Counting {
    /// The state of a host; `None` where the spec has no `app.count_requests`, or not for this host.
    ///
    /// # Errors
    /// When the connection breaks, or the state cannot be read.
    pub async fn of(remote: &Remote, spec: &Spec) -> Result<Option<Self>> {
        if spec.app.count_requests.is_none() || remote.host().role() != Role::APP {
            return Ok(None);
        }
        let output = remote.run(&["sh", "-c", STATE, "sh", PROGRAM], b"").await?;
        let text = output.stdout.trim();
        if !output.status.success() || text.is_empty() {
            return Err(Error::failed("cannot find out whether requests are counted")
                .at(remote.host().to_string())
                .because(output.stderr.trim().to_owned()));
        }
        Ok(Some(Self(text.to_owned())))
    }

    /// The state as a sentence.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Why requests are unknown, and the remedy; `None` if they are counted.
    pub fn obstacle(&self) -> Option<&str> {
        (self.0 != COUNTED).then_some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_state_means_that_requests_are_counted() {
        assert_eq!(Counting(COUNTED.to_owned()).obstacle(), None);
        let restart = "`shop.service` must be restarted to be counted: systemctl restart shop.service";
        assert_eq!(Counting(restart.to_owned()).obstacle(), Some(restart));
    }
}
