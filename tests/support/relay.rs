//! A relay in front of a server under test: it records the requests and injects faults into some of them. It is
//! independent of the server behind it. HTTP/1.1, one request per connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

/// A fault injected into a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing is done, and the connection ends.
    Drop,
    /// It is done, and the reply is lost.
    Lose,
    /// It is done after a while.
    Delay(Duration),
    /// Nothing is done, and the answer is this status and body.
    Answer(u16, Value),
}

/// A relay that works until it is dropped.
pub struct Relay {
    pub address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    log: Mutex<Log>,
    ends: AtomicBool,
}

#[derive(Default)]
struct Log {
    requests: Vec<String>,
    at_once: usize,
    most_at_once: usize,
    faults: Vec<Waiting>,
}

/// A fault that waits for requests.
struct Waiting {
    method: String,
    path: String,
    times: u32,
    fault: Fault,
}

impl Relay {
    /// Starts one that listens at `address` and passes everything to `server`.
    pub fn start(address: SocketAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        let accepting = thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.ends.load(Ordering::SeqCst) {
                    break;
                }
                let state = Arc::clone(&shared);
                // Closed connections are expected in many tests.
                thread::spawn(move || drop(state.pass(client, server)));
            }
        });
        Self { address, state, accepting: Some(accepting) }
    }

    /// The next `times` requests of this method, whose path begins so, meet a fault.
    pub fn fault(&self, method: &str, path: &str, times: u32, fault: Fault) {
        let waiting = Waiting { method: method.into(), path: path.into(), times, fault };
        self.state.log.lock().unwrap().faults.push(waiting);
    }

    /// The requests since the start or since they were forgotten, as `METHOD path status`; 0 where no answer was given.
    pub fn requests(&self) -> Vec<String> {
        self.state.log.lock().unwrap().requests.clone()
    }

    /// How many requests were under way at a time at most.
    pub fn most_at_once(&self) -> usize {
        self.state.log.lock().unwrap().most_at_once
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        let mut log = self.state.log.lock().unwrap();
        log.requests.clear();
        log.most_at_once = 0;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.ends.store(true, Ordering::SeqCst);
        // Wakes it up.
        drop(TcpStream::connect(self.address));
        let _ = self.accepting.take().map(JoinHandle::join);
    }
}

impl State {
    fn pass(&self, mut client: TcpStream, server: SocketAddr) -> io::Result<()> {
        let request = Request::read(&client)?;
        let fault = self.log.lock().unwrap().begin(&request);
        let reply = match &fault {
            Some(Fault::Drop) => Ok(Vec::new()),
            Some(Fault::Answer(status, body)) => Ok(answer(*status, body)),
            Some(Fault::Lose) => request.send_to(server).map(|_| Vec::new()),
            Some(Fault::Delay(by)) => {
                thread::sleep(*by);
                request.send_to(server)
            }
            None => request.send_to(server),
        };
        // A client that has the response finds the request in the log.
        self.log.lock().unwrap().end(&request, reply.as_deref().unwrap_or_default());
        client.write_all(&reply?)
    }
}

impl Log {
    fn begin(&mut self, request: &Request) -> Option<Fault> {
        self.at_once += 1;
        self.most_at_once = self.most_at_once.max(self.at_once);
        let waits = |one: &Waiting| one.method == request.method && request.path.starts_with(&one.path);
        let index = self.faults.iter().position(waits)?;
        self.faults[index].times -= 1;
        let fault = self.faults[index].fault.clone();
        self.faults.retain(|one| one.times > 0);
        Some(fault)
    }

    fn end(&mut self, request: &Request, reply: &[u8]) {
        self.at_once -= 1;
        let status = reply.get("HTTP/1.1 ".len()..).unwrap_or_default().split(|byte| *byte == b' ').next();
        let status = String::from_utf8_lossy(status.unwrap_or_default());
        let status = if status.is_empty() { "0" } else { &status };
        self.requests.push(format!("{} {} {status}", request.method, request.path));
    }
}

/// A request as it came, but that its connection ends with it.
struct Request {
    method: String,
    path: String,
    text: Vec<u8>,
}

impl Request {
    fn read(client: &TcpStream) -> io::Result<Self> {
        let mut from = BufReader::new(client);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            match name.to_ascii_lowercase().as_str() {
                "\r\n" => break,
                "connection" => continue,
                "content-length" => length = value.trim().parse().expect("a length"),
                _ => {}
            }
            head += &line;
        }
        let mut words = head.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let mut text = (head + "Connection: close\r\n\r\n").into_bytes();
        let begin = text.len();
        text.resize(begin + length, 0);
        from.read_exact(&mut text[begin..])?;
        Ok(Self { method, path, text })
    }

    /// What the server replies, with a note that the connection ends.
    fn send_to(&self, server: SocketAddr) -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(server)?;
        server.write_all(&self.text)?;
        let mut reply = Vec::new();
        server.read_to_end(&mut reply)?;
        let first_line = reply.iter().position(|byte| *byte == b'\n').ok_or(io::ErrorKind::UnexpectedEof)?;
        let headers = first_line + 1;
        reply.splice(headers..headers, *b"Connection: close\r\n");
        Ok(reply)
    }
}

fn answer(status: u16, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Instead\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
