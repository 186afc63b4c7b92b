"""The folder that a replay works in: what the fleet knew before the first replayed hour, and no store of it.

It is a data folder like any other, for a look with every command. Readings and model files are links, which cost
nothing and let nobody change the originals; the features of a day before are copied, since models fill gaps and look at
days; the hours themselves are computed anew from the readings that had arrived by then.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from fridge_assets.core.errors import FridgeError
from fridge_assets.deployment.decide import Proof, Request, promote, roll_back, unpin
from fridge_assets.deployment.state import Deployment
from fridge_assets.deployment.store import Deployments
from fridge_assets.diagnosis.causes import CAUSES_FILE
from fridge_assets.models.families import FAMILIES
from fridge_assets.readings.commit import due_windows_sql
from fridge_assets.readings.ranges import RANGES_FILE
from fridge_assets.registry.devices import REGISTRY_FILES
from fridge_assets.replay.change import Change, changed_settings
from fridge_assets.replay.folder import MARKER
from fridge_assets.replay.span import HOUR, hourly_moment
from fridge_assets.settings import Settings
from fridge_assets.stores.files import writable_folder
from fridge_assets.stores.frames import query_arrow, registered, text_literal
from fridge_assets.stores.operations import (
    Operations,
    deployment_decisions,
    label_events,
    outbox,
    silences,
    work_orders,
)
from fridge_assets.stores.reading_files import CleanFile, commit_clean_files
from fridge_assets.stores.warehouse import Warehouse

_NOBODY = "nobody: this is a replay"
_COPIED = (deployment_decisions, silences, label_events)
"""What people have decided: it holds in a replay as it does now."""


def scratch_settings(live: Settings, folder: Path, change: Change) -> Settings:
    """Settings of the scratch folder: those of the fleet with ``change``, but no store of it.

    A model registry on a server is read where it is.
    """
    return changed_settings(live, change).model_copy(update={"data_dir": folder, "operations_url": ""})


def fill_scratch(live: Settings, scratch: Settings, hours: Sequence[datetime], change: Change) -> None:
    """Bring into the scratch folder what replaying ``hours`` needs; a few seconds for a large fleet.

    Args:
        live: the fleet's settings; its stores are only read.
        scratch: what :func:`scratch_settings` gave; its folder is created.
        hours: full hours, oldest first.
        change: versions that score instead of those that serve now.
    """
    root = writable_folder(scratch.root)
    (root / MARKER).write_text(
        json.dumps({"of": str(live.root), "from": hours[0], "to": hours[-1], "with": change.said}, default=str)
    )
    for name in (*REGISTRY_FILES, RANGES_FILE, CAUSES_FILE):
        if (live.root / name).exists():
            shutil.copy2(live.root / name, root / name)
    _bring_models(live, scratch)
    _bring_decisions(live, scratch, change)
    # Windows that closed in the hour before the first run are its work, as they are on any other day.
    first, last = hours[0] - HOUR, hourly_moment(hours[-1])
    source, target = Warehouse.from_settings(live), Warehouse.from_settings(scratch)
    _bring_features(source, target, first - _memory(live), first)
    _bring_readings(source, target, first, last, live)


def settle_messages(operations: Operations) -> None:
    """Note that what the replay had to say goes to nobody, whoever looks at its folder later."""
    with operations.transaction() as connection:
        connection.execute(sa.update(outbox).where(outbox.c.status == "pending").values(status="superseded"))
        handed = {"delivered_revision": work_orders.c.revision, "delivered_to": _NOBODY}
        connection.execute(sa.update(work_orders).values(handed))


def _memory(settings: Settings) -> timedelta:
    """How far before the first window features are looked at by what decides about alerts."""
    features, scoring = settings.features, settings.scoring
    return max(features.interval_span, scoring.imputation_memory, settings.dbscan.day, settings.fleet.trend_span)


def _bring_models(live: Settings, scratch: Settings) -> None:
    database = live.root / "mlflow.db"
    if not live.mlflow_uri and database.exists():
        with (
            closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(scratch.root / "mlflow.db")) as target,
        ):
            source.backup(target)
    artifacts = live.models_dir / "artifacts"
    if artifacts.is_dir():
        shutil.copytree(artifacts, scratch.models_dir / "artifacts", copy_function=_link)


def _bring_decisions(live: Settings, scratch: Settings, change: Change) -> None:
    source = Operations(live.operations_database, live.operations.lock_wait)
    target = Operations(scratch.operations_database, scratch.operations.lock_wait)
    with source.read() as given, target.transaction() as own:
        for table in _COPIED:
            rows: list[dict[str, Any]] = [dict(row) for row in given.execute(sa.select(table)).mappings()]
            if rows:
                own.execute(sa.insert(table), rows)
    for family, version in change.versions.items():
        _let_score(Deployments(target), family, version)


def _let_score(deployments: Deployments, family: str, version: str) -> None:
    """Have ``version`` score everywhere, proven or not."""
    request = Request("replay", max(past.occurred_at for past in deployments.history(family)), "compared by a replay")
    proof = Proof(passed=True, said="a replay may try any version")
    if deployments.of(family).pinned:
        deployments.decide(family, lambda state, _: unpin(state, request))
    if deployments.of(family).rollout:
        deployments.decide(family, lambda state, _: roll_back(state, request))
    if deployments.of(family).released != version:
        deployments.decide(family, lambda state, _: promote(state, version, request, proof))


def _bring_features(source: Warehouse, target: Warehouse, since: datetime, until: datetime) -> None:
    """Features of windows that ended by ``until``, an hour at a time, so that no writer waits long."""
    while since < until:
        span = {"since": since, "until": min(since + HOUR, until)}
        _copy(source, target, "device_features", "window_end > $since AND window_end <= $until", span)
        since += HOUR


def _bring_readings(source: Warehouse, target: Warehouse, first: datetime, last: datetime, settings: Settings) -> None:
    """Readings between two moments as links, and the windows that they make due."""
    span = {"since": first, "until": last}
    for table in ("device_last_seen", "device_first_seen"):
        _copy(source, target, table, "true", {})
    _copy(source, target, "repeated_events", "timestamp_utc >= $since AND timestamp_utc <= $until", span)
    with source.read() as connection:
        found = connection.execute(
            "SELECT path, hour, batch_id, rows FROM clean_reading_files WHERE hour >= date_trunc('hour', $since) "
            "AND hour <= $until ORDER BY hour, path",
            span,
        ).fetchall()
    files = [CleanFile(*row) for row in found]
    given, own = source.clean_readings_folder(), target.clean_readings_folder()
    for file in files:
        writable_folder((own / file.path).parent)
        _link(given / file.path, own / file.path)
    if not files:
        return
    paths = ", ".join(text_literal(str(own / file.path)) for file in files)
    arrivals = (
        f"SELECT device_id, timestamp_utc, timestamp_ingested FROM read_parquet([{paths}], hive_partitioning = false) "
        "WHERE timestamp_utc >= $since"
    )
    seconds = {
        "window": int(settings.features.window.total_seconds()),
        "lateness": int(settings.readings.allowed_lateness.total_seconds()),
    }
    with target.engine() as engine:
        due = query_arrow(engine, due_windows_sql(arrivals), {**seconds, "since": first})
    with target.transaction() as connection, registered(connection, due=due):
        commit_clean_files(connection, files)
        connection.execute("INSERT INTO due_windows BY NAME SELECT * FROM due")


def _copy(source: Warehouse, target: Warehouse, table: str, where: str, parameters: dict[str, Any]) -> None:
    with source.read() as given:
        rows = query_arrow(given, f"SELECT * FROM {table} WHERE {where}", parameters)
    with target.transaction() as own, registered(own, rows=rows):
        own.execute(f"INSERT INTO {table} BY NAME SELECT * FROM rows")


def _link(source: str | Path, target: str | Path) -> None:
    """Another name for a file, symbolic on another disk: whoever removes it leaves the original alone."""
    try:
        os.link(source, target)
    except OSError:
        os.symlink(Path(source).absolute(), target)


def released_families(deployments: Deployments) -> dict[str, Deployment]:
    """Where the versions of every family stand.

    Raises:
        FridgeError: no family has a release, so that there is nothing to replay.
    """
    states = {family: deployments.of(family) for family in FAMILIES}
    if not any(state.production for state in states.values()):
        raise FridgeError("no model is released, so there is nothing to replay", "Train one: `fridge-assets train`.")
    return states


def require_empty(folder: Path) -> None:
    """Refuse to replay into a folder that holds something.

    Raises:
        FridgeError: it does.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FridgeError(f"{folder} is not an empty folder", "Name another one with --keep.")
