//! Relay between monctl and an emulator: it records the calls, holds one so that monctl can be killed there, and
//! answers those that the emulator does not fully implement. It changes no other answer. HTTP/1.1, one request per
//! connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use base64::Engine as _;

/// The relay's own answer to a call, where the emulator's is not usable.
#[derive(Debug, Clone, Copy)]
pub enum Own {
    /// This answer; the call is not forwarded.
    Answer(&'static str),
    /// The emulator's answer, with the public key that was imported last.
    PublicKey,
}

/// The action of a call and its answer.
pub type Answer = (&'static str, Own);

/// A call to hold.
#[derive(Debug, Clone)]
struct Hold {
    action: String,
    /// Number of such calls up to and including this one.
    left: usize,
    /// Whether it is held after the emulator has carried it out.
    done: bool,
}

#[derive(Debug, Default)]
struct State {
    actions: Vec<String>,
    hold: Option<Hold>,
    is_held: bool,
    /// Incremented when held calls are dropped.
    round: usize,
    /// The key that was imported last, in base64.
    key: String,
    /// Number of open connections.
    open: usize,
    /// `Describe` calls are forwarded without their filters.
    unfiltered: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    to: SocketAddr,
    answers: &'static [Answer],
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.state());
        self.changed.notify_all();
    }
}

/// Runs until the test process ends.
#[derive(Debug)]
pub struct Between {
    shared: Arc<Shared>,
    address: SocketAddr,
    pub url: String,
}

impl Between {
    pub fn start(to: SocketAddr, answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared { state: Mutex::default(), changed: Condvar::new(), to, answers };
        let shared = Arc::new(shared);
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                own.change(|state| state.open += 1);
                let own = Arc::clone(&own);
                thread::spawn(move || {
                    // Writing fails if the caller was killed.
                    let _ = pass(&own, &stream);
                    own.change(|state| state.open -= 1);
                });
            }
        });
        Self { shared, address, url: format!("http://{address}") }
    }

    pub fn hold(&self, action: &str, nth: usize, done: bool) {
        self.shared.change(|state| state.hold = Some(Hold { action: action.to_owned(), left: nth, done }));
    }

    pub fn is_held(&self, within: Duration) -> bool {
        let wait = self.shared.changed.wait_timeout_while(self.shared.state(), within, |it| !it.is_held);
        wait.unwrap_or_else(PoisonError::into_inner).0.is_held
    }

    /// Drops held calls, and waits until all others are done: an emulator that ignores client tokens would carry them
    /// out in addition to the calls of the next run.
    pub fn give_up(&self) {
        // All calls that were sent before this connection are accepted before it.
        let last = TcpStream::connect(self.address).unwrap();
        self.shared.change(|state| {
            (state.hold, state.is_held) = (None, false);
            state.round += 1;
        });
        let mut answer = Vec::new();
        (&last).write_all(b"GET /between HTTP/1.1\r\n\r\n").unwrap();
        (&last).read_to_end(&mut answer).unwrap();
        let mut state = self.shared.state();
        while state.open > 0 {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn actions(&self) -> Vec<String> {
        self.shared.state().actions.clone()
    }

    pub fn forget(&self) {
        self.shared.state().actions.clear();
    }

    /// Forwards `Describe` calls without their filters, so that the answers contain everything that exists.
    pub fn ignore_filters(&self, on: bool) {
        self.shared.state().unfiltered = on;
    }
}

/// Handles one call.
fn pass(shared: &Shared, client: &TcpStream) -> io::Result<()> {
    let (head, body) = read(client)?;
    if head.starts_with("GET /between ") {
        return (&*client).write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    let action = text.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let action = action.unwrap_or_default().to_owned();
    let (due, round) = note(shared, &action);
    if due == Some(false) {
        wait_for_the_end(shared, round);
        return Ok(());
    }
    if action == "ImportKeyPair" {
        let sent = text.split('&').find_map(|pair| pair.strip_prefix("PublicKeyMaterial="));
        let key = sent.unwrap_or_default().replace("%3D", "=").replace("%2B", "+").replace("%2F", "/");
        shared.change(|state| state.key = key);
    }
    let body = if shared.state().unfiltered && action.starts_with("Describe") {
        text.split('&').filter(|pair| !pair.starts_with("Filter.")).collect::<Vec<_>>().join("&").into_bytes()
    } else {
        body
    };
    let own = shared.answers.iter().find(|(name, _)| *name == action);
    let answer = match own {
        Some((_, Own::Answer(inner))) => own_answer(&action, inner).into_bytes(),
        Some((_, Own::PublicKey)) => with_key(&forward(shared.to, &head, &body)?, &shared.state().key),
        None => forward(shared.to, &head, &body)?,
    };
    if due == Some(true) {
        wait_for_the_end(shared, round);
        return Ok(());
    }
    (&*client).write_all(&answer)
}

/// Records a call; returns its round, and whether to hold it: before (`false`) or after (`true`) it is carried out.
fn note(shared: &Shared, action: &str) -> (Option<bool>, usize) {
    let mut state = shared.state();
    state.actions.push(action.to_owned());
    let due = state.hold.as_mut().filter(|hold| hold.action == action).and_then(|hold| {
        hold.left = hold.left.saturating_sub(1);
        (hold.left == 0).then_some(hold.done)
    });
    if due.is_some() {
        state.hold = None;
    }
    (due, state.round)
}

fn wait_for_the_end(shared: &Shared, round: usize) {
    shared.change(|state| state.is_held = state.round == round);
    let state = shared.state();
    let over = shared.changed.wait_while(state, |state| state.round == round);
    drop(over.unwrap_or_else(PoisonError::into_inner));
}

/// An answer in EC2's format.
fn own_answer(action: &str, inner: &str) -> String {
    with_head(&format!(
        "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>between</requestId>{inner}</{action}Response>"
    ))
}

/// An answer of `DescribeKeyPairs`, with the missing public key in each pair.
fn with_key(answer: &[u8], key: &str) -> Vec<u8> {
    let key = base64::engine::general_purpose::STANDARD.decode(key).unwrap();
    let key = format!("</keyPairId><publicKey>{}</publicKey>", String::from_utf8(key).unwrap());
    let answer = String::from_utf8_lossy(answer);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    with_head(&body.replace("</keyPairId>", &key)).into_bytes()
}

fn with_head(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// The head and the body of a request.
fn read(client: &TcpStream) -> io::Result<(String, Vec<u8>)> {
    client.set_read_timeout(Some(Duration::from_mins(1)))?;
    let mut reader = BufReader::new(client);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line == "\r\n" {
            break;
        }
        // One request per connection on both sides; the length is that of the forwarded body.
        let name = line.to_ascii_lowercase();
        if !name.starts_with("connection:") && !name.starts_with("content-length:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}

fn forward(to: SocketAddr, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut upstream = TcpStream::connect(to)?;
    upstream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let length = body.len();
    upstream.write_all(format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n").as_bytes())?;
    upstream.write_all(body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    Ok(answer)
}
