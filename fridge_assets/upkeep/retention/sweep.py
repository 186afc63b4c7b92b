"""Removing what is older than its policy allows: every subject on its own, so that none waits for another."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from fridge_assets.core.errors import FridgeError
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.settings import Settings
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.upkeep.retention import files, model_files, tables
from fridge_assets.upkeep.retention.policies import FOLDERS, OPERATIONS_TABLES, WAREHOUSE_TABLES, Policy
from fridge_assets.upkeep.retention.report import RunHistory, Sweep, Swept

_Step = Callable[[Sweep, Swept], None]
_LEFTOVERS = Policy("leftovers", "only killed programs leave them")


def _sweep_runs(sweep: Sweep, swept: Swept) -> None:
    for run_id in sweep.runs.ended_before(sweep.now - swept.kept_for):
        swept.rows += 1
        if not sweep.dry:
            swept.bytes += sweep.runs.delete(run_id)


STEPS: Mapping[str, tuple[Policy, _Step]] = {
    # The ledger after the landing files, so that what goes today is forgotten today if it is old enough.
    "landing": (FOLDERS["landing"], files.sweep_landing),
    "ingest_ledger": (OPERATIONS_TABLES["ingest_ledger"], files.sweep_ledger),
    "warehouse/clean_sensor_readings": (FOLDERS["warehouse/clean_sensor_readings"], files.sweep_clean_readings),
    "clean readings of interrupted batches": (_LEFTOVERS, files.sweep_orphans),
    **{table: (policy, tables.sweep_table) for table, policy in WAREHOUSE_TABLES.items() if policy.age_column},
    "warehouse/spill": (FOLDERS["warehouse/spill"], files.sweep_folder),
    "incidents": (OPERATIONS_TABLES["incidents"], tables.sweep_incidents),
    # The rows have gone with their incidents; these are the files.
    "work_orders": (FOLDERS["work_orders"], files.sweep_folder),
    "outbox": (OPERATIONS_TABLES["outbox"], tables.sweep_messages),
    "incident_groups": (OPERATIONS_TABLES["incident_groups"], tables.sweep_groups),
    "silences": (OPERATIONS_TABLES["silences"], tables.sweep_silences),
    "stream_files": (OPERATIONS_TABLES["stream_files"], files.sweep_stream_ledger),
    "stream_status": (OPERATIONS_TABLES["stream_status"], tables.sweep_streams),
    "streaming/dead_letters": (FOLDERS["streaming/dead_letters"], files.sweep_folder),
    "models/artifacts": (FOLDERS["models/artifacts"], model_files.sweep_versions),
    "models/training": (FOLDERS["models/training"], model_files.sweep_snapshots),
    "dagster/history": (FOLDERS["dagster/history"], _sweep_runs),
    "dagster/storage": (FOLDERS["dagster/storage"], files.sweep_folder),
    "dagster/logs": (FOLDERS["dagster/logs"], files.sweep_folder),
    "dagster/launches": (FOLDERS["dagster/launches"], files.sweep_launches),
    "replays": (FOLDERS["replays"], files.sweep_replays),
    "temporary files": (_LEFTOVERS, files.sweep_temporary_files),
}
"""Subject → its policy and what removes it, in this order."""


def sweep(
    settings: Settings,
    warehouse: Warehouse,
    operations: Operations,
    models: ModelLifecycle,
    runs: RunHistory,
    now: datetime,
    *,
    wall_time: datetime,
    dry: bool = False,
) -> list[Swept]:
    """Remove what is older than its policy allows; doing it again removes nothing more.

    Every store is changed in short transactions of its own, so that scoring never waits long. What cannot be removed is
    said, and everything else is removed all the same.

    Args:
        settings: the data folder, and how long what is kept.
        warehouse: analytics tables and clean readings.
        operations: alerts, messages and the ingest ledger.
        models: versions and where they stand.
        runs: the history of runs.
        now: the moment that ages are counted from.
        wall_time: the actual time.
        dry: only look.

    Returns:
        One entry per subject.

    Raises:
        FridgeError: ``now`` lies in the future, where everything would be too old; or the warehouse, which tells the
            moment of the newest reading, cannot be read.
    """
    if now > wall_time and not dry:
        raise FridgeError(
            f"{now.isoformat()} lies in the future", "Name a moment that has been, or only look with --dry-run."
        )
    with warehouse.read() as connection:
        newest = connection.execute("SELECT max(last_reading_at) FROM device_last_seen").fetchall()[0][0]
    data_now = now if newest is None else min(now, newest.astimezone(UTC))
    landing = Landing(settings.landing_dir, operations)
    work = Sweep(settings, warehouse, operations, landing, models, runs, now, data_now, dry)
    return [_swept(work, subject, policy, step) for subject, (policy, step) in STEPS.items()]


def _swept(work: Sweep, subject: str, policy: Policy, step: _Step) -> Swept:
    kept_for = policy.kept_for(work.settings.retention)
    assert kept_for is not None, subject
    swept = Swept(subject, kept_for)
    try:
        step(work, swept)
    except Exception as error:
        # Whatever it is: it is told, and it keeps nothing else from being swept.
        swept.problems.append(str(error) or type(error).__name__)
    return swept


def problems(report: list[Swept]) -> list[str]:
    """What could not be removed, a sentence each."""
    return [f"{swept.subject}: {problem}" for swept in report for problem in swept.problems]
