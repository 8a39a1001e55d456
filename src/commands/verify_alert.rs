//! `monctl verify-alert`: causes the fault that an alert is there for, and watches it arrive and be resolved.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::{Context, Outcome};
use crate::cli::VerifyArgs;
use crate::error::{Error, Exit, Result};
use crate::host::{HostName, Machine};
use crate::http::Endpoint;
use crate::http::alertmanager::Alertmanager;
use crate::http::prometheus::Prometheus;
use crate::http::slack;
use crate::provider::Provider;
use crate::remote::Remote;
use crate::render::rules;
use crate::report::duration;
use crate::spec::{PromDuration, Receiver, Spec, load};
use crate::verify::{self, Hosts, Options, Proof, Request, Services, Settings, Stage, Subject};

/// The machines run already; a host that has not answered by then does not.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);
const PROMETHEUS: u16 = 9090;
const ALERTMANAGER: u16 = 9093;
/// The port of the monitoring host to which Alertmanager posts where monctl receives.
const CAPTURE: u16 = 9099;

/// # Errors
/// Where the alert has no drill, a machine or service does not answer, the alert is active already, or the load
/// cannot make it arrive.
pub(super) async fn run(args: &VerifyArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let spec = &loaded.spec;
    let settings = drillable(spec, &args.alert)?;
    let provider = Provider::of(&loaded, &context.events).await?;
    let machines = provider.observe().await?.running();
    let app = machine(&machines, HostName::app(1))?;
    let monitoring = machine(&machines, HostName::MONITORING)?;
    let (app_remote, remote) =
        tokio::try_join!(Remote::connect(app, CONNECT_WITHIN), Remote::connect(monitoring, CONNECT_WITHIN))?;

    // Holds the socket of the receiver until the end.
    let folder = tempfile::tempdir()
        .map_err(|error| Error::could_not_run("cannot make a temporary folder").because(error))?;
    let request = Request {
        subject: Subject { alert: args.alert.clone(), address: app.address.to_string() },
        host: app.name,
        settings,
        options: options(args),
    };
    let services = services(spec, &remote, folder.path()).await?;
    let hosts = Hosts { app: &app_remote, monitoring: &remote };
    let proof = verify::prove(&request, services, &hosts, &context.events, &context.cancel).await?;
    if let Err(error) = verify::keep(&hosts, &proof).await {
        context.events.warn(error.to_string());
    }
    outcome(&proof)
}

/// The settings that decide the times of an alert for which there is a drill.
fn drillable(spec: &Spec, alert: &str) -> Result<Settings> {
    let rules = rules(spec);
    let names: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
    let rule = rules.into_iter().find(|rule| rule.name == alert).ok_or_else(|| {
        Error::invalid(format!("the spec has no alert `{alert}`"))
            .remedy(format!("its alerts are {}", names.join(", ")))
    })?;
    let settings = Settings::of_rule(spec, &rule).filter(|_| rule.expr.contains("node_cpu_seconds_total"));
    settings.ok_or_else(|| {
        Error::could_not_run(format!("there is no drill for `{alert}` yet"))
            .remedy("alerts on CPU load, such as `HighCPUUsage`, can be proven")
    })
}

fn machine(machines: &[Machine], name: HostName) -> Result<&Machine> {
    machines.iter().find(|machine| machine.name == name).ok_or_else(|| {
        Error::could_not_run("the machine does not run")
            .at(name.to_string())
            .remedy("`monctl up` makes or starts it")
    })
}

fn options(args: &VerifyArgs) -> Options {
    Options {
        keep: args.keep,
        like_reference: args.like_reference,
        cpu_load: args.cpu_load,
        duration: args.duration.map(PromDuration::get),
    }
}

/// Clients at the ends of forwards, and the receiver where alerts are sent to it.
async fn services(spec: &Spec, remote: &Remote, folder: &std::path::Path) -> Result<Services> {
    let receiver = match spec.notify.receiver() {
        Receiver::Slack(_) => None,
        Receiver::Capture => {
            let socket = folder.join("slack.sock");
            let receiver = slack::Receiver::on_unix(&socket)?;
            remote.listen(CAPTURE, &socket).await?;
            Some(receiver)
        }
    };
    Ok(Services {
        prometheus: Prometheus::new(&Endpoint::Unix(remote.forward(PROMETHEUS).await?))?,
        alertmanager: Alertmanager::new(&Endpoint::Unix(remote.forward(ALERTMANAGER).await?))?,
        receiver,
    })
}

fn outcome(proof: &Proof) -> Result<Outcome> {
    let json: Value = serde_json::to_value(proof)
        .map_err(|error| Error::failed("cannot write the proof as JSON").because(error))?;
    let exit = if proof.proven { Exit::Success } else { Exit::NotProven };
    Ok(Outcome::success(text(proof), json).with_exit(exit))
}

fn text(proof: &Proof) -> String {
    let Proof { alert, host, .. } = proof;
    let after = |stage| proof.when(stage).map(|millis| millis.0);
    let Some(diagnosis) = &proof.diagnosis else {
        let mut text = format!("{alert} is proven on {host}");
        let off = after(Stage::LoadOff).unwrap_or_default();
        if let Some(delivered) = after(Stage::Delivered) {
            let _ = write!(text, ": delivered {} after the load went on", duration(delivered));
        }
        if let Some(resolved) = after(Stage::Resolved) {
            let _ = write!(text, ", resolved {} after it went off", duration(resolved.saturating_sub(off)));
        }
        if let Some(told) = after(Stage::ResolvedDelivered) {
            let _ = write!(text, ", told {} after it went off", duration(told.saturating_sub(off)));
        }
        return text;
    };
    let last = proof.timeline.iter().map(|entry| entry.stage).filter(|stage| *stage < diagnosis.stage).max();
    let reached = last.map_or("before the load".into(), |stage| format!("after `{stage}`"));
    format!(
        "{alert} is not proven on {host}: it stopped {reached}, before `{}`\n  because: {}\n  help: {}",
        diagnosis.stage, diagnosis.cause, diagnosis.remedy
    )
}
