//! Explanation of failed calls: EC2's message, what it means here, and the remedy.
//!
//! Use [`explain`] where a failure ends the run, and [`code`] where the run reacts to it. The meaning of each code is
//! data in `codes.rs`; that of calls without an answer is in `unsent.rs`.

mod codes;
pub(super) mod unsent;

use std::time::{Duration, SystemTime};

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::operation::RequestId as _;

use self::codes::Meaning;
use crate::error::{Error, Exit};
use crate::spec::AccountId;

/// The error of any call to EC2 or STS.
pub(super) type SdkError<E> = aws_sdk_ec2::error::SdkError<E>;

/// Smallest difference of the clocks that explains a refused signature; AWS refuses from five minutes on.
const CLOCKS_APART: Duration = Duration::from_mins(4);

/// The error code of the service; `None` if it did not answer, or not in its own format.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Whether a code means that a resource of one of these families does not exist. EC2 has several spellings, such as
/// `InvalidGroup.NotFound` and `InvalidGroupId.NotFound`.
pub(super) fn is_not_found(code: &str, families: &[&str]) -> bool {
    let code = code.to_lowercase();
    let family = code.strip_suffix(".notfound");
    family.is_some_and(|code| families.iter().any(|family| code.starts_with(&family.to_lowercase())))
}

/// Whether a code means that the caller lacks permission.
pub(super) fn is_denied(code: &str) -> bool {
    ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"].contains(&code)
}

/// Result of a call with `DryRun`: EC2 answers a call that it would carry out with the error `DryRunOperation`. `also`
/// lists further codes that count as success.
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

/// The error for an answer that lacks something EC2 always returns; no conclusion is drawn from such an answer.
pub(super) fn incomplete(action: &str, what: impl std::fmt::Display) -> Error {
    let exit = if only_reads(action) { Exit::CouldNotRun } else { Exit::Failed };
    Error::new(exit, format!("{} answered `{action}` with {what}", service(action)))
        .remedy("run the command again; if it fails again, check whether `provider.aws.endpoint` is EC2")
}

/// The error message for a failed call. `action` is the IAM action: `ec2:RunInstances`.
///
/// The exit code is [`Exit::CouldNotRun`] if a read-only call had no access to the account at all (no credentials, no
/// permission, no network path), since a run begins with those; else [`Exit::Failed`].
pub(super) fn explain<E>(action: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let Some(answered) = error.as_service_error() else {
        return match error.raw_response() {
            Some(response) => strange_answer(action, response.status().as_u16()),
            None => unsent::explain(action, error),
        };
    };
    let raw = error.raw_response();
    match answered.code() {
        Some(code) => Answer {
            action,
            code,
            // Some answers have a code and no message; then only the code is shown.
            message: answered.message().unwrap_or(""),
            request: answered.meta().request_id(),
            apart: raw.and_then(clocks_apart),
        }
        .explain(),
        None => strange_answer(action, raw.map_or(0, |response| response.status().as_u16())),
    }
}

/// An error and its causes, outermost first.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect()
}

/// The failure of a removal, and whether waiting may help.
#[derive(Debug)]
pub(super) struct RemovalObstacle {
    pub error: Error,
    pub may_pass: bool,
    denied: bool,
}

impl RemovalObstacle {
    /// Ignores a denial if the resource is gone: EC2 may deny the removal of a resource that no longer exists, since a
    /// policy's conditions on its tags cannot hold any more.
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

    /// A failure that waiting does not resolve.
    pub(super) fn lasting(error: Error) -> Self {
        Self { error, may_pass: false, denied: false }
    }

    /// The obstacle of a failed removal: waiting may help if the resource is still in use, but not if the caller lacks
    /// permission.
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

/// The error if neither the spec nor the environment nor the profile names a region.
pub(super) fn no_region() -> Error {
    Error::could_not_run("no region is set").remedy(unsent::REGION_REMEDY)
}

/// The error if the region of the environment or the profile is not valid.
pub(super) fn malformed_region(found: &str, rule: String) -> Error {
    let mut variables = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter();
    let place = variables.find(|name| std::env::var(name).is_ok_and(|value| value == found));
    Error::could_not_run(format!("`{found}` is not a region"))
        .at(place.unwrap_or("the region of the profile"))
        .because(rule)
        .remedy(unsent::REGION_REMEDY)
}

/// The error if the credentials are not for the spec's account.
pub(super) fn wrong_account(wanted: &AccountId, found: &str) -> Error {
    Error::could_not_run(format!("the credentials are for account `{found}`, and the spec wants `{wanted}`"))
        .at("provider.aws.account")
        .remedy("choose the profile of that account with `AWS_PROFILE`, or correct the spec")
}

/// The error response of a service.
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
            None => Error::failed(format!("`{}` failed: {}", self.action, self.original())),
        };
        let remedy = self.fill(meaning.map_or(codes::UNKNOWN_REMEDY, |meaning| meaning.remedy));
        let error = error.remedy(remedy);
        if meaning.is_some() { error.because(self.original()) } else { error }
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

    /// The service's own message, without the encoded part that only AWS can read.
    fn original(self) -> String {
        let encoded = "Encoded authorization failure message";
        let message = self.message.split_once(encoded).map_or(self.message, |(before, _)| before);
        let request = self.request.map_or_else(String::new, |id| format!(" (request `{id}`)"));
        let message = message.trim().trim_end_matches('.');
        format!("{} returned `{}`: {message}{request}", service(self.action), self.code)
    }

    /// Fills in the placeholders of a sentence of the table.
    fn fill(self, sentence: &str) -> String {
        sentence
            .replace("{action}", self.action)
            .replace("{permission}", self.permission())
            .replace("{service}", &service(self.action))
            // Only the sentence about clocks has it, which is chosen if the clocks differ.
            .replace("{apart}", &self.apart.map_or_else(String::new, minutes))
    }

    /// The missing permission: the one that the message names, which may differ from the call's; else the call's own.
    fn permission(&self) -> &str {
        let named = self.message.split("not authorized to perform: ").nth(1);
        let named =
            named.and_then(|rest| rest.split([' ', ',', '\n']).next()).map(|name| name.trim_end_matches('.'));
        named.filter(|name| name.contains(':')).unwrap_or(self.action)
    }
}

/// The error for an answer that is not in the service's format: from a proxy, a gateway or another server.
fn strange_answer(action: &str, status: u16) -> Error {
    let exit = if only_reads(action) { Exit::CouldNotRun } else { Exit::Failed };
    let message =
        format!("`{action}` returned HTTP status {status} without a response of {}", service(action));
    Error::new(exit, message).remedy(
        "check whether a proxy is in between, and whether `provider.aws.endpoint` is right; then run the command again",
    )
}

/// Whether a call changes nothing, by its name.
fn only_reads(action: &str) -> bool {
    let call = action.rsplit_once(':').map_or(action, |(_, call)| call);
    ["Describe", "Get", "List"].iter().any(|verb| call.starts_with(verb))
}

/// The name of the service of an action such as `ec2:RunInstances`, in upper case.
fn service(action: &str) -> String {
    action.split_once(':').map_or(action, |(service, _)| service).to_uppercase()
}

/// The difference between the server's and this computer's clock, if it is large enough to matter.
fn clocks_apart(response: &HttpResponse) -> Option<Duration> {
    apart(response.headers().get("date")?, SystemTime::now())
}

/// `None` also if the `Date` header cannot be parsed.
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
