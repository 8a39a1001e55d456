//! `monctl init`: a first spec for a Django project.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::context::Context;
use crate::cli::InitArgs;
use crate::error::{Error, Result};
use crate::init::{Answers, Machines, Survey};
use crate::own_files;
use crate::report::Outcome;
use crate::spec;

/// # Errors
/// If the spec exists already, the folder is no Django project, or nothing can be written.
pub(super) async fn run(args: &InitArgs, context: &Context) -> Result<Outcome> {
    let file = &context.spec;
    if file.exists() {
        return Err(Error::invalid(format!("`{}` exists already; nothing was changed", file.display()))
            .remedy("name another file: `monctl init --file PATH`"));
    }
    let survey = Survey::of(&args.folder)?;
    let answers =
        if args.yes { Answers { machines: Machines::Local, slack: None } } else { ask(context).await? };
    let text = survey.spec(&between(own_files::folder_of(file), &args.folder)?, &answers);
    own_files::create(file, text.as_bytes(), 0o644)
        .map_err(|error| Error::failed(format!("cannot write `{}`", file.display())).because(error))?;
    let missing = spec::load(file).err();
    let secrets: Vec<&str> = survey.secrets().into_iter().chain(answers.slack.as_deref()).collect();
    let mut lines = vec![format!("wrote `{}`: read it before you use it", file.display())];
    lines.extend(survey.findings());
    if let Some(error) = &missing {
        lines.push(format!("it is not complete yet: {}", error.message()));
        lines.extend(error.hint().map(|hint| format!("  help: {hint}")));
    }
    if !secrets.is_empty() {
        lines.push(format!("secrets that `monctl up` reads from its environment: {}", secrets.join(", ")));
    }
    lines.push("next: `monctl plan` shows what `monctl up` would do".to_owned());
    let json = json!({ "spec": file, "complete": missing.is_none(), "secrets": secrets });
    Ok(Outcome::success(lines.join("\n"), json))
}

/// At most three questions.
async fn ask(context: &Context) -> Result<Answers> {
    let questions = &context.questions;
    let place = "where do the hosts run: `local` (machines on this computer), `aws`, or the ssh name of the host for the application?";
    let machines = match questions.ask(place, "local").await?.as_str() {
        "local" => Machines::Local,
        "aws" => Machines::Aws(questions.ask("which region of AWS?", "eu-central-1").await?),
        app => {
            let monitoring = questions.ask("the ssh name of the host for monitoring?", "monitoring").await?;
            Machines::Hosts(app.to_owned(), monitoring)
        }
    };
    let webhook = "which environment variable has the URL of your Slack webhook (empty: monctl receives messages itself)?";
    let slack = questions.ask(webhook, "").await?;
    Ok(Answers { machines, slack: Some(slack).filter(|name| !name.is_empty()) })
}

/// The path that leads from one folder to another.
fn between(from: &Path, to: &Path) -> Result<PathBuf> {
    let absolute = |folder: &Path| {
        folder.canonicalize().map_err(|error| {
            Error::invalid(format!("cannot open the folder `{}`", folder.display())).because(error)
        })
    };
    let (from, to) = (absolute(from)?, absolute(to)?);
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let ups = from.components().skip(common).map(|_| Path::new(".."));
    let path: PathBuf =
        ups.chain(to.components().skip(common).map(|part| Path::new(part.as_os_str()))).collect();
    Ok(if path.as_os_str().is_empty() { PathBuf::from(".") } else { path })
}
