//! Connects to the services of the pipeline, and to where its messages arrive.

use std::path::Path;

use super::deliveries::{Inbox, Slot};
use super::observer::Services;
use super::slack_channel::{MessageChannels, Reader, Watched};
use crate::error::Result;
use crate::event::Events;
use crate::http::slack::SlackReceiver;
use crate::remote::Remote;
use crate::secret::KnownSecrets;
use crate::services;
use crate::spec::{Loaded, Receiver, SecretName, Secrets};

/// The port of the monitoring host to which Alertmanager posts if monctl is the receiver.
const CAPTURE: u16 = 9099;

/// Clients of the forwarded services, and the observer of notifications. `folder` is for the socket of the receiver; it
/// stays until the end. The bot's token is added to the `known` secrets.
///
/// # Errors
/// When a connection breaks, or Slack refuses the bot.
pub async fn open<'a>(
    loaded: &Loaded,
    places: &MessageChannels,
    remote: &'a Remote,
    folder: &Path,
    events: &Events,
    known: &KnownSecrets,
) -> Result<(Services, Option<(Watched<'a>, Slot)>)> {
    let mut watched = None;
    let inbox = match loaded.spec.notify.receiver() {
        Receiver::Capture => {
            let socket = folder.join("slack.sock");
            let receiver = SlackReceiver::on_unix(&socket)?;
            remote.listen(CAPTURE, &socket).await?;
            Inbox::of_receiver(receiver, events)
        }
        Receiver::Slack(slack) if slack.bot_token.is_some() => {
            let token = Secrets::resolve_one(loaded, &SecretName::SlackBotToken)?;
            known.add(&token);
            let proxy_url = slack.proxy_url.as_ref().map(ToString::to_string);
            let reader = Reader { shell: remote, api_url: slack.api_url.clone(), token, proxy_url };
            let channels = reader.watch(places).await?;
            let (inbox, slot) = Inbox::of_channel(events);
            watched = Some((channels, slot));
            inbox
        }
        Receiver::Slack(_) => Inbox::of_counters(events),
    };
    let services = Services {
        prometheus: services::prometheus(remote).await?,
        alertmanager: services::alertmanager(remote).await?,
        inbox,
    };
    Ok((services, watched))
}
