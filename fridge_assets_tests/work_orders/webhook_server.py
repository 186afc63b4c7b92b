"""A maintenance system on the loopback: takes orders by their key, and fails as it is told."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

TOKEN = "secret-token"

_POLL = 0.01


@dataclass(frozen=True)
class Answer:
    """How one request is answered.

    Args:
        status: HTTP status.
        takes: the order is taken, whatever is answered.
        headers: further headers.
        body: what is said.
        delay: seconds before the answer.
    """

    status: int = 200
    takes: bool = True
    headers: Mapping[str, str] | None = None
    body: str = ""
    delay: float = 0.0


OK = Answer()


def failing(status: int, **headers: str) -> Answer:
    """An answer that takes nothing; ``Retry_After`` is the header Retry-After."""
    return Answer(status, takes=False, headers={name.replace("_", "-"): value for name, value in headers.items()})


class WebhookServer:
    """Answers until the block ends: what was scripted with :meth:`then` first, in order, then :attr:`always`."""

    def __init__(self) -> None:
        self.always = OK
        self.taken: dict[str, dict[str, Any]] = {}
        """Idempotency key → the order, the first time it came."""
        self.requests: list[tuple[str, str, Mapping[str, str]]] = []
        """Method, key and headers of everything that came."""
        self._scripted: deque[Answer] = deque()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.refuse()

    @property
    def url(self) -> str:
        """Where orders are posted."""
        return f"http://127.0.0.1:{self._port}/orders"

    @property
    def keys(self) -> list[str]:
        """Keys of all requests, in order."""
        return [key for _, key, _ in self.requests]

    def then(self, *answers: Answer) -> None:
        """Script the answers to the next requests."""
        self._scripted.extend(answers)

    def open(self) -> None:
        """Take connections (again, at the same port)."""
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL,), daemon=True)
        self._thread.start()

    def refuse(self) -> None:
        """Refuse connections until :meth:`open`."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        self._server = None

    def answer(self, method: str, headers: Mapping[str, str], body: str) -> Answer:
        """How to answer a request, after taking what it brings."""
        key = headers.get("Idempotency-Key", "")
        with self._lock:
            self.requests.append((method, key, headers))
            answer = self._scripted.popleft() if self._scripted else self.always
            if answer.takes:
                self.taken.setdefault(key, json.loads(body))
        self._closing.wait(answer.delay)
        return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], webhook: WebhookServer) -> None:
        self.webhook = webhook
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that left before the answer."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        answer = self.server.webhook.answer(self.command, dict(self.headers.items()), body)
        self.send_response(answer.status)
        for name, value in (answer.headers or {}).items():
            self.send_header(name, value)
        content = answer.body.encode()
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""
