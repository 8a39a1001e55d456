//! `monctl verify-receivers`: sends a test alert through each route of Alertmanager, and checks that its receiver gets
//! it. Causes no fault.

use serde_json::json;

use super::context::Context;
use super::deployment::ANSWERS_WITHIN;
use super::outcome::Outcome;
use super::{services, verify_alert};
use crate::drill::alertmanager_log;
use crate::error::{Error, Exit, Result};
use crate::provider;
use crate::remote::Remote;
use crate::report::duration;
use crate::spec::load;
use crate::verify::{
    MessageChannels, ReceiverResult, ReceiverTest, ReceiverVerdict, Services, Witness, test_receivers,
};

/// # Errors
/// When the monitoring host or Alertmanager does not answer. A receiver that does not get its message is part of the
/// outcome.
pub(super) async fn run(context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let provider = provider::of(&loaded, &context.events).await?;
    let _lock = provider.lock()?;
    let machines = provider.observe().await?.running();
    let remote = Remote::connect(services::monitoring(&machines)?, ANSWERS_WITHIN, &context.events).await?;
    let routes = loaded.spec.notify.routes();
    let places: MessageChannels = routes.iter().copied().filter(|route| !route.is_heartbeat()).collect();
    let tests = ReceiverTest::of_routes(&routes);
    // Contains the socket of the receiver until the end.
    let folder = tempfile::tempdir()
        .map_err(|error| Error::could_not_run("cannot make a temporary folder").because(error))?;
    let (services, channels) =
        verify_alert::services(&loaded, &places, &remote, folder.path(), context).await?;
    let Services { alertmanager, inbox, .. } = services;
    let log = async |seconds| alertmanager_log(&remote, seconds).await;
    let testing = test_receivers(&tests, &alertmanager, inbox, log, &context.events, &context.cancel);
    let watching = async {
        match &channels {
            None => std::future::pending().await,
            Some((watched, slot)) => watched.follow(slot).await,
        }
    };
    let results = tokio::select! {
        results = testing => results?,
        never = remote.hold() => match never {},
        never = watching => match never {},
    };
    outcome(&results)
}

fn outcome(results: &[ReceiverResult]) -> Result<Outcome> {
    let has = |is_meant: fn(&ReceiverVerdict) -> bool| results.iter().any(|result| is_meant(&result.verdict));
    let exit = if has(|verdict| matches!(verdict, ReceiverVerdict::Failed { .. })) {
        Exit::NotProven
    } else if has(|verdict| matches!(verdict, ReceiverVerdict::Lost { .. })) {
        Exit::ObservationLost
    } else if has(|verdict| matches!(verdict, ReceiverVerdict::Withheld { .. })) {
        Exit::CouldNotRun
    } else {
        Exit::Success
    };
    let mut lines: Vec<String> = results.iter().map(line).collect();
    let proven = results.iter().filter(|it| matches!(it.verdict, ReceiverVerdict::Delivered { .. })).count();
    lines.push(format!("{proven} of {} receivers are proven", results.len()));
    let results = serde_json::to_value(results)
        .map_err(|error| Error::failed("cannot write the results as JSON").because(error))?;
    let json = json!({"proven": exit == Exit::Success, "receivers": results});
    Ok(Outcome::success(lines.join("\n"), json).with_exit(exit))
}

fn line(ReceiverResult { route, receiver, integration, verdict }: &ReceiverResult) -> String {
    let place = format!("{route}: {receiver} ({})", integration.name());
    let (state, cause, remedy) = match verdict {
        ReceiverVerdict::Delivered { after, witness } => {
            let witness = match witness {
                Witness::Receiver => "monctl received the message",
                Witness::Channel => "the message is in the channel",
                Witness::Counters => "Alertmanager's counters show that it was accepted",
            };
            return format!("{place}: delivered after {}; {witness}", duration(after.0));
        }
        ReceiverVerdict::Failed { cause, remedy } => ("not delivered", cause, remedy),
        ReceiverVerdict::Withheld { cause, remedy } => ("not tested", cause, remedy),
        ReceiverVerdict::Lost { cause, remedy } => ("could not be observed", cause, remedy),
    };
    format!("{place}: {state}\n  because: {cause}\n  help: {remedy}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::duration::Millis;
    use crate::http::alertmanager::ReceiverKind;

    fn result(verdict: ReceiverVerdict) -> ReceiverResult {
        let (route, receiver) = ("severity critical".into(), "slack-critical".into());
        ReceiverResult { route, receiver, integration: ReceiverKind::Slack, verdict }
    }

    #[test]
    fn a_failure_outweighs_what_could_not_be_observed_and_that_what_was_not_tested() {
        let (cause, remedy) = (String::new(), String::new());
        let delivered = || {
            let after = Millis(Duration::from_millis(5_300));
            result(ReceiverVerdict::Delivered { after, witness: Witness::Channel })
        };
        let failed = || result(ReceiverVerdict::Failed { cause: cause.clone(), remedy: remedy.clone() });
        let lost = || result(ReceiverVerdict::Lost { cause: cause.clone(), remedy: remedy.clone() });
        let withheld = || result(ReceiverVerdict::Withheld { cause: cause.clone(), remedy: remedy.clone() });
        for (results, expected) in [
            (vec![delivered()], Exit::Success),
            (vec![delivered(), withheld()], Exit::CouldNotRun),
            (vec![lost(), withheld()], Exit::ObservationLost),
            (vec![lost(), withheld(), failed()], Exit::NotProven),
        ] {
            assert_eq!(outcome(&results).unwrap().exit, expected, "{results:?}");
        }
        let shown = outcome(&[delivered()]).unwrap();
        assert_eq!(
            shown.text,
            "severity critical: slack-critical (slack): delivered after 5.3 s; the message is in the channel\n\
             1 of 1 receivers are proven"
        );
        assert_eq!(
            shown.json,
            json!({"proven": true, "receivers": [{"route": "severity critical", "receiver": "slack-critical",
                "integration": "slack", "verdict": "delivered", "after_ms": 5300, "witness": "channel"}]})
        );
    }
}
