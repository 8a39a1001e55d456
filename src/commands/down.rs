//! `monctl down`: removes everything of a project, lists what was removed, and verifies the result.

use std::path::Path;

use serde_json::json;

use super::context::Context;
use crate::cli::DownArgs;
use crate::converge::dashboards;
use crate::error::{Error, Exit, Result};
use crate::grafana::ExternalInstance;
use crate::host::{HostName, ProjectName, Role};
use crate::provider::hosts::RecordedItemKind;
use crate::provider::{self, Piece, Provider, local};
use crate::report::Outcome;
use crate::spec::{AppService, Loaded, load};

/// # Errors
/// When something of the project is still there afterwards.
pub(super) async fn run(args: &DownArgs, context: &Context) -> Result<Outcome> {
    let (provider, loaded) = project(args, context).await?;
    let found = provider.leftovers().await?;
    // If Grafana does not answer, the machines are removed all the same.
    let guest = match &loaded {
        Some(loaded) => existing_grafana(loaded, &*provider).await,
        None => Ok(None),
    };
    // An error of Grafana is reported once the machines are removed.
    let in_grafana =
        guest.as_ref().ok().and_then(Option::as_ref).map(ExternalInstance::lines).unwrap_or_default();
    let mut removed = Vec::new();
    if !found.is_empty() || !in_grafana.is_empty() {
        let services = loaded.as_ref().map_or(&[][..], |loaded| &loaded.spec.app.services);
        let data: Vec<String> = data(&found, services).collect();
        if args.yes {
            for line in &data {
                context.events.note(line);
            }
        } else {
            let pieces = found.iter().map(|piece| format!("- {piece}"));
            let pieces = pieces.chain(in_grafana.iter().map(|line| format!("- {line} in Grafana")));
            context
                .confirm(&pieces.chain(data).collect::<Vec<_>>().join("\n"), "remove all of this?")
                .await?;
        }
        let _lock = provider.lock()?;
        if !found.is_empty() {
            removed = provider.destroy().await?;
        }
    }
    let base = loaded.as_ref().map_or(Path::new("."), Loaded::base_dir);
    let taken_back = match guest {
        Ok(Some(guest)) => guest.take_back(base, &context.events).await,
        Ok(None) => Ok((vec![], None)),
        Err(error) => Err(error),
    };
    crate::remote::sweep();
    let left = provider.leftovers().await?;
    if !left.is_empty() {
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        return Err(Error::failed(format!("still there: {}", left.join(", ")))
            .remedy("run `monctl down` again; it removes what is left"));
    }
    let (of_grafana, kept) = taken_back.map_err(|error| {
        let gone = if removed.is_empty() { "" } else { "; the machines are removed" };
        let remedy = error.hint().unwrap_or("remove the cause, then run `monctl down` again").to_owned();
        Error::failed(format!("what monctl created in Grafana still exists{gone}"))
            .remedy(remedy)
            .because(error)
    })?;
    let mut lines: Vec<String> = removed.iter().map(Piece::outcome).collect();
    lines.extend(of_grafana.iter().map(|what| format!("removed {what} from Grafana")));
    lines.extend(kept.iter().map(|why| format!("kept {why}")));
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
        json: json!({
            "removed": removed,
            "grafana": { "removed": of_grafana, "kept": kept },
            "purged": purged,
            "left": [],
        }),
    })
}

/// The provider of the project, and the spec if it exists.
async fn project(args: &DownArgs, context: &Context) -> Result<(Box<dyn Provider>, Option<Loaded>)> {
    let events = context.events.clone();
    match (&args.project, &args.region) {
        (Some(name), Some(region)) => {
            Ok((provider::in_region(parse(name)?, region.clone(), events).await?, None))
        }
        (Some(name), None) => Ok((provider::named(parse(name)?, events)?, None)),
        (None, _) => {
            let loaded = load(&context.spec).map_err(|error| match error.exit() {
                Exit::Invalid => {
                    error.remedy("if the spec is lost, name the project: `monctl down --project NAME`")
                }
                _ => error,
            })?;
            Ok((provider::of(&loaded, &context.events).await?, Some(loaded)))
        }
    }
}

/// What monctl owns in an existing Grafana; `None` if the spec names none.
async fn existing_grafana(loaded: &Loaded, provider: &dyn Provider) -> Result<Option<ExternalInstance>> {
    if loaded.spec.grafana.existing().is_none() {
        return Ok(None);
    }
    // An invalid dashboard file of the user must not block the rest.
    let wanted = dashboards::readable(loaded).await?;
    ExternalInstance::look(loaded, provider.folder(), wanted).await
}

fn parse(name: &str) -> Result<ProjectName> {
    name.parse().map_err(|error| {
        Error::invalid(format!("`{name}` is not a valid project name")).because(format!("{error}"))
    })
}

/// Data that is lost with the machines.
fn data(pieces: &[Piece], services: &[AppService]) -> impl Iterator<Item = String> {
    let texts = services.iter().map(|service| format!("everything in {}", service.title()));
    let of_services = [String::new()].into_iter().chain(texts).collect::<Vec<_>>().join(", ");
    let host = |piece: &Piece| match piece {
        // A machine with a name that no spec can have holds no known data.
        Piece::Machine(name) | Piece::Instance { host: name, .. } => name.parse::<HostName>().ok(),
        Piece::OnHost(thing) if thing.kind == RecordedItemKind::Data => Some(thing.host),
        _ => None,
    };
    pieces.iter().filter_map(host).filter_map(move |host| {
        let what = match host.role() {
            Role::APP => format!(
                "files that the application wrote to /var/lib/monctl/app (database, uploads){of_services}"
            ),
            Role::MONITORING => "all metrics, the history of alerts, Grafana's database".to_owned(),
            // Such hosts hold only programs and their settings.
            _ => return None,
        };
        Some(format!("! data on {host}: {what}"))
    })
}
