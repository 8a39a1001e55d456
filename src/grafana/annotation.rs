//! Annotations: what monctl did and when, drawn over the graphs of every dashboard that queries its tags.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::client::{GrafanaClient, TAG};
use crate::error::{Error, Result};
use crate::event::Events;

/// Timeout of one write. It is short, since nothing depends on an annotation.
const WITHIN: Duration = Duration::from_secs(10);

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A new version of the application or of its dependencies.
    Deployment,
    /// A fault that was injected to test an alert.
    Drill,
    /// A changed configuration of a host or of the monitoring.
    Configuration,
}

impl Occasion {
    /// The tag by which dashboards find it.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Drill => "drill",
            Self::Configuration => "configuration",
        }
    }
}

/// A span of time with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// What was done.
    pub occasion: Occasion,
    /// One or two sentences, without markup.
    pub text: String,
    /// When it began.
    pub begin: Timestamp,
    /// When it ended.
    pub end: Timestamp,
}

impl GrafanaClient {
    /// Writes an annotation without retrying: a second try after a lost reply would draw it twice.
    ///
    /// # Errors
    /// When Grafana refuses it or does not answer soon.
    pub async fn annotate(&self, annotation: &Annotation) -> Result<()> {
        let Annotation { occasion, text, begin, end } = annotation;
        let body = json!({
            "time": begin.as_millisecond(),
            "timeEnd": end.as_millisecond(),
            "tags": [TAG, occasion.tag()],
            "text": text,
        });
        let post = self.http.post("/api/annotations", &body);
        let answer = tokio::time::timeout(WITHIN, post).await.map_err(|_| {
            Error::failed(format!("grafana did not save an annotation within {} s", WITHIN.as_secs()))
        })??;
        if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, "save an annotation")) }
    }

    /// Writes annotations one after another. Nothing depends on them: stops with a warning at the first that cannot be
    /// written. The others would fail, too, and a refused login is not repeated.
    pub async fn annotate_all(&self, annotations: &[Annotation], events: &Events) {
        for annotation in annotations {
            if let Err(error) = self.annotate(annotation).await {
                events.warn(format!("no annotation in Grafana: {error}"));
                return;
            }
        }
    }
}
