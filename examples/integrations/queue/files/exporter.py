"""Serves the length of a queue as a metric: one file in the folder is one message."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FOLDER, PORT = sys.argv[1], int(sys.argv[2])
METRICS = """\
# HELP queue_length Messages that wait in the queue.
# TYPE queue_length gauge
queue_length{{queue="mail"}} {length}
"""


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the metrics."""

    def do_GET(self):
        """Counts the messages."""
        body = METRICS.format(length=len(os.listdir(FOLDER))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Writes no line for each scrape."""


ThreadingHTTPServer(("", PORT), Handler).serve_forever()
