"""Alerts in bulk: 10,000 new ones in one run, and questions to a store of a million.

``python -m fridge_assets_tests.benchmarks.alerts [--part generate|list]``, about three minutes on two cores. Exit
code 1 when a target is missed; the targets hold for the default sizes:

- generate: ``raise_alerts`` stores 10,000 new alerts of 100,000 scored devices, messages included, in under 10 seconds;
- list: ``fridge-assets alerts list``, in a process of its own and however it is filtered, answers in under 1 second
  from 1,000,000 stored alerts, Python's start included (median of 5). What runs ask the same store is printed beside.
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

from fridge_assets.alerting.run import raise_alerts
from fridge_assets.alerting.store import known_alerts, open_alert_summary
from fridge_assets.contracts import DEVICE_ALERTS, MODEL_SCORES
from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.registry.devices import with_cohort
from fridge_assets.settings import Settings
from fridge_assets.simulation import simulate_registry
from fridge_assets.stores.operations import Operations, device_alerts
from fridge_assets.stores.warehouse import Warehouse, store_changed
from fridge_assets_tests.benchmarks.hourly import CONSOLE, fridge_assets, succeed

SEED = 7
DEVICES, FLAGGED, STORED = 100_000, 10_000, 1_000_000
NOW = datetime(2026, 3, 2, 12, 4, tzinfo=UTC)
WINDOW_END = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATEST = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
"""Newest window of the store that is asked: the command knows no time but the actual one."""
FAMILIES = ("isolation_forest", "statistical_baseline")
GENERATED_SECONDS, LISTED_SECONDS = 10.0, 1.0
REPEATS = 5
RESULTS = Path("bench-results")
_MONTHS = timedelta(days=14 * 30)
_SHARES = (0.5, 0.3, 0.15, 0.05)
"""Of the severities, from LOW to CRITICAL."""
_CLOSED, _SUPPRESSED = 0.95, 0.40
_STATUSES = (("RESOLVED", "FALSE_POSITIVE"), ("OPEN", "ACKNOWLEDGED", "IN_PROGRESS"))
_SQLITE_TIME = "%Y-%m-%d %H:%M:%S.%f"

Outcome = tuple[dict[str, Any], list[str]]
"""Results, and the targets that were missed, in words."""


def generate(folder: Path, devices: int, flagged: int) -> Outcome:
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
    report = raise_alerts(warehouse, operations, registry, NOW, settings)
    seconds = time.perf_counter() - started
    new = len(report.generated.new)
    CONSOLE.print(f"Generate: {new:,} new alerts of {devices:,} scored devices in {seconds:.1f} s.")
    missed = [] if new == flagged else [f"{new:,} alerts were made of {flagged:,} flagged devices"]
    if seconds >= GENERATED_SECONDS:
        missed.append(f"{new:,} alerts took {seconds:.1f} s, the target is under {GENERATED_SECONDS:g} s")
    return {"devices": devices, "alerts": new, "seconds": round(seconds, 2)}, missed


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
                window_start=pd.Timestamp(WINDOW_END - timedelta(minutes=15)),
                window_end=pd.Timestamp(WINDOW_END),
                anomaly_score=values,
                anomaly_flag=values > 0.6,
                threshold_used=0.6,
                scored_at=pd.Timestamp(NOW - timedelta(minutes=1)),
            )
        )
    return pd.concat(frames, ignore_index=True)


def fill(operations: Operations, file: Path, alerts: int, seed: int = SEED) -> None:
    """Store ``alerts`` alerts of 14 months: most closed, many suppressed, deadlines that have passed were seen to."""
    operations.migrate()
    columns = list(DEVICE_ALERTS.column_names)
    statement = f"INSERT INTO device_alerts ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    connection = sqlite3.connect(file)
    with connection:
        connection.executemany(statement, ([row[name] for name in columns] for row in stored_rows(alerts, seed)))
    connection.close()


def stored_rows(alerts: int, seed: int) -> Iterator[dict[str, object]]:
    """Rows as SQLite stores them, oldest first."""
    rng = np.random.default_rng(seed)
    devices = max(alerts // 10, 1)
    ids, severities = rng.integers(0, devices, alerts), rng.choice(len(SEVERITIES), alerts, p=_SHARES)
    is_open, suppressed = rng.random(alerts) >= _CLOSED, rng.random(alerts) < _SUPPRESSED
    picks, scores = rng.integers(0, 6, alerts), rng.uniform(0.6, 1.0, alerts)
    hours = int(_MONTHS / timedelta(hours=1))
    for number in range(alerts):
        end = LATEST - timedelta(hours=hours - 1 - number * hours // alerts)
        window, made = end.strftime(_SQLITE_TIME), (end + timedelta(minutes=4)).strftime(_SQLITE_TIME)
        deadline = (end + timedelta(hours=4)).strftime(_SQLITE_TIME)
        watched = end + timedelta(hours=4) <= LATEST + timedelta(hours=1)
        working = bool(is_open[number]) and not suppressed[number]
        status = _STATUSES[working][picks[number] % len(_STATUSES[working])]
        yield {
            "alert_id": f"{(number * 2_654_435_761) % 2**32:08x}-{number:08x}",
            "device_id": f"device-{ids[number]:06d}",
            "site_id": f"site-{ids[number] % max(devices // 25, 1):04d}",
            "alert_type": "ANOMALY_DETECTED" if working else "ANOMALY_RESOLVED",
            "severity": SEVERITIES[severities[number]],
            "title": "Suction pressure is low",
            "description": "The low side has been 28 % below its usual value since 09:15 UTC, and superheat is high.",
            "model_id": "isolation_forest_v1",
            "anomaly_score": float(scores[number]),
            "top_contributors": '["pressure_low_mean", "superheat_mean"]',
            "first_detected_at": window,
            "alert_created_at": made,
            "suppressed": bool(suppressed[number]),
            "suppressed_because": "repeat" if suppressed[number] else None,
            "ontology_action_id": None,
            "status": status,
            "resolved_at": None if working else deadline,
            "escalation_level": "L3" if working and watched else "L1",
            "sla_deadline": deadline,
            "sla_breached": working and watched,
            "next_escalation_at": deadline if status == "OPEN" and not watched else None,
            "score_ids": '["a", "b"]',
            "source": "models",
            "models_flagging": 2,
            "window_end": window,
            "dedup_until": deadline,
            "note": "",
            "revision": 1,
        }


def ask(folder: Path, alerts: int) -> Outcome:
    """The command, and what runs ask, of a store with ``alerts`` alerts."""
    settings = Settings(data_dir=folder / "data")
    operations = Operations(settings.operations_database)
    began = time.perf_counter()
    fill(operations, settings.root / "operations.db", alerts)
    CONSOLE.print(f"Stored {alerts:,} alerts in {time.perf_counter() - began:.0f} s.")
    commands = {
        "default": (),
        "high": ("--min-severity", "HIGH"),
        "site": ("--site", "site-0003"),
        "device": ("--device", "device-000042"),
        "all": ("--all",),
    }
    listed = {
        name: median(lambda given=given: succeed(fridge_assets(settings, "alerts", "list", *given)).seconds)  # type: ignore[misc]
        for name, given in commands.items()
    }
    asked = questions(operations, settings)
    table = Table(title=f"Seconds to an answer from {alerts:,} alerts, median of {REPEATS}")
    table.add_column("question")
    table.add_column("seconds", justify="right")
    for name, seconds in listed.items():
        table.add_row(" ".join(("alerts list", *commands[name])), f"{seconds:.2f}")
    for name, seconds in asked.items():
        table.add_row(name, f"{seconds:.2f}")
    CONSOLE.print(table)
    missed = [
        f"alerts list {' '.join(commands[name])} took {seconds:.2f} s, the target is under {LISTED_SECONDS:g} s"
        for name, seconds in listed.items()
        if seconds >= LISTED_SECONDS
    ]
    return {"alerts": alerts, "list": listed, "questions": asked}, missed


def questions(operations: Operations, settings: Settings) -> dict[str, float]:
    """What runs ask of the store, in seconds."""
    columns = device_alerts.c

    def summary() -> object:
        with operations.read() as connection:
            return open_alert_summary(connection)

    def known() -> object:
        with operations.read() as connection:
            return known_alerts(connection, LATEST - settings.alerts.dedup, LATEST)

    def escalating() -> object:
        with operations.read() as connection:
            due = sa.select(columns.alert_id).where(columns.next_escalation_at < LATEST)
            return connection.execute(due.limit(1000)).all()

    asks = {"open_alert_summary": summary, "known_alerts": known, "next_escalation_at": escalating}
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
    parser.add_argument("--part", choices=("generate", "list"), help="only this part")
    given = parser.parse_args(arguments)
    parts: dict[str, Callable[[Path], Outcome]] = {
        "generate": lambda folder: generate(folder, DEVICES, FLAGGED),
        "list": lambda folder: ask(folder, STORED),
    }
    missed = []
    for name in [given.part] if given.part else parts:
        with tempfile.TemporaryDirectory(prefix=f"fridge-alerts-{name}-") as folder:
            results, failures = parts[name](Path(folder))
        file = RESULTS / f"alerts-{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"seed": SEED, **results, "missed": failures}, indent=1) + "\n")
        CONSOLE.print(f"Results: {file}.")
        missed += failures
    for line in missed:
        CONSOLE.print(f"[red]Missed:[/red] {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
