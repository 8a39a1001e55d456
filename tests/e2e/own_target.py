"""Serves one metric over TLS, and only with the password."""

import base64
import http.server
import ssl

WANTED = "Basic " + base64.b64encode(b"scraper:hunter2-of-the-target").decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_known = self.headers.get("Authorization") == WANTED
        body = b"shop_carts 3\n" if is_known else b""
        self.send_response(200 if is_known else 401)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("cert.pem", "key.pem")
server = http.server.ThreadingHTTPServer(("", 9443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
