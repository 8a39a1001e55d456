"""The client's side of a call: whether it is still there, and ending it without a word."""

import select
import socket


class Connection:
    def __init__(self, sock):
        self._socket = sock

    def is_there(self):
        """False once the client has closed its end; a client that waits for its answer sends nothing more."""
        try:
            readable, _, _ = select.select([self._socket], [], [], 0)
            return not readable or self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except (OSError, ValueError):
            return False

    def drop(self):
        """Ends the connection at once, as a cut line would."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            """It has ended already."""
