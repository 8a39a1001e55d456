//! `monctl down`: removes everything of a project, says what that was, and looks again.

use serde_json::json;

use super::deployment::provider;
use super::{Context, Outcome};
use crate::cli::DownArgs;
use crate::error::{Error, Exit, Result};
use crate::host::{HostName, ProjectName, Role};
use crate::provider::hosts::ThingKind;
use crate::provider::{Piece, Provider, local};

/// # Errors
/// When something of the project is still there afterwards.
pub(super) async fn run(args: &DownArgs, context: &Context) -> Result<Outcome> {
    let provider = match (&args.project, &args.region) {
        (Some(name), Some(region)) => {
            Provider::aws(parse(name)?, region.clone(), context.events.clone()).await?
        }
        (Some(name), None) => Provider::named(parse(name)?, context.events.clone())?,
        (None, _) => provider(&context.spec, &context.events).await.map_err(|error| match error.exit() {
            Exit::Invalid => {
                error.remedy("where the spec is lost, name the project: `monctl down --project NAME`")
            }
            _ => error,
        })?,
    };
    let found = provider.leftovers().await?;
    let mut removed = Vec::new();
    if !found.is_empty() {
        let data: Vec<String> = data(&found).collect();
        if args.yes {
            for line in &data {
                context.events.note(line);
            }
        } else {
            let pieces = found.iter().map(|piece| format!("- {piece}"));
            context.confirm(&pieces.chain(data).collect::<Vec<_>>().join("\n"), "remove all this?").await?;
        }
        let _lock = provider.lock()?;
        removed = provider.destroy().await?;
    }
    crate::remote::sweep();
    let left = provider.leftovers().await?;
    if !left.is_empty() {
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        return Err(Error::failed(format!("still there: {}", left.join(", ")))
            .remedy("run `monctl down` again; it removes what is left"));
    }
    let mut lines: Vec<String> = removed.iter().map(Piece::outcome).collect();
    let mut purged = Vec::new();
    if args.purge_cache {
        let (gone, kept) = local::purge_cache()?;
        lines.extend(gone.iter().map(|path| format!("removed base image {}", path.display())));
        lines.extend(kept.iter().map(|path| format!("kept base image {}: machines use it", path.display())));
        purged = gone;
    }
    lines.push("nothing is left of the project".into());
    Ok(Outcome {
        exit: Exit::Success,
        text: lines.join("\n"),
        json: json!({ "removed": removed, "purged": purged, "left": [] }),
    })
}

fn parse(name: &str) -> Result<ProjectName> {
    name.parse()
        .map_err(|error| Error::invalid(format!("`{name}` is no project name")).because(format!("{error}")))
}

/// What goes with the machines that nothing brings back.
fn data(pieces: &[Piece]) -> impl Iterator<Item = String> {
    let host = |piece: &Piece| match piece {
        Piece::Machine(name) | Piece::Instance { host: name, .. } => name.parse::<HostName>().ok(),
        Piece::OnHost(thing) if thing.kind == ThingKind::Data => Some(thing.host),
        _ => None,
    };
    pieces.iter().filter_map(host).map(|host| {
        let what = match host.role() {
            Role::App => "what the application wrote into /srv/monctl/app (database, uploads)",
            Role::Monitoring => "all metrics, the history of alerts, Grafana's database",
        };
        format!("! data on {host}: {what}")
    })
}
