"""Nobody adds a table, a folder or a setting without deciding how long it is kept."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from fridge_assets.core.errors import FridgeError
from fridge_assets.models.families import FAMILIES
from fridge_assets.scoring.score import scores_table
from fridge_assets.settings import RetentionSettings, Settings
from fridge_assets.upkeep.retention.policies import FILES, FOLDERS, OPERATIONS_TABLES, WAREHOUSE_TABLES
from fridge_assets.upkeep.retention.sweep import STEPS
from fridge_assets_tests.scenarios.small_fleet import Place
from fridge_assets_tests.upkeep.retention.given import Folder

POLICIES = {**WAREHOUSE_TABLES, **OPERATIONS_TABLES, **FOLDERS, **FILES}


def test_every_table_of_the_warehouse_has_a_policy(folder: Folder) -> None:
    with folder.warehouse.read() as connection:
        there = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert there | {scores_table(family) for family in FAMILIES} == set(WAREHOUSE_TABLES)


def test_the_age_of_a_row_is_in_a_column_that_its_table_has(folder: Folder) -> None:
    own = {scores_table(family) for family in FAMILIES}  # the columns of model_scores, from the first scores on
    with folder.warehouse.read() as connection:
        for table, policy in WAREHOUSE_TABLES.items():
            if policy.age_column and table not in own:
                connection.execute(f"SELECT {policy.age_column} < now() FROM {table}")


def test_every_table_of_the_operations_store_has_a_policy(folder: Folder) -> None:
    with folder.operations.read() as connection:
        assert set(sa.inspect(connection).get_table_names()) == set(OPERATIONS_TABLES)


def test_every_folder_and_file_of_a_fleet_that_was_trained_and_scored_has_a_policy(cycled: Place) -> None:
    unknown = []
    for path in sorted(path for path in cycled.root.rglob("*") if path.is_file()):
        name = path.relative_to(cycled.root)
        inside = any(name.is_relative_to(folder) for folder in FOLDERS)
        database = name.as_posix().removesuffix("-wal").removesuffix("-shm").removesuffix(".wal")
        if not (inside or database in FILES or name.parts[0] == "later" or name.name == ".registry.lock"):
            unknown.append(name.as_posix())
    assert unknown == []


def test_what_is_not_kept_for_ever_is_swept_by_a_setting_and_every_setting_is_used() -> None:
    swept = {policy.setting for policy, _ in STEPS.values()}
    spans = {name for name, kind in RetentionSettings.model_fields.items() if kind.annotation is not int}
    assert swept == spans
    # With incidents, the outbox, the files, the ledger.
    together = {
        "incident_events",
        "alert_evidence",
        "outbox_subjects",
        "outbox_deliveries",
        "clean_reading_files",
        "ingest_batches",
    }
    expiring = {subject for subject, policy in POLICIES.items() if policy.setting}
    assert expiring - together <= set(STEPS)
    assert all(len(policy.why) > 4 or policy.why == "yours" for policy in POLICIES.values())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"retention": {"features": "P20D"}}, r"FRIDGE_RETENTION__FEATURES is 20 days and must be 29 or more.*P29D"),
        ({"retention": {"scores": "P28D"}}, r"FRIDGE_RETENTION__SCORES is 28 days and must be 29 or more"),
        ({"training": {"history": "P120D"}}, r"FRIDGE_RETENTION__FEATURES is 90 days and must be 121 or more"),
        ({"retention": {"landing": "P100D"}}, r"FRIDGE_RETENTION__LEDGER is 90 days and must be 100 or more"),
    ],
)
def test_a_setting_that_would_remove_what_is_still_needed_is_refused(
    changed: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(FridgeError, match=said):
        Settings.model_validate({"data_dir": tmp_path, **changed})
