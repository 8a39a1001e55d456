//! `monctl open`: a web interface of the monitoring host, reached through ssh from a loopback port of this
//! computer until Ctrl-C. Each connection of the browser becomes one through the forward; where that is gone, ssh
//! connects again.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Mutex;

use super::{Context, Outcome, grafana};
use crate::cli::{OpenArgs, Web};
use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::host::{HostName, Machine};
use crate::http::door::Door;
use crate::provider::Provider;
use crate::remote::Remote;
use crate::secret::Secret;
use crate::spec::load;

/// The machine runs already.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// # Errors
/// Where the monitoring host does not run or does not answer, or no loopback port can be had.
pub(super) async fn run(args: &OpenArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let provider = Provider::of(&loaded, &context.events).await?;
    let running = provider.observe().await?.running();
    let machine = running.into_iter().find(|it| it.name == HostName::MONITORING).ok_or_else(|| {
        Error::could_not_run("the monitoring host does not run").remedy("`monctl up` makes or starts it")
    })?;
    let way = Arc::new(Way::new(machine, port(args.service), context.events.clone()));
    let socket = way.socket(None).await?;
    let (listener, url) = listen().await?;
    let door = match args.service {
        Web::Grafana => door(&provider, socket, &url, context).await,
        Web::Prometheus | Web::Alertmanager => None,
    };
    let address = door.as_ref().map_or(url.as_str(), Door::url);
    context.events.send(Event::Opened { service: name(args.service), url: address.to_owned() });
    if !args.print {
        browse(address, &context.events);
    }
    context.events.note("open until Ctrl-C");
    tokio::select! {
        () = serve(&listener, &way) => {}
        () = context.cancel.raised() => {}
    }
    Ok(Outcome::success("", Value::Null))
}

const fn name(service: Web) -> &'static str {
    match service {
        Web::Grafana => "Grafana",
        Web::Prometheus => "Prometheus",
        Web::Alertmanager => "Alertmanager",
    }
}

const fn port(service: Web) -> u16 {
    match service {
        Web::Grafana => 3000,
        Web::Prometheus => 9090,
        Web::Alertmanager => 9093,
    }
}

async fn listen() -> Result<(TcpListener, String)> {
    let cannot =
        |cause: std::io::Error| Error::could_not_run("cannot listen on a loopback port").because(cause);
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, format!("http://{address}/")))
}

/// A page that logs the browser in. Where Grafana refuses, a person logs in there.
async fn door(provider: &Provider, socket: PathBuf, url: &str, context: &Context) -> Option<Door> {
    let open = async {
        let password = grafana::password(&provider.folder())?;
        let cookies = grafana::log_in(socket, &password).await?;
        Door::open(&Secret::random()?, cookies, url).await
    };
    match open.await {
        Ok(door) => Some(door),
        Err(error) => {
            context.events.warn(format!("you have to log in yourself: {error}"));
            None
        }
    }
}

/// Opens the browser that the user has chosen.
fn browse(url: &str, events: &Events) {
    let chosen = std::env::var("BROWSER").ok().filter(|it| !it.is_empty() && !it.contains([' ', ':', '%']));
    let usual = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let browser = chosen.unwrap_or_else(|| usual.to_owned());
    let mut command = Command::new(&browser);
    let quiet = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = quiet.spawn() {
        events.warn(format!("cannot run `{browser}` ({error}); open the address yourself"));
    }
}

/// Takes the browser's connections, for ever.
async fn serve(listener: &TcpListener, way: &Arc<Way>) {
    loop {
        // A connection that was given up before it was taken is no reason to end.
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(carry(stream, Arc::clone(way)));
    }
}

async fn carry(mut browser: TcpStream, way: Arc<Way>) {
    match way.connect().await {
        // Either side may end it at any time.
        Ok(mut service) => drop(copy_bidirectional(&mut browser, &mut service).await),
        Err(error) => way.events.warn(error.to_string()),
    }
}

/// The way to a port of the host, made again where it broke.
struct Way {
    machine: Machine,
    port: u16,
    events: Events,
    /// The connection and the socket of its forward.
    open: Mutex<Option<(Remote, PathBuf)>>,
}

impl Way {
    fn new(machine: Machine, port: u16, events: Events) -> Self {
        Self { machine, port, events, open: Mutex::new(None) }
    }

    /// The socket of the forward; of a new one where there was none, or only this broken one.
    async fn socket(&self, broken: Option<&Path>) -> Result<PathBuf> {
        let mut open = self.open.lock().await;
        if let Some((_, socket)) = open.as_ref()
            && broken != Some(socket)
        {
            return Ok(socket.clone());
        }
        if open.take().is_some() {
            self.events.note(format!("the connection to {} is gone; connecting again", self.machine.name));
        }
        let remote = Remote::connect(&self.machine, CONNECT_WITHIN).await?;
        let socket = remote.forward(self.port).await?;
        *open = Some((remote, socket.clone()));
        Ok(socket)
    }

    async fn connect(&self) -> Result<UnixStream> {
        let socket = self.socket(None).await?;
        if let Ok(stream) = UnixStream::connect(&socket).await {
            return Ok(stream);
        }
        let socket = self.socket(Some(&socket)).await?;
        UnixStream::connect(&socket).await.map_err(|cause| {
            Error::failed(format!("port {} of the host does not answer", self.port))
                .at(self.machine.name.to_string())
                .because(cause)
        })
    }
}
