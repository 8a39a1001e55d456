"""Serves when the certificate of each domain ends, as this host's web server presents it: PORT DOMAIN…"""

import calendar
import socket
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, DOMAINS = int(sys.argv[1]), sys.argv[2:]
NAME = "caddy_certificate_expiry_timestamp_seconds"
HEAD = f"""\
# HELP {NAME} When the certificate of the domain ends; 0 if there is none.
# TYPE {NAME} gauge
"""
SECONDS = 5


def expiry(domain):
    """The end of the certificate, of any issuer, in seconds since 1970; 0 if there is none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", 443), timeout=SECONDS) as plain:
            with context.wrap_socket(plain, server_hostname=domain) as secured:
                return not_after(secured.getpeercert(binary_form=True))
    except OSError:
        return 0


def not_after(certificate):
    """The end in a certificate's DER: its first part has version, number, algorithm, issuer and validity."""
    _, at, _ = element(certificate, 0)
    _, at, _ = element(certificate, at)
    tag, _, end = element(certificate, at)
    if tag == 0xA0:  # The version may be left out.
        at = end
    for _ in range(3):
        _, _, at = element(certificate, at)
    _, at, _ = element(certificate, at)
    _, _, at = element(certificate, at)
    tag, begin, end = element(certificate, at)
    form = "%y%m%d%H%M%SZ" if tag == 0x17 else "%Y%m%d%H%M%SZ"
    return calendar.timegm(time.strptime(certificate[begin:end].decode(), form))


def element(data, at):
    """The tag of the element at a place, and where its content begins and ends."""
    tag, length, begin = data[at], data[at + 1], at + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(data[at + 2 : begin], "big")
    return tag, begin, begin + length


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the metrics."""

    timeout = SECONDS

    def do_GET(self):
        """Asks the web server."""
        lines = [f'{NAME}{{domain="{domain}"}} {expiry(domain)}\n' for domain in DOMAINS]
        body = (HEAD + "".join(lines)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Writes no line for each scrape."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
