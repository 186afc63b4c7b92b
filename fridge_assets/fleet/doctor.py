"""What is wrong with an installation and how to mend it: what `doctor` prints (SPEC 9)."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Literal

from fridge_assets.errors import FridgeError
from fridge_assets.fleet.registry import read_registry
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.moments import spoken
from fridge_assets.notifications.check import check_channels
from fridge_assets.notifications.outbox import counts, oldest_pending
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import newest_scores, serving_tier
from fridge_assets.stores.files import writable_folder
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.status import StreamState, look, statuses
from fridge_assets.work_orders.deliver import waiting as waiting_orders
from fridge_assets.work_orders.receivers import receiver_of

Verdict = Literal["ok", "note", "broken"]

_LIBRARIES = ("dagster", "duckdb", "scikit-learn", "torch", "pandas", "great-expectations", "mlflow-skinny")
_LITTLE_SPACE_GIB = 5
_OF_STREAM: Mapping[StreamState, Verdict] = {"alive": "ok", "off": "note", "silent": "broken"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    verdict: Verdict
    detail: str


def examine(
    warehouse: Warehouse, operations: Operations, landing: Landing, models: ModelLifecycle, settings: Settings
) -> list[Finding]:
    """Look at everything a working installation needs; one finding each, never an exception."""

    def stores() -> Finding:
        writable_folder(settings.root)
        free = shutil.disk_usage(settings.root).free / 2**30
        verdict: Verdict = "ok" if free > _LITTLE_SPACE_GIB else "note"
        return Finding("data folder", verdict, f"{settings.root} is writable, {free:.0f} GiB free")

    def registry() -> Finding:
        devices = read_registry(settings.root)
        if devices is None:
            return Finding("device registry", "note", "none; device_registry.csv in the data folder names the sites")
        return Finding("device registry", "ok", f"{len(devices):,} devices in {devices['site_id'].nunique():,} sites")

    def open_warehouse() -> Finding:
        with warehouse.read() as connection:
            rows = connection.execute("SELECT count(*) FROM device_features").fetchall()[0][0]
        return Finding("warehouse", "ok", f"opens; {rows:,} feature rows")

    def open_operations() -> Finding:
        refused = [entry for entry in landing.ledger().values() if entry.status == "refused"]
        if refused:
            return Finding("landing files", "note", f"{len(refused)} refused, for example: {refused[0].reason}")
        return Finding("landing files", "ok", "none refused")

    def clock() -> Finding:
        with warehouse.read() as connection:
            newest = connection.execute("SELECT epoch(max(last_reading_at)) FROM device_last_seen").fetchall()[0][0]
        if newest is None:
            return Finding("readings", "note", "none yet; bring some with `fridge-assets ingest FILE`")
        ahead = datetime.fromtimestamp(newest, UTC) - datetime.now(UTC)
        if ahead > timedelta(minutes=5):
            return Finding("clock", "note", f"the newest reading is {ahead} ahead of this machine; set one clock")
        return Finding("clock", "ok", f"the newest reading is {str(-ahead).split('.')[0]} old")

    def released() -> Finding:
        missing = [family for family in FAMILIES if models.deployments.of(family).released is None]
        if missing:
            return Finding("models", "note", f"{', '.join(missing)} not trained yet; run `fridge-assets train`")
        for family in FAMILIES:
            models.registry.load(models.require_serving(family))
        return Finding("models", "ok", f"{len(FAMILIES)} families released, their files unchanged")

    def freshness() -> Finding:
        with warehouse.read() as connection:
            ages = newest_scores(connection, datetime.now(UTC), settings)
        if not ages:
            return Finding("scores", "note", "none yet; run `fridge-assets run hourly`")
        tier = serving_tier(ages, models.deployments.paused(), datetime.now(UTC), settings)
        return Finding("scores", "ok" if tier == "fresh" else "note", f"{tier}")

    def stream() -> Finding:
        with operations.read() as connection:
            found = look(statuses(connection), datetime.now(UTC), settings.streaming)
        return Finding("stream", _OF_STREAM[found.state], found.line)

    def slack() -> Finding:
        found = check_channels(settings)
        broken, doubtful = [c for c in found if c.ok is False], [c for c in found if c.ok is None]
        verdict: Verdict = "broken" if broken else "note" if doubtful else "ok"
        return Finding("slack", verdict, "; ".join(f"{c.destination}: {c.detail}" for c in broken or doubtful or found))

    def messages() -> Finding:
        with operations.read() as connection:
            oldest = oldest_pending(connection)
            waiting = sum(number for (_, status), number in counts(connection).items() if status == "pending")
        now = datetime.now(UTC)
        if oldest is None or now - oldest.created_at <= settings.notifications.long_wait:
            return Finding("messages", "ok", f"{waiting:,} wait to be sent")
        why = f"; {oldest.channel} says: {oldest.last_error}" if oldest.last_error else ""
        return Finding(
            "messages",
            "note",
            f"{waiting:,} wait to be sent, the oldest for {spoken(now - oldest.created_at)}{why}; "
            "see `fridge-assets messages list --status pending`, or send them with `fridge-assets messages deliver`",
        )

    def work_orders() -> Finding:
        return _work_orders(operations, settings)

    installed = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    checks = (
        stores, registry, open_warehouse, open_operations, clock, released, freshness, stream, slack, messages,
        work_orders,
    )  # fmt: skip
    return [Finding("installation", "ok", installed), *(_tried(check) for check in checks)]


def _work_orders(operations: Operations, settings: Settings) -> Finding:
    receiver_of(settings)
    left = waiting_orders(operations)
    now = datetime.now(UTC)
    if left.since is None or now - left.since <= settings.work_orders.long_wait:
        return Finding("work orders", "ok", f"{left.orders:,} wait to be handed over")
    why = f"; {left.reason}" if left.reason else ""
    return Finding(
        "work orders",
        "note",
        f"{left.orders:,} wait to be handed over, the oldest for {spoken(now - left.since)}{why}; "
        "see `fridge-assets work-orders list`, or hand them over with `fridge-assets work-orders deliver`",
    )


def _tried(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except FridgeError as error:
        return Finding(check.__name__.replace("_", " "), "broken", str(error))
