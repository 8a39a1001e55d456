//! `monctl verify-alert --schedule`: a systemd timer and a CI pipeline that prove every alert once a week. Only prints
//! them; the user chooses where to run them.

use std::path::Path;

use serde_json::json;

use crate::error::{Error, Result};
use crate::report::Outcome;

const SERVICE: &str = include_str!("schedule/monctl-verify-alert.service");
const TIMER: &str = include_str!("schedule/monctl-verify-alert.timer");
const PIPELINE: &str = include_str!("schedule/pipeline.yaml");

/// The timer and the pipeline for a spec.
///
/// # Errors
/// When the paths of this program or of the spec cannot be determined.
pub fn schedule(spec: &Path) -> Result<Outcome> {
    let absolute_path = |what: &str, path: std::io::Result<std::path::PathBuf>| {
        path.map(|path| path.display().to_string()).map_err(|error| {
            Error::could_not_run(format!("cannot determine the path of {what}")).because(error)
        })
    };
    let program = absolute_path("this program", std::env::current_exe())?;
    let spec = absolute_path(&format!("`{}`", spec.display()), std::path::absolute(spec))?;
    let fill = |text: &str| text.replace("PROGRAM", &systemd(&program)).replace("SPEC", &systemd(&spec));
    let (service, pipeline) = (fill(SERVICE), PIPELINE.replace("SPEC", "monctl.yaml"));
    let text = format!(
        "# /etc/systemd/system/monctl-verify-alert.service\n{service}\n\
         # /etc/systemd/system/monctl-verify-alert.timer\n{TIMER}\n\
         # then: systemctl daemon-reload && systemctl enable --now monctl-verify-alert.timer\n\n\
         # as a pipeline, here for GitHub Actions\n{pipeline}"
    );
    let json = json!({"service": service, "timer": TIMER, "pipeline": pipeline});
    Ok(Outcome::success(text.trim_end(), json))
}

/// Quotes a word of a unit's command.
fn systemd(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_spaces_and_special_characters_are_one_word_each() {
        let text = schedule(Path::new("/srv/my shop/100%.yaml")).unwrap().text;
        assert!(text.contains(" --file \"/srv/my shop/100%%.yaml\" "), "{text}");
        for written in ["--report %S/monctl-verify-alert/alerts.html", "--report alerts.html >proofs.json"] {
            assert!(text.contains(written), "{text}");
        }
        assert!(!text.contains("SPEC") && !text.contains("PROGRAM"), "{text}");
    }
}
