//! `monctl logs`: the journals of the services of all hosts, as one stream in the order of time.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::sync::mpsc;

use super::context::Context;
use crate::cli::LogsArgs;
use crate::error::{Error, Result};
use crate::host::{Machine, Role};
use crate::playbook::Playbook;
use crate::provider;
use crate::remote::{JournalSource, send_all, send_each, service_of};
use crate::report::Outcome;
use crate::spec::{ServiceUnit, Spec, load};

/// # Errors
/// When no host has such a service, or no host runs; and, once the others were read, when one does not answer.
pub(super) async fn run(args: &LogsArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let services = services(args.service.as_deref(), &units(&loaded.spec)?)?;
    let provider = provider::of(&loaded, &context.events).await?;
    let machines: Vec<Machine> = provider.observe().await?.running();
    let machines: Vec<Machine> =
        machines.into_iter().filter(|machine| services.contains_key(&machine.name.role())).collect();
    if machines.is_empty() {
        return Err(Error::could_not_run("no host with these services is running")
            .remedy("`monctl status` shows what runs; `monctl up` starts it"));
    }
    let (sender, entries) = mpsc::unbounded_channel();
    let sources = machines.iter().map(|machine| JournalSource {
        machine,
        units: &services[&machine.name.role()],
        since: args.since.get(),
        follow: args.follow,
        events: &context.events,
        entries: sender.clone(),
    });
    let read = futures_util::future::join_all(sources.map(JournalSource::read));
    drop(sender);
    let unread = if args.follow {
        let follow = async { tokio::join!(read, send_each(entries, &context.events)) };
        tokio::select! {
            (unread, ()) = follow => unread,
            // The regular end of `--follow`.
            () = context.cancel.raised() => Vec::new(),
        }
    } else {
        let unread = read.await;
        send_all(entries, &context.events);
        unread
    };
    let unread: Vec<String> = unread.into_iter().flatten().map(|host| host.to_string()).collect();
    if unread.is_empty() {
        return Ok(Outcome::success("", Value::Null));
    }
    Err(Error::failed("not every journal could be read")
        .at(unread.join(", "))
        .remedy("`monctl status` shows what runs; `monctl up` starts it"))
}

/// The units of each role, with that of an application that monctl does not deploy.
fn units(spec: &Spec) -> Result<BTreeMap<Role, Vec<String>>> {
    let flags = spec.flags();
    let of_role = |role| {
        let playbook = Playbook::of_spec(role, spec)?;
        let others = spec.app.unit.iter().filter(|_| role == Role::APP).map(ServiceUnit::as_str);
        Ok((role, playbook.units_with(&flags).chain(others).map(str::to_owned).collect()))
    };
    spec.roles().into_iter().map(of_role).collect()
}

/// Those of the units that have a journal: all of them, or that of one service.
fn services(
    wanted: Option<&str>,
    units: &BTreeMap<Role, Vec<String>>,
) -> Result<BTreeMap<Role, Vec<String>>> {
    let mut services: BTreeMap<Role, Vec<String>> = BTreeMap::new();
    let mut names = Vec::new();
    for (role, unit) in units.iter().flat_map(|(role, units)| units.iter().map(move |unit| (role, unit))) {
        let Some(name) = service_of(unit) else { continue };
        names.push(format!("`{name}`"));
        if wanted.is_none_or(|wanted| wanted == name || wanted == unit) {
            services.entry(*role).or_default().push(unit.clone());
        }
    }
    if services.is_empty() {
        return Err(Error::invalid(format!("there is no service `{}`", wanted.unwrap_or_default()))
            .remedy(format!("the services are {}", names.join(", "))));
    }
    Ok(services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_with_or_without_prefix_and_suffix() {
        let units = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = [
            (Role::APP, units(&["monctl-app.socket", "monctl-app.service", "shop.service"])),
            (Role::MONITORING, units(&["monctl-alertmanager.service", "monctl-prometheus.service"])),
        ];
        let all = all.into();
        let services = |wanted| services(wanted, &all);
        assert_eq!(services(None).unwrap()[&Role::APP], units(&["monctl-app.service", "shop.service"]));
        for name in ["prometheus", "monctl-prometheus.service"] {
            let one = services(Some(name)).unwrap();
            assert_eq!(one, [(Role::MONITORING, units(&["monctl-prometheus.service"]))].into());
        }
        for name in ["shop", "shop.service"] {
            assert_eq!(services(Some(name)).unwrap(), [(Role::APP, units(&["shop.service"]))].into());
        }
        let error = services(Some("redis")).unwrap_err();
        assert!(error.hint().unwrap().contains("`alertmanager`"), "{error}");
    }
}
