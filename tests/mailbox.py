"""A local mail server that stores the mails it receives."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


@dataclass
class Mailbox:
    """The mails that a server on `port` has received, and the receivers of each."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    receivers: list[list[str]] = field(default_factory=list)


@contextmanager
def receiving_mail() -> Iterator[Mailbox]:
    """A server with as much SMTP (RFC 5321) as a client without encryption and authentication needs."""
    mailbox = Mailbox()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            receivers: list[str] = []
            self.say("220 ready")
            while line := self.rfile.readline():
                word = line.strip().upper()
                if word.startswith(b"RCPT TO:"):
                    receivers.append(line.decode().split("<")[1].split(">")[0])
                if word == b"DATA":
                    self.say("354 go on")
                    mailbox.mails.append(message_from_bytes(self.body(), policy=policy.default))
                    mailbox.receivers.append(receivers)
                self.say("221 bye" if word == b"QUIT" else "250 ok")
                if word == b"QUIT":
                    return

        def body(self) -> bytes:
            """The mail up to the line with a single dot; other lines that begin with a dot arrive with two."""
            lines = iter(self.rfile.readline, b".\r\n")
            return b"".join(line.removeprefix(b".") if line.startswith(b"..") else line for line in lines)

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    class Server(ThreadingTCPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    mailbox.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield mailbox
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
