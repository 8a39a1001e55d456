//! Reads the Slack channels with a bot: a message found there is the proof of its delivery.
//!
//! The requests are made with curl on the monitoring host, which reaches Slack anyway, through a proxy or not. The
//! token is passed on standard input and stored nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use tokio::time::sleep;

use super::deliveries::{ChannelFailure, Slot};
use crate::error::{Error, Result};
use crate::event::ChatMessage;
use crate::host::HostName;
use crate::http::slack::history::{self, Channel, FoundMessage, Refusal};
use crate::remote::{CommandOutput, Remote};
use crate::secret::Secret;
use crate::spec::AlertRoute;

/// Time between reads of a channel: Slack allows 50 requests a minute in total.
const PERIOD: Duration = Duration::from_millis(1_500);
/// Pause after Slack has rate-limited the bot.
const PENITENCE: Duration = Duration::from_secs(10);
/// Limit on the pages of a workspace's channel list, which ends long before.
const MOST_PAGES: usize = 50;

/// Runs commands on the host that reaches Slack.
pub trait Shell {
    /// Runs a command with this input.
    fn run(&self, words: &[&str], input: &[u8]) -> impl Future<Output = Result<CommandOutput>>;
}

impl Shell for Remote {
    fn run(&self, words: &[&str], input: &[u8]) -> impl Future<Output = Result<CommandOutput>> {
        Self::run(self, words, input)
    }
}

/// A bot that reads.
#[derive(Debug)]
pub struct Reader<'a, S = Remote> {
    /// The monitoring host, which sends the requests.
    pub shell: &'a S,
    /// The API's URL, such as `https://slack.com/api`.
    pub api_url: String,
    /// The bot's token.
    pub token: Secret,
    /// The proxy through which the monitoring host reaches Slack.
    pub proxy_url: Option<String>,
}

/// The channels that receive messages, each once: by name or id, none if the spec names none; with the key of the spec
/// that names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageChannels(BTreeMap<Option<String>, String>);

impl<'a> FromIterator<AlertRoute<'a>> for MessageChannels {
    fn from_iter<T: IntoIterator<Item = AlertRoute<'a>>>(routes: T) -> Self {
        Self(routes.into_iter().map(|route| (route.channel(), route.channel_key())).collect())
    }
}

/// Channels that are read while drills run.
#[derive(Debug)]
pub struct Watched<'a, S = Remote> {
    reader: Reader<'a, S>,
    channels: Vec<Channel>,
    since: jiff::Timestamp,
}

impl<'a, S: Shell> Reader<'a, S> {
    /// Finds the channels; messages from now on are read.
    ///
    /// # Errors
    /// If Slack refuses, or the bot is not a member of one of them.
    pub async fn watch(self, places: &MessageChannels) -> Result<Watched<'a, S>> {
        let known = match self.channels(true).await? {
            Err(Refusal { word, .. }) if word == "missing_scope" => self.channels(false).await?,
            answer => answer,
        };
        let known = known.map_err(|refusal| refused(&refusal))?;
        let mut channels: Vec<Channel> = Vec::new();
        for (name, key) in &places.0 {
            let channel = pick(&known, name.as_deref(), key)?;
            if !channels.contains(channel) {
                channels.push(channel.clone());
            }
        }
        Ok(Watched { reader: self, channels, since: jiff::Timestamp::now() })
    }

    async fn channels(&self, with_private: bool) -> Result<Result<Vec<Channel>, Refusal>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        for _ in 0..MOST_PAGES {
            match history::channels(&self.get(&history::channels_path(with_private, &cursor)).await?) {
                Ok((channels, next)) => {
                    all.extend(channels);
                    cursor = next;
                }
                Err(refusal) => return Ok(Err(refusal)),
            }
            if cursor.is_empty() {
                break;
            }
        }
        Ok(Ok(all))
    }

    /// The body of a response.
    async fn get(&self, path: &str) -> Result<String> {
        let words = ["curl", "--silent", "--show-error", "--max-time", "10", "--config", "-"];
        let proxy = self.proxy_url.as_ref().map(|url| format!("proxy = \"{url}\"\n")).unwrap_or_default();
        let config = format!(
            "url = \"{}/{path}\"\nheader = \"Authorization: Bearer {}\"\n{proxy}",
            self.api_url.trim_end_matches('/'),
            self.token.expose()
        );
        let output = self.shell.run(&words, config.as_bytes()).await?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(Error::could_not_run(format!("Slack does not answer: {}", output.stderr.trim()))
            .at(HostName::MONITORING.to_string())
            .remedy("let the monitoring host reach Slack's API, or remove `notify.slack.bot_token`"))
    }
}

impl<S: Shell> Watched<'_, S> {
    /// Reads the channels in turn, and puts new messages into the slot. A failed read is retried and finds the messages
    /// of the meantime; a permanent refusal by Slack is noted in the slot and ends the reading.
    pub async fn follow(&self, slot: &Slot) -> Infallible {
        let mut known = BTreeSet::new();
        loop {
            let mut silence = None;
            for channel in &self.channels {
                silence = self.read(channel, &mut known, slot).await.err().or(silence);
            }
            let is_final = silence.as_ref().is_some_and(|silence| silence.is_final);
            slot.note(silence);
            if is_final {
                return pending().await;
            }
        }
    }

    async fn read(
        &self,
        channel: &Channel,
        known: &mut BTreeSet<(String, String)>,
        slot: &Slot,
    ) -> Result<(), ChannelFailure> {
        let path = history::messages_path(&channel.id, self.since.as_second());
        let answer = match self.reader.get(&path).await {
            Ok(answer) => answer,
            Err(error) => {
                sleep(PERIOD).await;
                return Err(ChannelFailure { why: error.in_one_line(), is_final: false });
            }
        };
        match history::messages(&answer) {
            Ok(found) => {
                for FoundMessage { stamp, message, marks } in found {
                    if known.insert((channel.id.clone(), stamp)) {
                        slot.put(ChatMessage { channel: format!("#{}", channel.name), ..message }, marks);
                    }
                }
                sleep(PERIOD).await;
            }
            Err(refusal) if refusal.is_passing() => {
                sleep(PENITENCE).await;
                return Err(ChannelFailure { why: refusal.meaning().0, is_final: false });
            }
            Err(refusal) => {
                let (meaning, remedy) = refusal.meaning();
                return Err(ChannelFailure { why: format!("{meaning}: {remedy}"), is_final: true });
            }
        }
        Ok(())
    }
}

/// The channel of this name or id; if none is named, the only one that the bot is in.
fn pick<'a>(known: &'a [Channel], name: Option<&str>, key: &str) -> Result<&'a Channel> {
    let wanted = name.map(|name| name.trim_start_matches('#'));
    let matches = |channel: &&Channel| wanted.is_none_or(|name| channel.name == name || channel.id == name);
    let mut found = known.iter().filter(matches);
    match (found.next(), found.next()) {
        (Some(channel), None) => Ok(channel),
        (None, _) => {
            let place = name.map_or_else(|| "any channel".to_owned(), |name| format!("the channel `{name}`"));
            Err(Error::could_not_run(format!("the bot is not in {place}"))
                .remedy(format!("invite it there (`/invite @NAME`), or correct `{key}`")))
        }
        (Some(_), Some(_)) => Err(Error::could_not_run("the bot is in several channels")
            .remedy(format!("set `{key}` to the one that the webhook posts to"))),
    }
}

fn refused(refusal: &Refusal) -> Error {
    let (meaning, remedy) = refusal.meaning();
    Error::could_not_run(meaning).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Notify;

    fn channel(id: &str, name: &str) -> Channel {
        Channel { id: id.into(), name: name.into() }
    }

    #[test]
    fn each_channel_is_watched_once_even_if_several_severities_use_it() {
        let notify: Notify = serde_saphyr::from_str(
            "slack: {webhook_url: {env: A}, channel: '#alerts'}\n\
             severities: {critical: {channel: '#on-call'}, high: {channel: '#on-call'}, low: {repeat_interval: 1h}}",
        )
        .unwrap();
        let labels = |severity: &str| BTreeMap::from([("severity".to_owned(), severity.to_owned())]);
        let of = |severities: &[&str]| -> MessageChannels {
            severities.iter().map(|severity| notify.route("X", &labels(severity))).collect()
        };
        let names = |places: &MessageChannels| places.0.keys().flatten().cloned().collect::<Vec<_>>();
        assert_eq!(names(&of(&["critical", "high", "low", "info"])), ["#alerts", "#on-call"]);
        assert_eq!(names(&of(&["critical"])), ["#on-call"], "only channels of drilled alerts are read");
    }

    #[test]
    fn the_error_for_an_ambiguous_or_unknown_channel_names_its_key() {
        let known = [channel("C1", "alerts"), channel("C2", "on-call")];
        assert_eq!(pick(&known, Some("#on-call"), "k").unwrap().id, "C2");
        assert_eq!(pick(&known, Some("C1"), "k").unwrap().name, "alerts");
        assert_eq!(pick(&known[..1], None, "k").unwrap().id, "C1");
        for (name, expected) in [(Some("#x"), "is not in the channel `#x`"), (None, "is in several channels")]
        {
            let error = pick(&known, name, "notify.severities.critical.channel").unwrap_err();
            assert!(error.message().contains(expected), "{error}");
            assert!(error.hint().unwrap().contains("`notify.severities.critical.channel`"), "{error}");
        }
    }
}
