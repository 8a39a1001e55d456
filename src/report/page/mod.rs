//! The report of a proof as one self-contained page: for the manager who wants to know whether alerts are delivered,
//! and for the engineer who wants to see how. `page.html` and `style.css` beside this file are the template; the
//! pictures' geometry is computed here. The page makes no network requests; links in messages are followed only
//! on a click.
//!
//! `commands` fills a [`ReportPage`]; every text in it may come from anywhere and is escaped.

#[cfg(test)]
mod browser;
mod picture;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde::Serialize;
use tera::Tera;

use self::picture::{Curve, Timeline};
use super::harmless::harmless_line;
use super::message::plain;
use super::mrkdwn::{self, Emphasis, Kind, Span};
use crate::error::{Error, Result};
use crate::event::ChatMessage;

/// Content of a report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReportPage {
    /// The project.
    pub project: String,
    /// When it was made, formatted, with its time zone.
    pub made: String,
    /// The share of proven rules, as a sentence without its full stop; empty if it is unknown.
    pub coverage: String,
    /// One section for each alert.
    pub alerts: Vec<Section>,
    /// The hosts: a name, and facts as pairs.
    pub hosts: Vec<(String, Vec<(String, String)>)>,
    /// Programs and their versions.
    pub versions: Vec<(String, String)>,
}

/// Content of a report about one alert. Times are seconds since the fault began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// The alert's name.
    pub alert: String,
    /// Its severity; empty where it has none.
    pub severity: String,
    /// Its summary, in a sentence.
    pub summary: String,
    /// The rule's expression.
    pub expression: String,
    /// Whether it was proven.
    pub verdict: AlertVerdict,
    /// The host of the fault; empty if there was none.
    pub host: String,
    /// The fault, as a command or in words.
    pub fault: String,
    /// When the drill began, formatted.
    pub begun: String,
    /// The stages in order.
    pub stages: Vec<StageSeen>,
    /// How long the fault lasted, if it ended.
    pub fault_ended: Option<f64>,
    /// The expression's value over time.
    pub curve: Vec<(f64, f64)>,
    /// The value that the expression is compared with.
    pub threshold: Option<f64>,
    /// What the value measures, such as `%`.
    pub unit: String,
    /// The messages as they reached the receiver: when, and their content.
    pub messages: Vec<(f64, ChatMessage)>,
    /// Why a delivered message is not among them; empty if none is missing.
    pub unseen: String,
}

/// A stage of an alert.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StageSeen {
    /// The stage's name.
    pub name: String,
    /// When it was seen.
    pub seen: Option<f64>,
    /// Earliest and latest time that was predicted.
    pub predicted: Option<(f64, f64)>,
    /// What was seen.
    pub detail: String,
}

/// Outcome of an alert's drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AlertVerdict {
    /// The firing and the resolved notification were delivered.
    Proven,
    /// It did not reach every stage.
    Stopped {
        /// The stage that was not reached.
        stage: String,
        /// The likely cause.
        cause: String,
        /// What to do.
        remedy: String,
    },
    /// No fault was caused.
    #[default]
    NotDrilled,
}

/// Input of the template.
#[derive(Serialize)]
struct View<'a> {
    project: &'a str,
    made: &'a str,
    coverage: &'a str,
    version: &'static str,
    style: &'static str,
    proven: usize,
    drilled: usize,
    sections: Vec<SectionView<'a>>,
    hosts: &'a [(String, Vec<(String, String)>)],
    versions: &'a [(String, String)],
}

#[derive(Serialize)]
struct SectionView<'a> {
    id: String,
    alert: &'a str,
    severity: &'a str,
    summary: &'a str,
    expression: &'a str,
    verdict: &'a AlertVerdict,
    host: &'a str,
    fault: &'a str,
    begun: &'a str,
    delivered: Option<String>,
    resolved_delivered: Option<String>,
    rows: Vec<Row<'a>>,
    timeline: Option<Timeline>,
    curve: Option<Curve>,
    messages: Vec<MessageView>,
    unseen: &'a str,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    seen: String,
    predicted: String,
    /// `inside`, `early`, `late`, or empty if there is nothing to compare.
    place: &'static str,
    detail: &'a str,
}

#[derive(Serialize)]
struct MessageView {
    after: String,
    channel: String,
    sender: String,
    title: String,
    lines: Vec<Vec<SpanView>>,
    colour: &'static str,
}

#[derive(Serialize)]
struct SpanView {
    text: String,
    /// The link's address, `http` or `https` only.
    link: Option<String>,
    /// The names of the elements around it, the outermost first.
    tags: Vec<&'static str>,
}

#[expect(clippy::expect_used, reason = "the template is part of the program, and every test renders it")]
static ENGINE: LazyLock<Tera> = LazyLock::new(|| {
    let mut engine = Tera::new();
    engine.autoescape_on(vec![".html"]);
    engine.add_raw_template("page.html", include_str!("page.html")).expect("the template can be parsed");
    engine
});

impl ReportPage {
    /// The page as HTML.
    ///
    /// # Errors
    /// If the template is broken, which is a bug.
    pub fn render(&self) -> Result<String> {
        let broken = |error: tera::Error| Error::failed("the report's template is broken").because(error);
        let is_drilled = |section: &&Section| section.verdict != AlertVerdict::NotDrilled;
        let view = View {
            project: &self.project,
            made: &self.made,
            coverage: &self.coverage,
            version: env!("CARGO_PKG_VERSION"),
            style: include_str!("style.css"),
            proven: self.alerts.iter().filter(|section| section.verdict == AlertVerdict::Proven).count(),
            drilled: self.alerts.iter().filter(is_drilled).count(),
            sections: self.alerts.iter().map(Section::view).collect(),
            hosts: &self.hosts,
            versions: &self.versions,
        };
        let context = tera::Context::from_serialize(&view).map_err(broken)?;
        ENGINE.render("page.html", &context).map_err(broken)
    }
}

/// The names of the stages at which notifications are delivered.
const DELIVERED: &str = "delivered";
const RESOLVED_DELIVERED: &str = "resolved delivered";

impl Section {
    fn view(&self) -> SectionView<'_> {
        let seen = |name: &str| {
            let stage = self.stages.iter().find(|stage| stage.name == name)?;
            stage.seen.map(seconds)
        };
        SectionView {
            id: self.alert.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect(),
            alert: &self.alert,
            severity: &self.severity,
            summary: &self.summary,
            expression: &self.expression,
            verdict: &self.verdict,
            host: &self.host,
            fault: &self.fault,
            begun: &self.begun,
            delivered: seen(DELIVERED),
            resolved_delivered: seen(RESOLVED_DELIVERED),
            rows: self.stages.iter().map(StageSeen::row).collect(),
            timeline: Timeline::of(&self.stages, self.fault_ended),
            curve: Curve::of(&self.curve, self.threshold, self.fault_ended, &self.unit),
            messages: self.messages.iter().map(MessageView::of).collect(),
            unseen: if self.messages.is_empty() { &self.unseen } else { "" },
        }
    }
}

impl StageSeen {
    fn row(&self) -> Row<'_> {
        let place = match (self.seen, self.predicted) {
            (Some(seen), Some((earliest, _))) if seen < earliest => "early",
            (Some(seen), Some((_, latest))) if seen > latest => "late",
            (Some(_), Some(_)) => "inside",
            _ => "",
        };
        Row {
            name: &self.name,
            seen: self.seen.map_or_else(|| "not seen".to_owned(), seconds),
            predicted: self
                .predicted
                .map(|(earliest, latest)| format!("{} to {}", seconds(earliest), seconds(latest)))
                .unwrap_or_default(),
            place,
            detail: &self.detail,
        }
    }
}

impl MessageView {
    fn of((after, message): &(f64, ChatMessage)) -> Self {
        let channel = if message.channel.is_empty() {
            "the webhook's channel".to_owned()
        } else {
            plain(&message.channel)
        };
        Self {
            after: seconds(*after),
            channel,
            sender: plain(&message.sender),
            title: plain(&message.title),
            lines: mrkdwn::parse(message.text.trim_end()).into_iter().map(spans).collect(),
            colour: match message.colour.as_str() {
                "danger" => "danger",
                "good" => "good",
                "warning" => "warning",
                _ => "other",
            },
        }
    }
}

fn spans(line: Vec<Span>) -> Vec<SpanView> {
    line.into_iter().map(SpanView::of).collect()
}

impl SpanView {
    fn of(span: Span) -> Self {
        let emphasis = span.emphasis.iter().rev().map(|emphasis| match emphasis {
            Emphasis::Bold => "strong",
            Emphasis::Italic => "em",
            Emphasis::Strike => "s",
        });
        let code = (span.kind == Kind::Code).then_some("code");
        Self {
            text: harmless_line(&span.text),
            tags: emphasis.chain(code).collect(),
            link: match span.kind {
                Kind::Link(address) => Some(harmless_line(&address)),
                Kind::Text | Kind::Code => None,
            },
        }
    }
}

/// Formats seconds.
fn seconds(seconds: f64) -> String {
    super::duration(std::time::Duration::from_secs_f64(seconds.max(0.0)))
}
