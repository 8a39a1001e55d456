//! What a failed call means: what EC2 said, what that is here, and what to do about it.
//!
//! [`explain`] is called wherever a call's failure ends a run, [`code`] where a failure decides on the way. What is
//! known of each code is data in `codes.rs`, of calls that were never answered in `unsent.rs`.

mod codes;
pub(super) mod unsent;

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

/// Whether a code says that something is not there: of one of these families, in any of its spellings. EC2 has several,
/// such as `InvalidGroup.NotFound` and `InvalidGroupId.NotFound`.
pub(super) fn is_not_found(code: &str, families: &[&str]) -> bool {
    let code = code.to_lowercase();
    let family = code.strip_suffix(".notfound");
    family.is_some_and(|code| families.iter().any(|family| code.starts_with(&family.to_lowercase())))
}

/// Whether a code says that the caller may not do that.
pub(super) fn is_denied(code: &str) -> bool {
    ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"].contains(&code)
}

/// What a call with `DryRun` came to: EC2 answers one that it would carry out with an error of its own. `also` are codes
/// that say nothing against it.
pub(super) fn allowed<T, E>(action: &str, answer: Result<T, SdkError<E>>, also: &[&str]) -> Result<(), Error>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Ok(_) => Ok(()),
        Err(failed)
            if code(&failed).is_some_and(|code| code == "DryRunOperation" || also.contains(&code)) =>
        {
            Ok(())
        }
        Err(failed) => Err(explain(action, &failed)),
    }
}

/// An answer that lacks what EC2 always says. Nothing is concluded from it.
pub(super) fn incomplete(action: &str, what: impl std::fmt::Display) -> Error {
    let exit = if only_reads(action) { Exit::CouldNotRun } else { Exit::Failed };
    Error::new(exit, format!("{} answered `{action}` with {what}", service(action)))
        .remedy("run the same again; where it stays, see whether `provider.aws.endpoint` is EC2")
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
            // Some answers have a code and no words; the code alone is shown then.
            message: said.message().unwrap_or(""),
            request: said.meta().request_id(),
            apart: raw.and_then(clocks_apart),
        }
        .explain(),
        None => strange_answer(action, raw.map_or(0, |response| response.status().as_u16())),
    }
}

/// An error and what it was caused by, outermost first.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect()
}

/// Something that is not gone yet, and whether time may change that.
#[derive(Debug)]
pub(super) struct RemovalObstacle {
    pub error: Error,
    pub may_pass: bool,
    denied: bool,
}

impl RemovalObstacle {
    /// EC2 may deny the removal of what is gone already, since a policy's conditions on tags then hold for nothing: such a
    /// denial is fine where the thing is not shown any more.
    pub(super) async fn unless_gone(
        self,
        is_there: impl Future<Output = Result<bool, Error>>,
    ) -> Result<(), Self> {
        if !self.denied {
            return Err(self);
        }
        match is_there.await {
            Ok(false) => Ok(()),
            Ok(true) => Err(self),
            Err(error) => Err(Self::lasting(error)),
        }
    }

    /// Something that waiting does not change.
    pub(super) fn lasting(error: Error) -> Self {
        Self { error, may_pass: false, denied: false }
    }

    /// What still uses a thing may let go of it; a caller who may not remove it will not be allowed to by waiting.
    pub(super) fn of<E>(action: &str, failed: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let shut_out = |code: &str| codes::MEANINGS.iter().any(|it| it.shut_out && it.fits(code, ""));
        let denied = code(failed).is_some_and(is_denied);
        Self { error: explain(action, failed), may_pass: !code(failed).is_some_and(shut_out), denied }
    }
}

impl From<RemovalObstacle> for Error {
    fn from(obstacle: RemovalObstacle) -> Self {
        obstacle.error
    }
}

/// Neither the spec nor the environment nor the profile names a region.
pub(super) fn no_region() -> Error {
    Error::could_not_run("no region is set").remedy(unsent::REGION_REMEDY)
}

/// What the environment or the profile names as the region is none.
pub(super) fn malformed_region(found: &str, rule: String) -> Error {
    let mut variables = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter();
    let place = variables.find(|name| std::env::var(name).is_ok_and(|value| value == found));
    Error::could_not_run(format!("`{found}` is not a region"))
        .at(place.unwrap_or("the region of the profile"))
        .because(rule)
        .remedy(unsent::REGION_REMEDY)
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
        let encoded = "Encoded authorization failure message";
        let message = self.message.split_once(encoded).map_or(self.message, |(before, _)| before);
        let request = self.request.map_or_else(String::new, |id| format!(" (request `{id}`)"));
        let message = message.trim().trim_end_matches('.');
        format!("{} said `{}`: {message}{request}", service(self.action), self.code)
    }

    /// Puts what is known of this call into a sentence of the table.
    fn fill(self, sentence: &str) -> String {
        sentence
            .replace("{action}", self.action)
            .replace("{permission}", self.permission())
            .replace("{service}", &service(self.action))
            // Only the sentence about clocks has it, and that is chosen where they are apart.
            .replace("{apart}", &self.apart.map_or_else(String::new, minutes))
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
    let call = action.rsplit_once(':').map_or(action, |(_, call)| call);
    ["Describe", "Get", "List"].iter().any(|verb| call.starts_with(verb))
}

/// The service as people call it, of an action such as `ec2:RunInstances`.
fn service(action: &str) -> String {
    action.split_once(':').map_or(action, |(service, _)| service).to_uppercase()
}

/// How far the server's clock is from this computer's, where that is far enough to matter.
fn clocks_apart(response: &HttpResponse) -> Option<Duration> {
    apart(response.headers().get("date")?, SystemTime::now())
}

/// Nothing where the answer does not tell the time in a way that can be read: it then explains nothing.
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
