"""A TLS listener that forwards everything to a plain one, or answers each request with a text.

    tls_front.py CERTIFICATE KEY (HOST:PORT | text:TEXT)

Prints its port, and ends with its standard input.
"""

import os
import socket
import ssl
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(connection, to):
    try:
        with context.wrap_socket(connection, server_side=True) as client:
            if to.startswith("text:"):
                client.recv(65536)
                text = to.removeprefix("text:").encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
                client.sendall(head.encode() + text)
                return
            host, _, port = to.partition(":")
            with socket.create_connection((host, int(port))) as server:
                back = threading.Thread(target=pump, args=(server, client), daemon=True)
                back.start()
                pump(client, server)
                back.join()
    except OSError:
        # A client that does not trust the certificate aborts the handshake.
        pass


def accept(listener, to):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, to), daemon=True).start()


certificate, key, to = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
threading.Thread(target=accept, args=(listener, to), daemon=True).start()
while os.read(0, 4096):
    pass
