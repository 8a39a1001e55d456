//! The thin binary: reads the command line, runs a command, prints once, exits once.
//!
//! The command runs on a thread of its own; this one owns the screen, the keyboard and the signals, so
//! that an interrupted run ends in time even if the command is busy.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use clap_complete::CompleteEnv;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use monctl::cancel::Cancel;
use monctl::cli::{Cli, Command, OutputFormat};
use monctl::commands::{self, Context, Outcome};
use monctl::error::{Error, Exit, Result};
use monctl::event::{Event, Events};
use monctl::report::{self, Question, Questions, Reporter, Screen, Style};
use monctl::secret::KnownSecrets;

/// An interrupted run ends within two seconds of the signal; this leaves room to print.
const PATIENCE: Duration = Duration::from_millis(1_800);

/// Stack size of the command's thread. It parses specs and dashboards of bounded depth; this is enough for several
/// times the deepest ones.
const COMMAND_STACK_BYTES: usize = 16 << 20;

fn main() -> ExitCode {
    // Answers a shell that completes a line, and ends then.
    CompleteEnv::with_factory(Cli::command).var("MONCTL_COMPLETE").completer("monctl").complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let screen = screen(cli.output);
    let secrets = KnownSecrets::default();
    let mut reporter = Reporter::new(screen, io::stderr()).masking(secrets.clone());
    let paper = Paper::of(&cli.command);
    let result = run(cli, &secrets, &mut reporter);
    reporter.clear();
    let exit = result.and_then(|outcome| print(&outcome, screen, paper, &secrets)).unwrap_or_else(|error| {
        reporter.fail(&error);
        error.exit()
    });
    ExitCode::from(exit.code())
}

/// Prints help and version to standard output with exit code 0; everything else is an error with exit code 2.
fn usage(error: &clap::Error) -> ExitCode {
    let json = env::args_os().any(|word| word == "--output=json")
        || env::args_os()
            .zip(env::args_os().skip(1))
            .any(|(name, value)| name == "--output" && value == "json");
    if json && error.use_stderr() {
        let text = error.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        Reporter::new(screen(OutputFormat::Json), io::stderr()).fail(&Error::invalid(text));
    } else {
        // A reader that has closed the stream is not a failure.
        drop(error.print());
    }
    let exit = if error.use_stderr() { Exit::Invalid } else { Exit::Success };
    ExitCode::from(exit.code())
}

/// Detects the kind of screen. Honours `NO_COLOR` (any non-empty value) and `TERM=dumb`.
fn screen(output: OutputFormat) -> Screen {
    let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    let terminal = io::stderr().is_terminal() && !dumb;
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let style = if terminal && !plain { Style::Colour } else { Style::Plain };
    Screen { json: output == OutputFormat::Json, terminal, style }
}

/// What kind of result a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paper {
    /// A plan: each line is coloured by its first character.
    Plan,
    /// Files, printed unchanged: another program may read them.
    Files,
    /// Everything else; may contain text from hosts.
    Text,
}

impl Paper {
    const fn of(command: &Command) -> Self {
        match command {
            Command::Plan => Self::Plan,
            Command::Render(_) | Command::Schema => Self::Files,
            _ => Self::Text,
        }
    }
}

fn print(outcome: &Outcome, screen: Screen, paper: Paper, secrets: &KnownSecrets) -> Result<Exit> {
    let text = if screen.json {
        // Null: everything was printed while the command ran.
        if outcome.json.is_null() {
            String::new()
        } else {
            report::harmless_json(&format!("{:#}", outcome.json))
        }
    } else if paper == Paper::Files {
        outcome.text.clone()
    } else {
        let text = report::harmless(&outcome.text);
        let is_marked = paper == Paper::Plan && io::stdout().is_terminal();
        if is_marked { screen.style.marks(&text) } else { text }
    };
    report::result(io::stdout().lock(), &secrets.mask(&text))
        .map_err(|error| Error::failed("cannot write to standard output").because(error))?;
    Ok(outcome.exit)
}

/// Runs the command on its own thread and shows what happens until it ends.
fn run(cli: Cli, secrets: &KnownSecrets, reporter: &mut Reporter<io::Stderr>) -> Result<Outcome> {
    let (events, stream) = Events::channel();
    let (questions, incoming) = Questions::channel();
    let is_interactive =
        cli.output == OutputFormat::Text && io::stdin().is_terminal() && io::stderr().is_terminal();
    let questions = if is_interactive { questions } else { Questions::without_terminal() };
    let cancel = Cancel::default();
    let interruption = commands::interruption(&cli.command);
    let (done, result) = oneshot::channel();
    let context = Context {
        spec: cli.file.clone(),
        output: cli.output,
        events,
        cancel: cancel.clone(),
        questions,
        secrets: secrets.clone(),
    };
    std::thread::Builder::new()
        .name("command".into())
        .stack_size(COMMAND_STACK_BYTES)
        .spawn(move || {
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(error) => return drop(done.send(Err(error))),
            };
            // The main thread may have stopped waiting.
            drop(done.send(runtime.block_on(commands::run(&cli.command, &context))));
        })
        .map_err(|error| Error::failed("cannot start a thread").because(error))?;
    let desk = Desk { stream, questions: incoming, result, cancel };
    runtime()?.block_on(desk.serve(reporter)).unwrap_or(Err(interruption))
}

fn runtime() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed("cannot start the asynchronous runtime").because(error))
}

/// Everything that the main thread listens to while a command runs.
struct Desk {
    stream: mpsc::UnboundedReceiver<Event>,
    questions: mpsc::UnboundedReceiver<Question>,
    result: oneshot::Receiver<Result<Outcome>>,
    cancel: Cancel,
}

impl Desk {
    /// Shows an event. Cancels the command if the reader of its output is gone.
    fn show(&self, reporter: &mut Reporter<io::Stderr>, event: &Event) {
        match reporter.output(event) {
            None => reporter.show(event),
            Some(text) if write_result(&text) => {}
            Some(_) => self.cancel.raise(),
        }
    }

    /// Serves until the command ends; `None` if it did not end in time after a signal.
    async fn serve(mut self, reporter: &mut Reporter<io::Stderr>) -> Option<Result<Outcome>> {
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return Some(Err(Error::failed("cannot listen to signals").because(error))),
        };
        let mut deadline = None;
        loop {
            // In this order: events are shown before a later question or result.
            tokio::select! {
                biased;
                () = signals.next() => {
                    if deadline.is_some() {
                        return None;
                    }
                    self.cancel.raise();
                    deadline = Some(Instant::now() + PATIENCE);
                }
                Some(event) = self.stream.recv() => self.show(reporter, &event),
                Some(question) = self.questions.recv() => {
                    reporter.ask(&question);
                    read_answer(question);
                }
                result = &mut self.result => {
                    while let Ok(event) = self.stream.try_recv() {
                        self.show(reporter, &event);
                    }
                    return Some(result.unwrap_or_else(|_| Err(bug())));
                }
                () = until(deadline) => return None,
            }
        }
    }
}

/// Writes a result while the command runs; `false` if the reader is gone.
fn write_result(text: &str) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// Waits for the deadline; forever if there is none.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Reads one line on a separate thread, which is left behind if the run is interrupted.
fn read_answer(question: Question) {
    std::thread::spawn(move || {
        let mut line = String::new();
        // If the terminal cannot be read, the answer is no.
        if io::stdin().read_line(&mut line).is_err() {
            line.clear();
        }
        question.answer(&line);
    });
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The command's thread ended without a result: it panicked, and the panic's message is printed already.
fn bug() -> Error {
    Error::failed("internal error: the command ended without a result")
        .remedy("please report the message above")
}
