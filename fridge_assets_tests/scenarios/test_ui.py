"""The `ui` command as a process: who may use it, what it says, and that nothing of it is left at its end."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from fridge_assets.running.instance import open_instance
from fridge_assets.settings import Settings
from fridge_assets_tests.cli.typed import refused
from fridge_assets_tests.scenarios.processes import NOTHING_DUE
from fridge_assets_tests.scenarios.small_fleet import Place

PROGRAM = [sys.executable, "-c", "from fridge_assets.cli import main; main()"]
PROXY = "fridge.example.org"
PATIENCE = 150.0
"""Seconds in which the UI answers on a machine with other work to do; about ten on one without."""

ENDS_WITHIN = 10.0
LAUNCH = """mutation Launch($params: ExecutionParams!) {
    launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } } }"""


class Ui:
    """A running `ui` of a data folder."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, printed: Path) -> None:
        self.process = process
        self.port = port
        self._printed = printed

    @property
    def said(self) -> str:
        return self._printed.read_text()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, headers: Mapping[str, str | None], body: str | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers of the answer; a ``Host`` of None is left out."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.putrequest(method, path, skip_host=True)
            for name, value in {"Host": self.address, **headers}.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(None if body is None else body.encode())
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())

    def launch(self, job: str, config: Mapping[str, Any]) -> str:
        """Launch a run as the UI's page does; returns its id."""
        headers = {"Origin": f"http://{self.address}", "Content-Type": "application/json"}
        query = {"query": LAUNCH, "variables": {"params": launch_params(job, config)}}
        status, body, _ = self.ask("POST", "/graphql", headers, json.dumps(query))
        assert status == http.HTTPStatus.OK, body
        launched = json.loads(body)["data"]["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", body
        return str(launched["run"]["runId"])


def launch_params(job: str, config: Mapping[str, Any]) -> dict[str, Any]:
    selector = {"repositoryName": "__repository__", "repositoryLocationName": "fridge_assets.definitions"}
    return {"selector": {**selector, "jobName": job}, "runConfigData": json.dumps(config)}


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def ui_of(root: Path, printed: Path, *words: str, **environment: str) -> Iterator[Ui]:
    """`ui` over a data folder, once it says that it can be reached."""
    port = free_port()
    command = [*PROGRAM, "--data-dir", str(root), "ui", "--port", str(port), *words]
    with printed.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    ui = Ui(process, port, printed)
    try:
        wait_until(lambda: f"http://127.0.0.1:{port} shows" in ui.said or process.poll() is not None, PATIENCE)
        assert process.poll() is None, ui.said
        yield ui
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE)


def wait_until(condition: Callable[[], bool], patience: float) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The web pages of an empty folder, without a daemon; a proxy may show them."""
    folder = tmp_path_factory.mktemp("ui")
    with ui_of(folder / "data", folder / "printed", "--no-daemon", FRIDGE_UI__ALLOWED_HOSTS=PROXY) as ui:
        yield ui


@pytest.fixture
def runs(page: Ui, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], int]:
    """Counts the runs of the folder of ``page``."""
    root = page._printed.parent / "data"

    def count() -> int:
        with open_instance(Settings(data_dir=root)) as instance:
            return instance.get_runs_count()

    return count


ACTION = ("action_pause_model", {"family": "isolation_forest"})
MUTATION = f"/graphql?query={quote(LAUNCH)}&variables={quote(json.dumps({'params': launch_params(*ACTION)}))}"
POSTED = json.dumps({"query": LAUNCH, "variables": {"params": launch_params(*ACTION)}})
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        pytest.param("GET", MUTATION, {"Host": "evil.example", "Origin": "http://evil.example"}, None, 421, id="seen"),
        pytest.param("GET", MUTATION, {}, None, 405, id="a mutation by GET"),
        pytest.param("GET", MUTATION, {"Origin": "http://evil.example"}, None, 403, id="by GET from another page"),
        pytest.param("POST", "/graphql", JSON | {"Origin": "http://evil.example"}, POSTED, 403, id="another page"),
        pytest.param("POST", "/graphql", JSON | {"Origin": "null"}, POSTED, 403, id="a page without a name"),
        pytest.param("POST", "/graphql", JSON | {"Origin": "http://127.0.0.1:1"}, POSTED, 403, id="another port"),
        pytest.param("POST", "/graphql", JSON | {"Origin": f"ftp://{PROXY}"}, POSTED, 403, id="another scheme"),
        pytest.param("POST", "/graphql", JSON | {"Host": "evil.example"}, POSTED, 421, id="a name pointed here"),
        pytest.param("POST", "/graphql", {"Content-Type": "text/plain"}, POSTED, 415, id="a form"),
        pytest.param("POST", MUTATION, {"Content-Type": "text/plain;application/json"}, "", 415, id="a disguised form"),
        pytest.param(
            "POST", "/report_asset_materialization/x", {"Origin": "http://evil.example"}, "", 403, id="report"
        ),
        pytest.param("GET", "/", {"Host": "evil.example"}, None, 421, id="the page itself under another name"),
    ],
)
def test_pages_and_names_of_others_change_nothing(
    page: Ui,
    runs: Callable[[], int],
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: str | None,
    status: int,
) -> None:
    before = runs()
    answered, said, _ = page.ask(method, path, headers, body)
    assert (answered, runs()) == (status, before), said


def test_its_own_page_may_act(page: Ui, runs: Callable[[], int]) -> None:
    before = runs()
    page.launch(*ACTION)
    assert runs() == before + 1


def test_a_page_behind_a_proxy_may_act_once_its_host_is_allowed(page: Ui) -> None:
    headers = JSON | {"Host": PROXY, "Origin": f"https://{PROXY}"}
    status, body, _ = page.ask("POST", "/graphql", headers, json.dumps({"query": "{ version }"}))
    assert (status, "version" in json.loads(body)["data"]) == (200, True)


def test_no_other_page_shows_it_in_a_frame(page: Ui) -> None:
    status, body, headers = page.ask("GET", "/", {"Accept": "text/html"})
    assert (status, b"<html" in body.lower()) == (200, True)
    assert {name.lower(): value for name, value in headers.items()}["x-frame-options"] == "SAMEORIGIN"


@pytest.mark.parametrize(("origin", "accepted"), [("http://{}", True), ("http://evil.example", False)])
def test_a_subscription_is_for_its_own_page(page: Ui, origin: str, accepted: bool) -> None:
    def subscribe() -> str:
        with connect(
            f"ws://{page.address}/graphql",
            origin=Origin(origin.format(page.address)),
            subprotocols=[Subprotocol("graphql-ws")],
            proxy=None,
        ) as socket:
            socket.send(json.dumps({"type": "connection_init"}))
            return str(json.loads(socket.recv(30))["type"])

    if accepted:
        assert subscribe() == "connection_ack"
    else:
        with pytest.raises(InvalidStatus):
            subscribe()


def test_a_port_that_is_taken_is_said_with_one_that_is_free(page: Ui, tmp_path: Path) -> None:
    said = refused(tmp_path, "ui", "--port", str(page.port))
    assert said.startswith(f"port {page.port} is taken by another program")
    other = int(said.rsplit(maxsplit=1)[-1].removesuffix("."))
    assert other > page.port
    socket.create_server(("127.0.0.1", other)).close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_everything_ends_with_it_and_the_run_under_way_too(
    cycled: Place, tmp_path: Path, number: signal.Signals
) -> None:
    with (
        ui_of(cycled.root, tmp_path / "printed", FRIDGE_FOREST__TREES="500000", **NOTHING_DUE) as ui,
        open_instance(cycled.settings) as instance,
    ):
        run_id = ui.launch("train", {})

        def status() -> dg.DagsterRunStatus:
            run = instance.get_run_by_id(run_id)
            assert run is not None
            return run.status

        wait_until(lambda: "train started" in ui.said, PATIENCE)
        assert status() == dg.DagsterRunStatus.STARTED
        members = psutil.Process(ui.process.pid).children(recursive=True)
        ui.process.send_signal(number)
        _, alive = psutil.wait_procs([*members, psutil.Process(ui.process.pid)], timeout=ENDS_WITHIN)
        assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
        assert status() in (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE)
    assert "Checking for new runs" not in ui.said
    log = (cycled.settings.dagster_home / "services" / "ui.log").read_text()
    assert "Checking for new runs" in log
