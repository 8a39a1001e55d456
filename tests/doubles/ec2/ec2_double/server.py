"""The HTTP side: a thread for each connection, AWS calls to `Front`, everything below /double to `Control`."""

import http.server
import socket
import sys
import time

from .call import Call
from .connection import Connection


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one segment; waiting for more would cost each call 40 ms.
    disable_nagle_algorithm = True
    wbufsize = -1

    def date_time_string(self, timestamp=None):
        """The double's clock may be set apart from this computer's."""
        return super().date_time_string((timestamp or time.time()) + self.server.clock_offset())

    def log_message(self, *_arguments):
        """The journal has the requests."""

    def do_GET(self):
        self._answer()

    do_POST = do_DELETE = do_PUT = do_GET

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.partition("?")[0].startswith("/double"):
            answer = self.server.control.answer(self.command, self.path, body)
        else:
            call = Call(self.command, self.path, self.headers, body)
            answer = self.server.front.answer(call, Connection(self.connection))
        if answer is None:
            self.close_connection = True
            return
        status, kind, text = answer
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    address_family = socket.AF_INET

    def __init__(self, address, front, control, clock_offset):
        super().__init__(address, Handler)
        self.front, self.control, self.clock_offset = front, control, clock_offset

    def server_bind(self):
        """As the base does, without its look-up of this computer's name, which may take long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address

    def handle_error(self, request, client_address):
        """A client that goes away is what tests do; anything else is a mistake of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)
