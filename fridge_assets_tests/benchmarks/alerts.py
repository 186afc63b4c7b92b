"""Incidents in bulk: 10,000 that open in one run, and questions to a store of 200,000 with a million alerts.

``python -m fridge_assets_tests.benchmarks.alerts [--part open|list]``, about three minutes on two cores. Exit
code 1 when a target is missed; the targets hold for the default sizes:

- open: ``raise_alerts`` opens 10,000 incidents of 100,000 scored devices, messages included, in under 8 seconds, and a
  run in which they are open and nothing is new takes under 3 seconds;
- list: ``fridge-assets incidents list``, ``incidents audit`` and ``alerts list``, in processes of their own and however
  they are filtered, answer in under 0.7 seconds from 200,000 incidents and 1,000,000 alerts, Python's start included
  (median of 5). What runs ask the same store is printed beside.
"""

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from rich.table import Table

from fridge_assets.contracts import INCIDENTS, MODEL_SCORES
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.incidents.known import due_ids, newest_incidents
from fridge_assets.incidents.observing.run import raise_alerts
from fridge_assets.incidents.queries import open_summary
from fridge_assets.registry.devices import with_cohort
from fridge_assets.settings import Settings
from fridge_assets.simulation import simulate_registry
from fridge_assets.stores.operations import Operations, alert_evidence, incidents, is_open
from fridge_assets.stores.warehouse import Warehouse, store_changed
from fridge_assets_tests.benchmarks.hourly import CONSOLE, fridge_assets, succeed
from fridge_assets_tests.benchmarks.targets import Target, print_targets

SEED = 7
DEVICES, FLAGGED, STORED, EACH = 100_000, 10_000, 200_000, 5
"""Scored devices, of which so many are flagged; stored incidents, with so many alerts each."""
NOW = datetime(2026, 3, 2, 12, 4, tzinfo=UTC)
WINDOW_END = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATEST = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
"""Newest window of the store that is asked: the command knows no time but the actual one."""
FAMILIES = ("isolation_forest", "statistical_baseline")
OPENED_SECONDS, SAME_SECONDS, LISTED_SECONDS = 8.0, 3.0, 0.7
REPEATS = 5
_FILTERED = (
    "",
    " --min-severity HIGH",
    " --site site-0003",
    " --device device-000042",
    " --all",
    " --all --min-severity CRITICAL",
    " --all --site site-0003",
    " --all --device device-000042",
)
COMMANDS = (
    *(f"{what} list{given}" for what in ("incidents", "alerts") for given in _FILTERED),
    "incidents list --cause leak",
    "incidents list --cause leak --all",
    "alerts list --all --min-severity CRITICAL --site site-0003",
    "incidents audit",
    "incidents audit --site site-0003",
    "incidents audit --because silenced",
)
"""What people ask."""
RESULTS = Path("bench-results")
_MONTHS = timedelta(days=14 * 30)
_SHARES = (0.5, 0.3, 0.15, 0.05)
"""Of the severities, from LOW to CRITICAL."""
_CLOSED = 0.95
_STATUSES = (("RESOLVED", "FALSE_POSITIVE"), ("OPEN", "ACKNOWLEDGED", "IN_PROGRESS"))
CAUSES = ("", "refrigerant leak", "condenser dirty or its fan weak")
"""Probable causes of stored incidents; empty where none is clear."""
_SQLITE_TIME = "%Y-%m-%d %H:%M:%S.%f"

Outcome = tuple[dict[str, Any], list[Target]]
"""Results, and those that have targets."""


def open_many(folder: Path, devices: int, flagged: int) -> Outcome:
    """One run of alerting over ``devices`` scored devices, of which ``flagged`` are anomalous."""
    settings = Settings(data_dir=folder / "data")
    warehouse, operations = Warehouse.from_settings(settings), Operations(settings.operations_database)
    registry = with_cohort(simulate_registry(devices, SEED))
    with warehouse.transaction() as connection:
        store_changed(connection, MODEL_SCORES, MODEL_SCORES.to_arrow(scores_of(registry["device_id"], flagged)))
        connection.executemany(
            "INSERT INTO score_runs (score_run_id, family, model_id, model_version, window_end, scored_at, rows, "
            "flagged, active_devices, left_out, run_id, published) "
            "VALUES (?, ?, ?, '1.0.0', ?, ?, ?, ?, ?, '', 'r', true)",
            [(f, f, f"{f}_v1", WINDOW_END, NOW - timedelta(minutes=1), devices, flagged, devices) for f in FAMILIES],
        )
    operations.migrate()
    started = time.perf_counter()
    opened = len(raise_alerts(warehouse, operations, registry, NOW, settings).outcome.opened)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    again = raise_alerts(warehouse, operations, registry, NOW + timedelta(minutes=1), settings)
    same_seconds = time.perf_counter() - started
    CONSOLE.print(
        f"Open: {opened:,} incidents of {devices:,} scored devices in {seconds:.1f} s, nothing new in "
        f"{same_seconds:.1f} s."
    )
    targets = [
        Target("incidents opened, of those flagged", opened / flagged, 1.0, is_least=True),
        Target("news in the same window again", len(again.outcome.steps), 0.0),
        Target(f"seconds to open {opened:,} incidents", seconds, OPENED_SECONDS),
        Target("seconds of a run in which they are open and nothing is new", same_seconds, SAME_SECONDS),
    ]
    took = {"seconds": round(seconds, 2), "nothing_new_seconds": round(same_seconds, 2)}
    return {"devices": devices, "incidents": opened, **took}, targets


def scores_of(devices: pd.Series, flagged: int) -> pd.DataFrame:
    """MODEL_SCORES rows of one window by two models, the first ``flagged`` devices anomalous to one or both of them."""
    rng = np.random.default_rng(SEED)
    frames = []
    for position, family in enumerate(FAMILIES):
        frame = MODEL_SCORES.sample(len(devices))
        values = rng.uniform(0.0, 0.5, len(devices))
        values[: flagged // (position + 1)] = rng.uniform(0.65, 1.0, flagged // (position + 1))
        frames.append(
            frame.assign(
                score_id=[f"{family}-{number}" for number in range(len(devices))],
                device_id=devices.to_numpy(),
                model_id=f"{family}_v1",
                model_version="1.0.0",
                window_start=pd.Timestamp(WINDOW_END - timedelta(minutes=15)),
                window_end=pd.Timestamp(WINDOW_END),
                anomaly_score=values,
                anomaly_flag=values > 0.6,
                threshold_used=0.6,
                scored_at=pd.Timestamp(NOW - timedelta(minutes=1)),
            )
        )
    return pd.concat(frames, ignore_index=True)


def fill(operations: Operations, file: Path, stored: int, seed: int = SEED) -> None:
    """Store incidents of 14 months with :data:`EACH` alerts each: most closed, deadlines that have passed seen to."""
    operations.migrate()
    columns = tuple(INCIDENTS.column_names), tuple(alert_evidence.columns.keys())
    statements = [
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        for table, names in zip(("incidents", "alert_evidence"), columns, strict=True)
    ]
    connection = sqlite3.connect(file)
    with connection:
        for incident in stored_incidents(stored, seed):
            connection.execute(statements[0], [incident[name] for name in columns[0]])
            rows = ([row[name] for name in columns[1]] for row in evidence_of(incident))
            connection.executemany(statements[1], rows)
    connection.close()


def stored_incidents(stored: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows as SQLite stores them, oldest first; of a device the last may be open."""
    rng = np.random.default_rng(seed)
    devices = max(stored // 2, 1)
    severities, picks = rng.choice(len(SEVERITIES), stored, p=_SHARES), rng.integers(0, 6, stored)
    closed = rng.random(stored) < _CLOSED
    hours = int(_MONTHS / timedelta(hours=1))
    for number in range(stored):
        end = LATEST - timedelta(hours=hours - 1 - number * hours // stored)
        is_open = bool(not closed[number]) and number >= stored - devices
        window, made = end.strftime(_SQLITE_TIME), (end + timedelta(minutes=4)).strftime(_SQLITE_TIME)
        deadline = (end + timedelta(hours=4)).strftime(_SQLITE_TIME)
        watched = end + timedelta(hours=4) <= LATEST + timedelta(hours=1)
        status = _STATUSES[is_open][picks[number] % len(_STATUSES[is_open])]
        name, device = f"{(number * 2_654_435_761) % 2**32:08x}-{number:08x}", number % devices
        severity = SEVERITIES[severities[number]]
        yield {
            **dict.fromkeys(("waiting", "remind_at", "snoozed_until", "quiet_since", "owner", "work_order_id")),
            **dict.fromkeys(("windows", "onsets"), "[]"),
            **dict.fromkeys(("verdict", "release", "registry_entry"), ""),
            "incident_id": name,
            "device_id": f"device-{device:06d}",
            "site_id": f"site-{device % max(devices // 25, 1):04d}",
            "opened_at": made,
            "first_detected_at": window,
            "severity": severity,
            "seen": severity,
            "told": severity,
            "evidence_id": f"{name}-0",
            "named": '[["pressure_low_side", "low"]]',
            "sources": '["models"]',
            "last_window": window,
            "status": status,
            "level": "L3" if is_open and watched else "L1",
            "deadline": deadline,
            "breached": is_open and watched,
            "next_escalation_at": deadline if status == "OPEN" and not watched else None,
            "closed_at": None if is_open else deadline,
            "closed_because": None if is_open else "recovered",
            "labelled_at": None,
            "probable_cause": CAUSES[picks[number] % len(CAUSES)],
            "undoable": None,
            "revision": 1,
        }


def evidence_of(incident: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The alerts of an incident: one that was told, and repeats."""
    window = datetime.fromisoformat(incident["first_detected_at"])
    for number in range(EACH):
        end = (window + number * timedelta(minutes=15)).strftime(_SQLITE_TIME)
        yield {
            **{
                name: incident[name]
                for name in ("incident_id", "device_id", "site_id", "severity", "first_detected_at")
            },
            "alert_id": f"{incident['incident_id']}-{number}",
            "number": 1,
            "alert_type": "ANOMALY_SUSTAINED" if number else "ANOMALY_DETECTED",
            "title": "Suction pressure is low",
            "description": "The low side has been 28 % below its usual value since 09:15 UTC, and superheat is high.",
            "model_id": "isolation_forest_v1",
            "anomaly_score": 0.9,
            "top_contributors": '["pressure_low_mean", "superheat_mean"]',
            "alert_created_at": end,
            "suppressed": number > 0,
            "suppressed_because": "repeat" if number else None,
            "score_ids": '["a", "b"]',
            "source": "models",
            "models_flagging": 2,
            "window_end": end,
            "note": "",
            "probable_cause": incident["probable_cause"],
            **dict.fromkeys(("signs_for", "signs_against"), "[]"),
        }


def ask(folder: Path, stored: int) -> Outcome:
    """The commands, and what runs ask, of a store with ``stored`` incidents."""
    settings = Settings(data_dir=folder / "data")
    operations = Operations(settings.operations_database)
    began = time.perf_counter()
    fill(operations, settings.root / "operations.db", stored)
    CONSOLE.print(f"Stored {stored:,} incidents in {time.perf_counter() - began:.0f} s.")
    listed = {
        command: median(lambda typed=command: succeed(fridge_assets(settings, *typed.split())).seconds)  # type: ignore[misc]
        for command in COMMANDS
    }
    asked = questions(operations)
    table = Table(title=f"Seconds to an answer from {stored:,} incidents, median of {REPEATS}")
    table.add_column("question")
    table.add_column("seconds", justify="right")
    for name, seconds in (listed | asked).items():
        table.add_row(name, f"{seconds:.2f}")
    CONSOLE.print(table)
    targets = [Target(f"seconds of `{name}`", seconds, LISTED_SECONDS) for name, seconds in listed.items()]
    return {"incidents": stored, "alerts": stored * EACH, "list": listed, "questions": asked}, targets


def questions(operations: Operations) -> dict[str, float]:
    """What runs ask of the store, in seconds."""

    def summary() -> object:
        with operations.read() as connection:
            return open_summary(connection)

    def known() -> object:
        with operations.read() as connection:
            devices = connection.scalars(sa.select(incidents.c.device_id).where(is_open)).all()
            return newest_incidents(connection, devices)

    def due() -> object:
        with operations.read() as connection:
            return due_ids(connection, LATEST)

    asks = {"open_summary": summary, "newest_incidents": known, "due_ids": due}
    return {name: median(lambda question=question: seconds_of(question)) for name, question in asks.items()}  # type: ignore[misc]


def seconds_of(question: Callable[[], object]) -> float:
    """How long an answer takes."""
    started = time.perf_counter()
    question()
    return time.perf_counter() - started


def median(measure: Callable[[], float]) -> float:
    """Of several times."""
    return round(statistics.median(measure() for _ in range(REPEATS)), 3)


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; 0 when every target is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", choices=("open", "list"), help="only this part")
    given = parser.parse_args(arguments)
    parts: dict[str, Callable[[Path], Outcome]] = {
        "open": lambda folder: open_many(folder, DEVICES, FLAGGED),
        "list": lambda folder: ask(folder, STORED),
    }
    targets: list[Target] = []
    for name in [given.part] if given.part else parts:
        with tempfile.TemporaryDirectory(prefix=f"fridge-alerts-{name}-") as folder:
            results, own = parts[name](Path(folder))
        file = RESULTS / f"alerts-{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        results |= {"seed": SEED, "targets": [one._asdict() for one in own]}
        file.write_text(json.dumps(results, indent=1) + "\n")
        CONSOLE.print(f"Results: {file}.")
        targets += own
    return 1 if print_targets(targets, CONSOLE) else 0


if __name__ == "__main__":
    sys.exit(main())
