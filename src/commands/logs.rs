//! `monctl logs`: the journals of the services of all hosts, as one stream in the order of time.
//!
//! Each host has its own task. With `--follow` an entry waits a moment for older ones of other
//! hosts, and after a lost connection the stream continues from the last entry.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::time::{Instant, sleep};

use super::context::Context;
use super::deployment::ANSWERS_WITHIN;
use super::outcome::Outcome;
use crate::cli::LogsArgs;
use crate::error::{Error, Result};
use crate::event::{Event, Events, LogLine};
use crate::host::{HostName, Machine, Role};
use crate::playbook::Playbook;
use crate::provider;
use crate::remote::{Limits, Remote};
use crate::spec::{ServiceUnit, Spec, load};

/// How long to retry a lost connection before giving up its host.
const RECONNECT_WITHIN: Duration = Duration::from_mins(10);
/// How long a followed entry waits for older ones: twice the round trip time of a slow line.
const HELD: Duration = Duration::from_millis(400);
/// Prefix and suffix of unit names, around the name of the service.
const UNIT: (&str, &str) = ("monctl-", ".service");

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
    let sources = machines.iter().map(|machine| Source {
        machine,
        units: &services[&machine.name.role()],
        since: args.since.get(),
        follow: args.follow,
        events: &context.events,
        entries: sender.clone(),
    });
    let read = futures_util::future::join_all(sources.map(Source::read));
    drop(sender);
    let unread = if args.follow {
        let follow = async { tokio::join!(read, follow(entries, &context.events)) };
        tokio::select! {
            (unread, ()) = follow => unread,
            // The regular end of `--follow`.
            () = context.cancel.raised() => Vec::new(),
        }
    } else {
        let unread = read.await;
        all(entries, &context.events);
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
        let Some(name) = service(unit) else { continue };
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

/// `app` for `monctl-app.service`; `None` for units without log lines of their own, such as a socket.
fn service(unit: &str) -> Option<&str> {
    let name = unit.strip_suffix(UNIT.1)?;
    Some(name.strip_prefix(UNIT.0).unwrap_or(name))
}

/// Sends all entries, in the order of time.
fn all(mut entries: mpsc::UnboundedReceiver<LogLine>, events: &Events) {
    // All senders are gone: empty is the end.
    let mut lines: Vec<LogLine> = std::iter::from_fn(|| entries.try_recv().ok()).collect();
    lines.sort_by_key(|line| line.at);
    for line in lines {
        events.send(Event::Log { line });
    }
}

/// Sends entries as they arrive, each after a short wait for older ones of other hosts.
async fn follow(mut entries: mpsc::UnboundedReceiver<LogLine>, events: &Events) {
    // By time; entries of the same time in the order of arrival.
    let mut held: BTreeMap<(Timestamp, usize), (Instant, LogLine)> = BTreeMap::new();
    for number in 0.. {
        let arrived = tokio::time::timeout(HELD / 4, entries.recv()).await;
        let is_over = matches!(arrived, Ok(None));
        if let Ok(Some(line)) = arrived {
            held.insert((line.at, number), (Instant::now(), line));
        }
        while let Some(oldest) = held.first_entry().filter(|it| is_over || it.get().0.elapsed() >= HELD) {
            let (_, line) = oldest.remove();
            events.send(Event::Log { line });
        }
        if is_over {
            return;
        }
    }
}

/// The journal of one host.
struct Source<'a> {
    machine: &'a Machine,
    units: &'a [String],
    since: Duration,
    follow: bool,
    events: &'a Events,
    entries: UnboundedSender<LogLine>,
}

impl Source<'_> {
    /// Reads it to its end. If it cannot be read, warns at once and returns the host.
    async fn read(self) -> Option<HostName> {
        let error = self.stream_with_retries().await.err()?;
        self.events.warn(error.to_string());
        Some(self.machine.name)
    }

    async fn stream_with_retries(&self) -> Result<()> {
        let mut cursor = None;
        let mut patience = ANSWERS_WITHIN;
        loop {
            let remote = Remote::connect(self.machine, patience, self.events).await?;
            match self.stream(&remote, &mut cursor).await {
                Ok(()) => return Ok(()),
                Err(error) if !self.follow => return Err(error),
                Err(error) => self.events.warn(format!("{error}; reconnecting")),
            }
            patience = RECONNECT_WITHIN;
            sleep(HELD).await;
        }
    }

    /// Reads until the journal or the connection ends. `cursor` is the position of the last entry.
    async fn stream(&self, remote: &Remote, cursor: &mut Option<String>) -> Result<()> {
        let from = match &cursor {
            Some(cursor) => format!("--after-cursor={cursor}"),
            None => format!("--since=-{}s", self.since.as_secs()),
        };
        let mut words = vec!["journalctl", "--output=json", "--no-pager", "--quiet", &from];
        words.extend(self.units.iter().flat_map(|unit| ["--unit", unit.as_str()]));
        // Without it the journal is read from its beginning and ends with its last entry.
        words.extend(self.follow.then_some("--follow"));
        words.extend(self.follow.then_some("--no-tail"));
        let host = self.machine.name;
        let (status, complaint) = remote
            .stream(&words, b"", Limits::STREAM, |text| {
                let line = match entry(host, text) {
                    Some((line, place)) => {
                        *cursor = Some(place);
                        line
                    }
                    // Entries that cannot be parsed are shown as they are.
                    None => {
                        LogLine { at: Timestamp::now(), host, service: "journal".into(), text: text.into() }
                    }
                };
                // The reader may be gone already.
                drop(self.entries.send(line));
            })
            .await?;
        if status.success() && !self.follow {
            return Ok(());
        }
        Err(Error::failed(format!("the journal could not be read ({status})"))
            .at(host.to_string())
            .because(complaint.trim().to_owned()))
    }
}

/// An entry of `journalctl --output=json` and its cursor.
fn entry(host: HostName, text: &str) -> Option<(LogLine, String)> {
    let entry: Value = serde_json::from_str(text).ok()?;
    let micros = entry["__REALTIME_TIMESTAMP"].as_str()?.parse().ok()?;
    // A message of systemd about a unit names it in `UNIT`.
    let unit = entry["UNIT"].as_str().or_else(|| entry["_SYSTEMD_UNIT"].as_str()).unwrap_or_default();
    let line = LogLine {
        at: Timestamp::from_microsecond(micros).ok()?,
        host,
        service: service(unit).unwrap_or(unit).to_owned(),
        text: message(&entry["MESSAGE"]),
    };
    Some((line, entry["__CURSOR"].as_str()?.to_owned()))
}

/// The text of an entry: the journal encodes text that is not UTF-8 as a list of bytes.
fn message(value: &Value) -> String {
    // journalctl writes only bytes.
    let byte = |value: &Value| value.as_u64().and_then(|byte| u8::try_from(byte).ok());
    match value {
        Value::Array(bytes) => {
            String::from_utf8_lossy(&bytes.iter().filter_map(byte).collect::<Vec<_>>()).into_owned()
        }
        value => value.as_str().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: HostName = HostName::app(1);

    fn line(host: HostName, second: i64, text: &str) -> LogLine {
        let at = Timestamp::from_second(second).unwrap();
        LogLine { at, host, service: "app".into(), text: text.into() }
    }

    fn logged(stream: &mut mpsc::UnboundedReceiver<Event>) -> Vec<String> {
        let text = |event| match event {
            Event::Log { line } => line.text,
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| stream.try_recv().ok()).map(text).collect()
    }

    #[test]
    fn an_entry_is_read_with_its_service_also_if_systemd_wrote_it() {
        let json = |unit: &str, message: &str| {
            format!(
                r#"{{"__REALTIME_TIMESTAMP": "1700000000123456", "__CURSOR": "s=1;i=2", {unit}, "MESSAGE": {message}}}"#
            )
        };
        let read = |unit: &str, message: &str| entry(APP, &json(unit, message)).unwrap();
        let (line, cursor) = read(r#""_SYSTEMD_UNIT": "monctl-app.service""#, r#""hello""#);
        assert_eq!((line.service.as_str(), line.text.as_str(), cursor.as_str()), ("app", "hello", "s=1;i=2"));
        assert_eq!(line.at.to_string(), "2023-11-14T22:13:20.123456Z");
        let systemd = r#""_SYSTEMD_UNIT": "init.scope", "UNIT": "monctl-node-exporter.service""#;
        assert_eq!(read(systemd, r#""Started""#).0.service, "node-exporter");
        assert_eq!(read(r#""UNIT": "monctl-app.service""#, "[104, 105, 255]").0.text, "hi\u{fffd}");
        assert!(entry(APP, "-- No entries --").is_none());
    }

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

    #[test]
    fn entries_of_all_hosts_are_sent_in_the_order_of_time() {
        let (sender, entries) = mpsc::unbounded_channel();
        for line in [line(APP, 3, "c"), line(HostName::MONITORING, 1, "a"), line(APP, 2, "b")] {
            sender.send(line).unwrap();
        }
        let (events, mut stream) = Events::channel();
        all(entries, &events);
        assert_eq!(logged(&mut stream), ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_followed_line_waits_for_an_older_one_of_another_host() {
        let (sender, entries) = mpsc::unbounded_channel();
        let (events, mut stream) = Events::channel();
        let write = async {
            sender.send(line(APP, 2, "b")).unwrap();
            sleep(HELD / 2).await;
            sender.send(line(HostName::MONITORING, 1, "a")).unwrap();
            drop(sender);
        };
        tokio::join!(follow(entries, &events), write);
        assert_eq!(logged(&mut stream), ["a", "b"]);
    }

    #[tokio::test]
    async fn followed_lines_are_sent_while_others_keep_arriving() {
        let (sender, entries) = mpsc::unbounded_channel();
        let (events, mut stream) = Events::channel();
        let write = async {
            let begin = Instant::now();
            // Without a pause as long as a line waits for others.
            while logged(&mut stream).is_empty() {
                sender.send(line(APP, 1, "one of many")).unwrap();
                assert!(begin.elapsed() < 50 * HELD, "nothing is logged");
                sleep(HELD / 40).await;
            }
            drop(sender);
        };
        tokio::join!(follow(entries, &events), write);
    }
}
