//! The one error type and the exit codes of the program.
//!
//! An [`Error`] holds what failed, where, why and what to do next. It is built where the failure is
//! understood and printed once, in `main.rs`. Nothing here prints.

use std::fmt;

use serde::Serialize;

/// How the process ends. The numbers are part of the interface: scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// The command succeeded.
    Success,
    /// Something failed; the message names what worked, what did not, and how to continue.
    Failed,
    /// The command line or the spec is invalid. Nothing was changed.
    Invalid,
    /// `plan` found changes that `up` would make.
    Changes,
    /// `verify-alert` ran, and the alert did not reach every stage.
    NotProven,
    /// The run could not start: a prerequisite is missing, or the state of the system forbids it.
    CouldNotRun,
    /// `check` found problems in the rules or in their delivery.
    Findings,
    /// `verify-alert` ran, but a service that it observes did not answer: there is no verdict.
    ObservationLost,
    /// Interrupted by Ctrl-C or SIGTERM at a safe point.
    Interrupted,
}

impl Exit {
    /// All exit codes, for the documentation and its test.
    pub const ALL: [Self; 9] = [
        Self::Success,
        Self::Failed,
        Self::Invalid,
        Self::Changes,
        Self::NotProven,
        Self::CouldNotRun,
        Self::Findings,
        Self::ObservationLost,
        Self::Interrupted,
    ];

    /// The process exit code. 130 is the shell's convention for "ended by SIGINT".
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Invalid => 2,
            Self::Changes => 3,
            Self::NotProven => 4,
            Self::CouldNotRun => 5,
            Self::Findings => 6,
            Self::ObservationLost => 7,
            Self::Interrupted => 130,
        }
    }
}

/// The cause of an [`Error`], kept for the chain that is printed below the message.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failure that a person has to read: what, where, why, and what to do next.
#[derive(Debug)]
pub struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    exit: Exit,
    message: String,
    place: Option<String>,
    remedy: Option<String>,
    cause: Option<Cause>,
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with its exit code and its message: lower case, no full stop, names in backquotes.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self(Box::new(Parts { exit, message: message.into(), place: None, remedy: None, cause: None }))
    }

    /// [`Exit::Failed`] with a message.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// [`Exit::Invalid`] with a message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Exit::Invalid, message)
    }

    /// [`Exit::CouldNotRun`] with a message.
    pub fn could_not_run(message: impl Into<String>) -> Self {
        Self::new(Exit::CouldNotRun, message)
    }

    /// Combines several errors into one that lists each with its reason; `None` if there are none.
    pub fn all(mut errors: Vec<Self>) -> Option<Self> {
        if errors.len() < 2 {
            return errors.pop();
        }
        let same = |error: &Self| error.exit() == errors[0].exit();
        let exit = if errors.iter().all(same) { errors[0].exit() } else { Exit::Failed };
        let causes: Vec<String> = errors.iter().map(Self::in_one_line).collect();
        let mut remedies: Vec<&str> = Vec::new();
        for remedy in errors.iter().filter_map(Self::hint) {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        let one = Self::new(exit, format!("{} things failed", errors.len())).because(causes.join("\n"));
        Some(if remedies.is_empty() { one } else { one.remedy(remedies.join("; ")) })
    }

    /// Sets the place: `file:line:column`, a host, or a host and a step.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.0.place = Some(place.into());
        self
    }

    /// Sets the remedy, what to do next: a sentence or a command.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Sets the cause, printed below the message.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Sets another exit code: the same failure means something else after changes were made.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// The exit code of this error.
    pub fn exit(&self) -> Exit {
        self.0.exit
    }

    /// What failed.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it failed.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// Place, message and causes in one line.
    pub fn in_one_line(&self) -> String {
        self.causes().iter().fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }

    /// The causes, outermost first, without repetitions.
    pub fn causes(&self) -> Vec<String> {
        let mut causes: Vec<String> = Vec::new();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let text = cause.to_string();
            if causes.last() != Some(&text) {
                causes.push(text);
            }
            next = cause.source();
        }
        causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.place {
            Some(place) => write!(f, "{place}: {}", self.0.message),
            None => f.write_str(&self.0.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_has_its_own_code() {
        let mut codes = Exit::ALL.map(Exit::code);
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "{codes:?}");
    }

    #[test]
    fn several_errors_are_combined_with_their_reasons_and_remedies() {
        assert!(Error::all(vec![]).is_none());
        assert_eq!(Error::all(vec![Error::failed("one")]).unwrap().message(), "one");
        let quota = Error::could_not_run("quota").at("app").because("429").remedy("ask for more");
        let all = Error::all(vec![quota, Error::failed("disk full").remedy("make room")]).unwrap();
        assert_eq!((all.message(), all.exit()), ("2 things failed", Exit::Failed));
        assert_eq!(all.causes(), ["app: quota: 429\ndisk full"]);
        assert_eq!(all.hint(), Some("ask for more; make room"));
    }

    #[test]
    fn the_cause_chain_is_listed_once_and_in_order() {
        let inner = Error::failed("disk full");
        let error = Error::failed("cannot write `x`").at("app").because(inner);
        assert_eq!(error.to_string(), "app: cannot write `x`");
        assert_eq!(error.causes(), ["disk full"]);
        assert_eq!(error.in_one_line(), "app: cannot write `x`: disk full");
    }
}
