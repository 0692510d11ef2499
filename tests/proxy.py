"""A small proxy that serves a server below a path prefix, which it strips or passes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


@contextmanager
def proxied(port: int, prefix: str, *, strips: bool) -> Iterator[str]:
    """The origin of a proxy in front of the server at `port`; it refuses paths that are not below `prefix`."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self.close_connection = True
            if not self.path.startswith((prefix, prefix.rstrip("/") + "?")) and self.path != prefix.rstrip("/"):
                self.send_error(404, "not below the prefix")
                return
            path = self.path[len(prefix) - 1 :] if strips and self.path.startswith(prefix) else self.path
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request(self.command, path, body, dict(self.headers))
            answer = connection.getresponse()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while part := answer.read1():
                    self.wfile.write(part)
                    self.wfile.flush()
            except OSError:  # the client has gone, as from a stream
                pass
            finally:
                connection.close()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
