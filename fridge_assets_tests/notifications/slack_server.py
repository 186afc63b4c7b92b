"""A Slack of our own on the loopback: takes what slack_sdk sends, keeps it, and fails as it is told."""

import json
import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

TOKEN = "xoxb-test-token"

_POLL = 0.01


@dataclass(frozen=True)
class Answer:
    """How one request is answered.

    Args:
        posts: the message is posted, whatever is answered.
        status: HTTP status.
        error: Slack's error code; empty for ok.
        retry_after: seconds, as a header.
        delay: seconds before the answer.
        body: instead of Slack's JSON.
        hangs_up: the connection ends without an answer.
    """

    posts: bool = True
    status: int = 200
    error: str = ""
    retry_after: int | None = None
    delay: float = 0.0
    body: str = ""
    hangs_up: bool = False


OK = Answer()
BROKEN_BEFORE = Answer(posts=False, status=500)
BROKEN_AFTER = Answer(posts=True, status=500)
HUNG_UP_AFTER = Answer(posts=True, hangs_up=True)


def refused(error: str) -> Answer:
    """Slack says no, with a code."""
    return Answer(posts=False, error=error)


def too_much(retry_after: int) -> Answer:
    """Slack asks to be left alone for some seconds."""
    return Answer(posts=False, status=429, error="ratelimited", retry_after=retry_after)


def late(delay: float, posts: bool) -> Answer:
    """Slack takes its time, after it has posted or instead."""
    return Answer(posts=posts, delay=delay)


@dataclass(frozen=True)
class Post:
    """A message that is visible in a channel."""

    channel: str
    ts: str
    body: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The plain text."""
        return str(self.body["text"])

    @property
    def key(self) -> str:
        """Key of the message; empty when it came as plain text alone."""
        return str(self.body.get("metadata", {}).get("event_payload", {}).get("key", ""))

    @property
    def resend(self) -> bool:
        """Whether it says that it may have been posted before."""
        return "Sent again (key " in self.text


class SlackServer:
    """Answers what the product asks Slack until the block ends.

    Answers that were scripted with :meth:`then` are used up first, in order; then :attr:`always`.
    """

    def __init__(self) -> None:
        self.always = OK
        self.posts: list[Post] = []
        self.requests = 0
        """Calls of chat.postMessage, posted or not."""
        self.closed: dict[str, str] = {}
        """Channels that the app may not post to, and with which error; for checks."""
        self.scheduled: list[tuple[str, str]] = []
        """Messages that are scheduled and not taken back: channel id and message id."""
        self._scripted: dict[str, deque[Answer]] = defaultdict(deque)
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
        """What to set as the API's address."""
        return f"http://127.0.0.1:{self._port}/api/"

    def then(self, *answers: Answer, channel: str = "") -> None:
        """Script the answers to the next posts to a channel, or to any channel without a script of its own."""
        self._scripted[channel].extend(answers)

    def posted(self, channel: str) -> list[Post]:
        """What is visible in a channel, oldest first."""
        with self._lock:
            return [post for post in self.posts if post.channel == channel]

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

    def answer(self, method: str, token: str, body: Mapping[str, Any]) -> tuple[Answer, dict[str, Any]]:
        """What to say to a call, after posting what it posts."""
        if token != f"Bearer {TOKEN}":
            return OK, {"ok": False, "error": "invalid_auth"}
        if method == "auth.test":
            return OK, {"ok": True, "user": "fridge", "team": "Test"}
        if method != "chat.postMessage":
            return OK, self._scheduling(method, body)
        channel = str(body["channel"])
        with self._lock:
            self.requests += 1
            script = self._scripted[channel] or self._scripted[""]
            answer = script.popleft() if script else self.always
            ts = f"{1_780_000_000 + self.requests}.000100"
            if answer.posts:
                self.posts.append(Post(channel, ts, body))
        if answer.delay:
            self._closing.wait(answer.delay)
        if answer.error or answer.status != 200:
            return answer, {"ok": False, "error": answer.error or "server_error"}
        return answer, {"ok": True, "channel": channel, "ts": ts, "message": {"text": body["text"]}}

    def _scheduling(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        channel = str(body.get("channel", ""))
        if method == "chat.scheduleMessage":
            if channel in self.closed:
                return {"ok": False, "error": self.closed[channel]}
            scheduled = (f"C-{channel}", f"Q{len(self.scheduled)}-{channel}")
            self.scheduled.append(scheduled)
            return {"ok": True, "channel": scheduled[0], "scheduled_message_id": scheduled[1]}
        if method == "chat.deleteScheduledMessage":
            self.scheduled.remove((channel, str(body["scheduled_message_id"])))
            return {"ok": True}
        return {"ok": False, "error": "unknown_method"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], slack: SlackServer) -> None:
        self.slack = slack
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that left before the answer."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        is_json = "json" in self.headers.get("Content-Type", "")
        body = json.loads(raw) if is_json and raw else dict(parse_qsl(raw))
        answer, said = self.server.slack.answer(
            self.path.removeprefix("/api/"), self.headers.get("Authorization", ""), body
        )
        if answer.hangs_up:
            return
        content = (answer.body or json.dumps(said)).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/html" if answer.body else "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        if answer.retry_after is not None:
            self.send_header("Retry-After", str(answer.retry_after))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""
