//! `monctl render`: every file that the hosts would get and every dashboard, written to a folder or printed. Changes no
//! machine and resolves no secret: the files contain `[secret]` instead.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::context::Context;
use crate::cli::RenderArgs;
use crate::converge::dashboards;
use crate::error::{Error, Result};
use crate::playbook::Playbook;
use crate::project;
use crate::render::{Addresses, Bundle, Tool, ToolVerdict, check, warnings};
use crate::report::Outcome;
use crate::rule_tests::{self, RuleTests, rule_tests};
use crate::spec::{Loaded, Spec, load};

/// Folder of the dashboards, which are named by their uids.
const DASHBOARDS: &str = "grafana/dashboards/";

/// The text of each file by its name.
type Files = BTreeMap<String, String>;

/// # Errors
/// When the spec or a dashboard is invalid, an address is for a host that the project does not have, promtool or amtool
/// refuse the files, or they cannot be written.
pub(super) async fn run(args: &RenderArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    for role in loaded.spec.roles() {
        Playbook::of_spec(role, &loaded.spec)?;
    }
    project::releases(&loaded)?;
    let bundle = Bundle::render(&loaded.spec, &addresses(args, &loaded.spec)?)?;
    let verdicts = check(&bundle)?;
    let notices = project::application(&loaded)?.1;
    let untested = rule_tests::warnings(&loaded.spec);
    let warnings: Vec<String> =
        warnings(&loaded).into_iter().chain(untested).chain(notices.warnings).collect();
    for warning in &warnings {
        context.events.warn(warning.clone());
    }
    for what in &notices.left_out {
        context.events.note(format!("left out: {what}"));
    }
    for (tool, _) in verdicts.iter().filter(|(_, verdict)| *verdict == ToolVerdict::NotInstalled) {
        let name = tool.name();
        context.events.warn(format!("{name} is not installed, so it did not check the files"));
    }
    let files = files(&bundle, &loaded, context).await?;
    let text = match args.out() {
        Some(folder) => {
            let tests = rule_tests(&loaded.spec)?;
            write(&files, folder)?;
            write(&written(&tests), folder)?;
            format!(
                "{} files written to `{}`; {}{}",
                files.len() + tests.len(),
                folder.display(),
                judged(&verdicts),
                how_to_test(&tests),
            )
        }
        None => format!("{}# {}", shown(&files), judged(&verdicts)),
    };
    Ok(Outcome::success(text, document(args, &files, &verdicts, &warnings)))
}

/// The bundle's files and the dashboards.
async fn files(bundle: &Bundle, loaded: &Loaded, context: &Context) -> Result<Files> {
    let wanted = dashboards::wanted(loaded).await?;
    for error in &wanted.missing {
        context.events.warn(error.in_one_line());
    }
    let of_hosts = bundle.iter().map(|(name, content)| (name.to_owned(), content.masked().into_owned()));
    let dashboards = wanted.dashboards.iter().map(|one| {
        let json = format!("{:#}\n", one.document());
        (format!("{DASHBOARDS}{}.json", one.uid), json)
    });
    Ok(of_hosts.chain(dashboards).collect())
}

/// The addresses on the command line, which must be for hosts of the spec.
fn addresses(args: &RenderArgs, spec: &Spec) -> Result<Addresses> {
    args.addresses.iter().try_for_each(|(host, _)| spec.check_host(*host))?;
    Ok(args.addresses.iter().copied().collect())
}

/// The tests of the rules; they are for the user and are copied to no host.
fn written(tests: &[RuleTests]) -> Files {
    tests.iter().map(|tests| (tests.file(), tests.written("../alert_rules.yml"))).collect()
}

fn write(files: &Files, folder: &Path) -> Result<()> {
    for (name, content) in files {
        let path = folder.join(name);
        let cannot = |error| {
            Error::failed(format!("cannot write `{}`", path.display()))
                .remedy("choose another folder with `--out`")
                .because(error)
        };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(cannot)?;
        }
        fs::write(&path, content).map_err(cannot)?;
    }
    Ok(())
}

fn how_to_test(tests: &[RuleTests]) -> &'static str {
    if tests.is_empty() {
        ""
    } else {
        "\nto test the alerts, run `promtool test rules tests/*.yml` in that folder"
    }
}

/// All files, each below its name; of dashboards, which have a thousand lines each, only the names.
fn shown(files: &Files) -> String {
    let mut text = String::new();
    for (name, content) in files {
        let dashboard = name.starts_with(DASHBOARDS);
        let content = if dashboard {
            "# use `--out` to write it, or `--output json` to print it"
        } else {
            content.trim_end()
        };
        text.push_str(&format!("# --- {name}\n{content}\n\n"));
    }
    text
}

/// Which tools checked the files.
fn judged(verdicts: &[(Tool, ToolVerdict)]) -> String {
    let names = |wanted: ToolVerdict| {
        let names = verdicts.iter().filter(|(_, verdict)| *verdict == wanted).map(|(tool, _)| tool.name());
        names.collect::<Vec<_>>().join(" and ")
    };
    match (names(ToolVerdict::Accepted), names(ToolVerdict::NotInstalled)) {
        (accepted, missing) if missing.is_empty() => format!("accepted by {accepted}"),
        (accepted, missing) if accepted.is_empty() => {
            format!("not checked: {missing} are not installed")
        }
        (accepted, missing) => {
            format!("accepted by {accepted}; not checked by {missing} (not installed)")
        }
    }
}

fn document(
    args: &RenderArgs,
    files: &Files,
    verdicts: &[(Tool, ToolVerdict)],
    warnings: &[String],
) -> Value {
    let verdicts: serde_json::Map<String, Value> =
        verdicts.iter().map(|(tool, verdict)| (tool.name().to_owned(), json!(verdict))).collect();
    json!({ "out": args.out(), "files": files, "checked": verdicts, "warnings": warnings })
}
