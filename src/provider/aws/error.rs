//! What a failed call means: what EC2 said, what that is here, and what to do about it.
//!
//! [`explain`] is called wherever a call's failure ends a run, [`code`] where a failure decides on the way. What is
//! known of each code is data in `codes.rs`, of calls that were never answered in `unsent.rs`.

mod codes;
mod unsent;

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::operation::RequestId as _;

use self::codes::Meaning;
use crate::error::{Error, Exit};
use crate::spec::AccountId;

/// The error of any call, of EC2 and of STS.
pub(super) type SdkError<E> = aws_sdk_ec2::error::SdkError<E>;

/// Signatures are refused where the clocks are five minutes apart; less than this explains nothing.
const CLOCKS_APART: Duration = Duration::from_mins(4);

/// The code that the service answered with; none where it did not answer, or not in its own words.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// A failure as a person reads it. `action` is written as IAM does: `ec2:RunInstances`.
///
/// The exit code is [`Exit::CouldNotRun`] where a call that only reads was kept from the account altogether (no
/// credentials, no permission, no way there), since a run begins with those; else [`Exit::Failed`].
pub(super) fn explain<E>(action: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(said) = error.as_service_error() else {
        return match error.raw_response() {
            Some(response) => strange_answer(action, response.status().as_u16()),
            None => unsent::explain(action, error),
        };
    };
    let raw = error.raw_response();
    match said.code() {
        Some(code) => Answer {
            action,
            code,
            message: said.message().unwrap_or_default(),
            request: said.meta().request_id(),
            apart: raw.and_then(clocks_apart),
        }
        .explain(),
        None => strange_answer(action, raw.map_or(0, |response| response.status().as_u16())),
    }
}

/// Something that is not gone yet, and whether time may change that.
#[derive(Debug)]
pub(super) struct Obstacle {
    pub error: Error,
    pub may_pass: bool,
}

impl Obstacle {
    /// What still uses a thing may let go of it; a caller who may not remove it will not be allowed to by waiting.
    pub(super) fn of<E>(action: &str, failed: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let shut_out = |code: &str| codes::MEANINGS.iter().any(|it| it.shut_out && it.fits(code, ""));
        Self { error: explain(action, failed), may_pass: !code(failed).is_some_and(shut_out) }
    }
}

impl From<Obstacle> for Error {
    fn from(obstacle: Obstacle) -> Self {
        obstacle.error
    }
}

/// Neither the spec nor the environment nor the profile names a region.
pub(super) fn no_region() -> Error {
    Error::could_not_run("no region is set").remedy(unsent::REGION_REMEDY)
}

/// The credentials are those of another account than the spec's.
pub(super) fn wrong_account(wanted: &AccountId, found: &str) -> Error {
    Error::could_not_run(format!("the credentials are for account `{found}`, and the spec wants `{wanted}`"))
        .at("provider.aws.account")
        .remedy("choose the profile of that account with `AWS_PROFILE`, or correct the spec")
}

/// What a service answered instead of doing what it was asked for.
#[derive(Debug, Clone, Copy)]
struct Answer<'a> {
    action: &'a str,
    code: &'a str,
    message: &'a str,
    request: Option<&'a str>,
    apart: Option<Duration>,
}

impl Answer<'_> {
    fn explain(self) -> Error {
        let meaning = self.meaning();
        let error = match meaning {
            Some(meaning) => Error::new(self.exit(meaning), self.fill(meaning.means)),
            None => Error::failed(format!("`{}` failed: {}", self.action, self.said())),
        };
        let remedy = self.fill(meaning.map_or(codes::UNKNOWN_REMEDY, |meaning| meaning.remedy));
        let error = error.remedy(remedy);
        if meaning.is_some() { error.because(self.said()) } else { error }
    }

    fn meaning(self) -> Option<&'static Meaning> {
        if self.apart.is_some() && codes::SIGNATURE.contains(&self.code) {
            return Some(&codes::CLOCK);
        }
        codes::MEANINGS.iter().find(|meaning| meaning.fits(self.code, self.message))
    }

    fn exit(self, meaning: &Meaning) -> Exit {
        if meaning.shut_out && only_reads(self.action) { Exit::CouldNotRun } else { Exit::Failed }
    }

    /// The service's own words, without what only it can read.
    fn said(self) -> String {
        let message = self.message.split("Encoded authorization failure message").next().unwrap_or_default();
        let request = self.request.map(|id| format!(" (request `{id}`)")).unwrap_or_default();
        let message = message.trim().trim_end_matches('.');
        format!("{} said `{}`: {message}{request}", service(self.action), self.code)
    }

    /// Puts what is known of this call into a sentence of the table.
    fn fill(self, sentence: &str) -> String {
        sentence
            .replace("{action}", self.action)
            .replace("{permission}", self.permission())
            .replace("{service}", &service(self.action))
            .replace("{apart}", &minutes(self.apart.unwrap_or_default()))
    }

    /// The permission that is missing: the one named, which need not be that of the call; else the call's own.
    fn permission(&self) -> &str {
        let named = self.message.split("not authorized to perform: ").nth(1);
        let named =
            named.and_then(|rest| rest.split([' ', ',', '\n']).next()).map(|name| name.trim_end_matches('.'));
        named.filter(|name| name.contains(':')).unwrap_or(self.action)
    }
}

/// An answer that is not written as the services write: a proxy's, a gateway's, another server's.
fn strange_answer(action: &str, status: u16) -> Error {
    let exit = if only_reads(action) { Exit::CouldNotRun } else { Exit::Failed };
    let message = format!(
        "`{action}` was answered with HTTP status {status} and nothing that {} says",
        service(action)
    );
    Error::new(exit, message).remedy(
        "see whether a proxy is in between, and whether `provider.aws.endpoint` is right; then run it again",
    )
}

/// Whether a call changes nothing, by its name.
fn only_reads(action: &str) -> bool {
    let call = action.split(':').next_back().unwrap_or_default();
    ["Describe", "Get", "List"].iter().any(|verb| call.starts_with(verb))
}

/// The service as people call it, of an action such as `ec2:RunInstances`.
fn service(action: &str) -> String {
    action.split(':').next().unwrap_or_default().to_uppercase()
}

/// How far the server's clock is from this computer's, where that is far enough to matter.
fn clocks_apart(response: &HttpResponse) -> Option<Duration> {
    apart(response.headers().get("date")?, SystemTime::now())
}

fn apart(date: &str, now: SystemTime) -> Option<Duration> {
    let server = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let now = jiff::Timestamp::try_from(now).ok()?;
    let apart = now.duration_since(server).unsigned_abs();
    (apart >= CLOCKS_APART).then_some(apart)
}

fn minutes(duration: Duration) -> String {
    format!("{} minutes", duration.as_secs().div_ceil(60))
}

#[cfg(test)]
mod tests;
