//! The test alert of each route of Alertmanager. It carries the label [`TEST_LABEL`] and has a name of its own, so that it
//! is a group of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::http::alertmanager::{PostedAlert, ReceiverKind};
use crate::spec::{AlertRoute, WATCHDOG};
use crate::timing::Mutes;

/// The label that only test alerts have. Its value identifies the run.
pub const TEST_LABEL: &str = "monctl_test";
/// The beginning of their names. The heartbeat's route requires the name of its alert.
const NAME: &str = "ReceiverTest";

/// The test of one route.
#[derive(Debug, Clone)]
pub struct ReceiverTest {
    /// The route as people read it, such as `severity critical`.
    pub route: String,
    /// Its receiver's name in Alertmanager.
    pub receiver: String,
    /// The labels of the test alert, which take the route.
    pub labels: BTreeMap<String, String>,
    /// The kinds of receivers behind that name.
    pub integrations: Vec<ReceiverKind>,
    /// When the route's notifications are muted.
    pub mutes: Mutes,
    /// How long Alertmanager waits before the first notification of a group.
    pub group_wait: Duration,
    /// How long it waits between notifications of a group.
    pub group_interval: Duration,
}

impl ReceiverTest {
    /// A test for each of these routes.
    pub fn of_routes(routes: &[AlertRoute<'_>]) -> Vec<Self> {
        // Unique, since runs of one project exclude each other.
        let run = format!("{:x}", jiff::Timestamp::now().as_second());
        routes.iter().map(|route| Self::of(*route, &run)).collect()
    }

    fn of(route: AlertRoute<'_>, run: &str) -> Self {
        let is_heartbeat = route.is_heartbeat();
        let name = if is_heartbeat { WATCHDOG.to_owned() } else { format!("{NAME}_{run}") };
        let mut labels = BTreeMap::from([("alertname", name), (TEST_LABEL, run.to_owned())]);
        labels.extend(route.severity().map(|severity| ("severity", severity.to_string())));
        Self {
            route: route.to_string(),
            receiver: route.receiver_name(),
            labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            integrations: vec![if is_heartbeat { ReceiverKind::Webhook } else { ReceiverKind::Slack }],
            mutes: Mutes::of(route),
            group_wait: route.group_wait().get(),
            group_interval: route.group_interval().get(),
        }
    }

    /// The alert, without times.
    pub(super) fn alert(&self) -> PostedAlert {
        let text = |text: &str| text.to_owned();
        let annotations = [
            ("summary", text("Test of the receivers by monctl")),
            ("description", format!("this is only a test by `monctl verify-receivers` ({})", self.route)),
            ("text", text("This is only a test.")),
            ("action", text("nothing; the test ends by itself")),
        ];
        let annotations = annotations.map(|(name, text)| (name.to_owned(), text));
        PostedAlert { labels: self.labels.clone(), annotations: annotations.into(), times: None }
    }

    /// The longest time until its message is sent. A test that joins a group waits for the group's next tick.
    pub(super) fn latest(&self, joins: bool) -> Duration {
        if joins { self.group_wait + self.group_interval } else { self.group_wait }
    }
}
