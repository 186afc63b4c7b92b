"""Destinations of our own on the loopback: one that takes JSON posts, and a mail server."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

LOOPBACK = "127.0.0.1"


@dataclass
class Endpoint:
    """What a webhook was sent, and how it answers: status, headers and body, the scripted ones first."""

    url: str = ""
    answers: deque[tuple[int, dict[str, str], str]] = field(default_factory=deque)
    taken: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    requests: int = 0


@contextmanager
def endpoint(path: str = "/hook/s3cret") -> Iterator[Endpoint]:
    """A webhook that answers 200, or what it is told to."""
    hook = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.requests += 1
            status, headers, said = hook.answers.popleft() if hook.answers else (200, {}, "ok")
            if status == 0:
                return  # hangs up
            if status < 300:
                hook.taken.append(body)
                hook.paths.append(self.path)
                hook.headers.append(dict(self.headers))
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(said.encode()))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    hook.url = f"http://{LOOPBACK}:{server.server_address[1]}{path}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@dataclass
class Mailbox:
    """What a mail server has taken, and whom it refuses."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    answer: str = "250 OK"

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        options: list[str],  # noqa: ARG002
    ) -> str:
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        if self.answer.startswith("250"):
            parsed = message_from_bytes(envelope.original_content or b"", policy=policy.default)
            assert isinstance(parsed, EmailMessage)
            self.mails.append(parsed)
            self.recipients.append(list(envelope.rcpt_tos))
        return self.answer


class _AnyPort(Controller):
    """Listens on whatever port is free, and then knows which."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


PASSWORD = "hunter2-mail"


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A mail server that wants the user ``fridges`` with :data:`PASSWORD`."""
    box = Mailbox()

    def known(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and given.password == PASSWORD.encode()
        return AuthResult(success=right, handled=False)

    controller = _AnyPort(box, hostname=LOOPBACK, port=0, authenticator=known, auth_require_tls=False)
    controller.start()
    try:
        box.port = controller.port
        yield box
    finally:
        controller.stop()
