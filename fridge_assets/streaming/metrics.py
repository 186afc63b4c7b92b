"""What other programs see of the stream: ``/healthz`` and Prometheus' ``/metrics``, on loopback by default."""

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from fridge_assets.core.errors import FridgeError
from fridge_assets.streaming.rules import RULES


class StreamMetrics:
    """Prometheus metrics of one streaming process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.readings = self._counter("readings", "Readings that were taken in")
        self.repeated = self._counter("repeated_readings", "Readings that were known already")
        self.too_late = self._counter("too_late_readings", "Readings that came later than is allowed")
        self.unusable = self._counter("unusable_readings", "Readings that went to the dead letters")
        self.onsets = Counter("fridge_stream_onsets", "Onsets found", ["rule"], registry=self.registry)
        self.withdrawn = self._counter("withdrawn_onsets", "Onsets that late readings have disproved")
        self.lag = self._gauge("lag_seconds", "Age of the newest reading")
        self.behind = self._gauge("behind", "Files or messages that wait to be taken")
        self.heartbeat = self._gauge("heartbeat_timestamp_seconds", "When the process last told that it is alive")
        self.window_rows = self._gauge("window_readings", "Readings in the sliding window")
        self.batch_seconds = Histogram(
            "fridge_stream_batch_seconds", "Time from a batch being read to its outcome being stored",
            registry=self.registry, buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
        )  # fmt: skip
        for rule in RULES:
            self.onsets.labels(rule)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"fridge_stream_{name}", text, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"fridge_stream_{name}", text, registry=self.registry)


class StatusServer:
    """Answers ``/healthz`` (200, or 503 with what is wrong) and ``/metrics``, in a thread of its own.

    Args:
        host: where to listen.
        port: 0 for any that is free.
        metrics: what ``/metrics`` shows.
        problems: what is wrong at the moment; empty for healthy. Called in the server's thread.

    Raises:
        FridgeError: the port is taken.
    """

    def __init__(self, host: str, port: int, metrics: StreamMetrics, problems: Callable[[], Mapping[str, str]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
                elif self.path == "/healthz":
                    found = dict(problems())
                    status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
                    body = {"healthy": not found, "problems": found}
                    self._answer(status, "application/json", json.dumps(body).encode() + b"\n")
                else:
                    self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"There are /healthz and /metrics.\n")

            def log_message(self, format: str, *args: object) -> None:
                """Keep quiet: somebody asks every few seconds."""

            def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise FridgeError(
                f"{host}:{port} cannot be listened on: {error.strerror}",
                "Another stream may be running; else set FRIDGE_STREAMING__PORT to a free port, or to 0 for any.",
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="status", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
