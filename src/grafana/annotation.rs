//! Annotations: what monctl did and when, drawn over the graphs of every dashboard that asks for its tags.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::client::{GrafanaClient, TAG};
use crate::error::{Error, Result};

/// Nothing waits for an annotation, so that it gets little time.
const WITHIN: Duration = Duration::from_secs(10);

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Another version of the application, or of what it needs.
    Deployment,
    /// A fault that was caused to prove an alert.
    Drill,
    /// Another configuration of a host or of the monitoring.
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
    /// When it was over.
    pub end: Timestamp,
}

impl GrafanaClient {
    /// Writes an annotation, once: a second try after a lost reply would draw it twice.
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
            Error::failed(format!("grafana took no annotation within {} s", WITHIN.as_secs()))
        })??;
        if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, "take an annotation")) }
    }
}
