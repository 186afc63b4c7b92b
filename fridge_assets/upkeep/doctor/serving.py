"""What people and other programs look at: scores, the stream, and the published snapshots."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fridge_assets.contracts import DEVICE_STATUS, SITE_STATUS
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import newest_scores, serving_tier
from fridge_assets.status.reconcile import compare_published
from fridge_assets.stores.frames import query
from fridge_assets.stores.looking import ReadOnlyOperations, ReadOnlyWarehouse
from fridge_assets.stores.published import Published
from fridge_assets.streaming.status import StreamState, look, statuses
from fridge_assets.upkeep.doctor.check import Check, Remedy, State, Verdict, broken, note, ok

_OF_STREAM: dict[StreamState, Verdict] = {"alive": "ok", "off": "note", "silent": "broken"}


def serving_checks(
    settings: Settings, warehouse: ReadOnlyWarehouse, operations: ReadOnlyOperations, models: ModelLifecycle
) -> list[Check]:
    """Scores, snapshots and stream."""

    def scores() -> State:
        now = datetime.now(UTC)
        with warehouse.read() as connection:
            ages = newest_scores(connection, now, settings.features)
        if not ages:
            return note("none yet; run `fridge-assets run hourly`")
        tier = serving_tier(ages, models.deployments.paused(), now, settings.staleness)
        return ok(tier) if tier == "fresh" else note(tier)

    def stream() -> State:
        with operations.read() as connection:
            found = look(statuses(connection), datetime.now(UTC), settings.streaming)
        return State(_OF_STREAM[found.state], found.line)

    published = Published(settings.published_dir)
    return [
        Check("scores", scores, needs=("warehouse", "operations store")),
        Check("published files", lambda: _published(published, warehouse), needs=("warehouse",)),
        Check("stream", stream, needs=("operations store",)),
    ]


def _published(published: Published, warehouse: ReadOnlyWarehouse) -> State:
    wrong: list[str] = []
    stored = {}
    with warehouse.read() as connection:
        for contract in (DEVICE_STATUS, SITE_STATUS):
            stored[contract] = query(connection, f"SELECT * FROM {contract.name} ORDER BY {contract.key[0]}")
    others = [path for path in sorted(published.folder.glob("*.parquet")) if path not in map(published.path, stored)]
    unreadable = [path.name for path in others if not _is_readable(path)]
    if unreadable:
        return broken(f"{', '.join(unreadable)} cannot be read; `fridge-assets run hourly` publishes it again")
    for contract, rows in stored.items():
        if not len(rows) and not published.path(contract).exists():
            continue
        try:
            differing = compare_published(contract, published.read(contract), rows).mismatches
        except (OSError, pa.ArrowException, KeyError) as error:
            wrong.append(f"{published.path(contract).name} cannot be read ({str(error).splitlines()[0]})")
        else:
            if differing:
                wrong.append(f"{published.path(contract).name} differs from the warehouse in {differing:,} rows")
    if not wrong:
        return ok("as the warehouse has them")

    def apply() -> None:
        for contract, rows in stored.items():
            published.bring_up_to_date(contract, rows)

    return broken("; ".join(wrong), Remedy("publishes them again", apply))


def _is_readable(path: Path) -> bool:
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return False
    return True
