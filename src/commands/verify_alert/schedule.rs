//! `monctl verify-alert --schedule`: what proves every alert once a week, as a systemd timer and as a step of a
//! pipeline. Printed only; where it runs is the user's choice.

use std::path::Path;

use serde_json::json;

use super::Outcome;
use crate::error::{Error, Result};

const SERVICE: &str = include_str!("schedule/monctl-verify-alert.service");
const TIMER: &str = include_str!("schedule/monctl-verify-alert.timer");
const PIPELINE: &str = include_str!("schedule/pipeline.yaml");

/// # Errors
/// Where the paths of this program or of the spec cannot be told.
pub(super) fn print(spec: &Path) -> Result<Outcome> {
    let told = |what: &str, path: std::io::Result<std::path::PathBuf>| {
        path.map(|path| path.display().to_string())
            .map_err(|error| Error::could_not_run(format!("cannot tell the path of {what}")).because(error))
    };
    let program = told("this program", std::env::current_exe())?;
    let spec = told(&format!("`{}`", spec.display()), std::path::absolute(spec))?;
    let fill = |text: &str| text.replace("PROGRAM", &systemd(&program)).replace("SPEC", &systemd(&spec));
    let (service, pipeline) = (fill(SERVICE), PIPELINE.replace("SPEC", "monctl.yaml"));
    let text = format!(
        "# /etc/systemd/system/monctl-verify-alert.service\n{service}\n\
         # /etc/systemd/system/monctl-verify-alert.timer\n{TIMER}\n\
         # then: systemctl daemon-reload && systemctl enable --now monctl-verify-alert.timer\n\n\
         # in a pipeline, here in the words of GitHub's\n{pipeline}"
    );
    let json = json!({"service": service, "timer": TIMER, "pipeline": pipeline});
    Ok(Outcome::success(text.trim_end(), json))
}

/// A word of a unit's command.
fn systemd(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_spaces_and_signs_are_one_word_each() {
        let text = print(Path::new("/srv/my shop/100%.yaml")).unwrap().text;
        assert!(text.contains(" --file \"/srv/my shop/100%%.yaml\" "), "{text}");
        for written in ["--report %S/monctl-verify-alert/alerts.html", "--report alerts.html >proofs.json"] {
            assert!(text.contains(written), "{text}");
        }
        assert!(!text.contains("SPEC") && !text.contains("PROGRAM"), "{text}");
    }
}
