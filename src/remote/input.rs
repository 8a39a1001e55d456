//! Standard input of a remote command: bytes in memory, or a script that is packed while it is sent, so that an
//! application of any size takes little memory.

use std::fs::File;
use std::io::{self, Write};

use openssh::ChildStdin;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::playbook::Script;

/// The size of the pieces, and how many of them may be queued.
const PIECE_BYTES: usize = 64 << 10;
const PIECES: usize = 8;

/// The standard input of a remote command.
#[derive(Debug)]
pub enum Input<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// Pieces that a thread produces meanwhile, or its error.
    Pieces(mpsc::Receiver<io::Result<Vec<u8>>>),
}

impl<'a> From<&'a [u8]> for Input<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Input<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Script> for Input<'_> {
    fn from(script: Script) -> Self {
        let (sender, receiver) = mpsc::channel(PIECES);
        std::thread::spawn(move || {
            let mut pieces = Pieces { sender: sender.clone(), piece: Vec::with_capacity(PIECE_BYTES) };
            if let Err(error) = script.write(&mut pieces, |path| File::open(path)) {
                #[expect(
                    clippy::let_underscore_must_use,
                    reason = "if the reader is gone, that is the cause of the error"
                )]
                let _ = sender.blocking_send(Err(error));
            }
        });
        Self::Pieces(receiver)
    }
}

impl Input<'_> {
    /// Writes everything and closes the command's standard input. A command need not read to the end.
    ///
    /// # Errors
    /// When the input itself cannot be read. The command then receives a part of it and end of file.
    pub(super) async fn write(self, mut stdin: ChildStdin) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => {
                #[expect(
                    clippy::let_underscore_must_use,
                    reason = "the exit status is more precise than a closed pipe"
                )]
                let _ = stdin.write_all(bytes).await;
            }
            Self::Pieces(mut pieces) => {
                while let Some(piece) = pieces.recv().await {
                    if stdin.write_all(&piece?).await.is_err() {
                        break;
                    }
                }
            }
        }
        #[expect(clippy::let_underscore_must_use, reason = "a command that ended has closed it")]
        let _ = stdin.shutdown().await;
        Ok(())
    }
}

/// Sends written bytes in pieces; waits if the receiver is slower.
struct Pieces {
    sender: mpsc::Sender<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
