//! A port forward from a loopback port of this computer to a port of a host, for `open` and for the browser that takes
//! screenshots. Each connection goes through an ssh forward; if that is lost, ssh reconnects.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::connection::{ANSWERS_WITHIN, Remote};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::Machine;

/// An open port forward; it is closed when dropped.
#[derive(Debug)]
pub struct PortForward {
    url: String,
    /// The socket of the first forward.
    socket: PathBuf,
    server: JoinHandle<()>,
}

impl PortForward {
    /// Opens a forward to a port of a running machine.
    ///
    /// # Errors
    /// When the machine does not answer, or no loopback port is available.
    pub async fn open(machine: Machine, port: u16, events: Events) -> Result<Self> {
        let ends = Arc::new(Ends { machine, port, events, open: Mutex::new(None) });
        let socket = ends.socket(None).await?;
        let cannot =
            |cause: std::io::Error| Error::could_not_run("cannot listen on a loopback port").because(cause);
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let server = tokio::spawn(serve(listener, ends));
        Ok(Self { url: format!("http://{address}/"), socket, server })
    }

    /// Its address on this computer: `http://127.0.0.1:PORT/`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The socket of the forward, for monctl's own clients.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone()
    }
}

impl Drop for PortForward {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Accepts connections forever.
async fn serve(listener: TcpListener, ends: Arc<Ends>) {
    loop {
        // A connection that was closed before it was accepted is ignored.
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(carry(stream, Arc::clone(&ends)));
    }
}

async fn carry(mut browser: TcpStream, ends: Arc<Ends>) {
    match ends.connect().await {
        // Either side may end it at any time.
        Ok(mut service) => drop(copy_bidirectional(&mut browser, &mut service).await),
        Err(error) => ends.events.warn(error.to_string()),
    }
}

/// The remote end of the port forward.
#[derive(Debug)]
struct Ends {
    machine: Machine,
    port: u16,
    events: Events,
    /// The connection and the socket of its forward.
    open: Mutex<Option<(Remote, PathBuf)>>,
}

impl Ends {
    /// The socket of the forward; opens a new forward if there is none, or only the `broken` one.
    async fn socket(&self, broken: Option<&Path>) -> Result<PathBuf> {
        let mut open = self.open.lock().await;
        if let Some((_, socket)) = open.as_ref()
            && broken != Some(socket)
        {
            return Ok(socket.clone());
        }
        if open.take().is_some() {
            self.events.note(format!("the connection to {} is lost; reconnecting", self.machine.name));
        }
        let remote = Remote::connect(&self.machine, ANSWERS_WITHIN, &self.events).await?;
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
