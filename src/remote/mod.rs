//! The ssh transport: connects to a machine that may still be booting, runs commands with data on
//! standard input, forwards ports. The only place that names the openssh crate.
//!
//! All it knows of playbooks is that their scripts are packed while they are sent: a caller passes a command and its
//! input, and receives lines. The output of a host is limited in size and time.

mod client;
mod connection;
mod host_key;
mod input;
mod journal;
mod limits;
mod master;
mod port_forward;
mod refusal;
mod sockets;

pub use client::{SshRoute, route};
pub use connection::{ANSWERS_WITHIN, CommandOutput, Remote};
pub use host_key::{HostKey, presented};
pub use input::Input;
pub use journal::{JournalSource, send_all, send_each, service_of};
pub use limits::Limits;
pub use port_forward::PortForward;
pub use sockets::sweep;
