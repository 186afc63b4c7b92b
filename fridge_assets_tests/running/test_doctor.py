"""`doctor` on a data folder that was damaged: it names the damage, mends what can be mended, and nothing else."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import duckdb
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from fridge_assets.running.doctor import checks
from fridge_assets.running.instance import open_instance
from fridge_assets.running.lost_runs import LAUNCH_TAG, launch
from fridge_assets.settings import DiskSettings
from fridge_assets.stores.landing import LedgerEntry
from fridge_assets.stores.migrations import FOLDER
from fridge_assets.upkeep.doctor.check import Check, Finding, Remedy, State, broken, examine
from fridge_assets.upkeep.doctor.clock import clock_state
from fridge_assets.upkeep.doctor.folder import folder_checks, space_state
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.scenarios.contents import WALL_TIME, contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import Place, copy_of, settings_of

_ENDED = "00000000-0000-4000-8000-000000000000"
"""A run that has ended."""

_GOING = "00000000-0000-4000-8000-000000000001"
"""A run that goes on."""

_DEAD = 2**22 + 1
"""A process id above the highest that Linux gives."""


def findings(place: Place, *, fix: bool = False) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(checks(place.settings), fix=fix)}


def files(folder: Path) -> dict[str, str]:
    """Every file of ``folder`` with a hash of what is in it, and every folder."""
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in folder.rglob("*")
        # Memory that the readers of a database share, and the empty log of one that is only read.
        if not path.name.endswith("-shm") and not (path.name.endswith("-wal") and not path.stat().st_size)
    }


@pytest.fixture(scope="module")
def sound(cycled_template: Place) -> Mapping[str, Finding]:
    """What doctor finds in a folder that nobody damaged."""
    return findings(cycled_template)


# --- the damages


def a_clean_file(place: Place, number: int = 0) -> Path:
    rows = place.query("SELECT path FROM clean_reading_files ORDER BY path")
    return place.warehouse.clean_readings_folder() / str(rows[number][0])


def a_landing_file(place: Place) -> Path:
    return min(place.settings.landing_dir.glob("*.parquet"))


def killed(code: str, *arguments: object) -> None:
    """Run ``code`` in a process that ends as a killed one does: without closing anything."""
    program = f"import os, sys\n{code}\nos._exit(9)"
    assert subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=False).returncode == 9


def leave_temporary_files(place: Place) -> None:
    for folder in (place.settings.landing_dir, place.settings.published_dir, place.settings.models_dir / "training"):
        (folder / f".x.parquet.{_DEAD}.tmp").write_bytes(b"half")
    (place.settings.models_dir / ".new-abc").mkdir()
    (place.settings.models_dir / ".new-abc" / "model.json").write_text("{")


def leave_a_launch_lock(place: Place) -> None:
    folder = place.settings.dagster_home / "launches"
    folder.mkdir(exist_ok=True)
    (folder / "abc.lock").touch()


def leave_a_started_run(place: Place) -> None:
    with open_instance(place.settings) as instance:
        instance.add_run(
            dg.DagsterRun("publish", run_id="lost-run", status=dg.DagsterRunStatus.STARTED, tags={LAUNCH_TAG: "gone"})
        )


def leave_a_held_slot(place: Place) -> None:
    with open_instance(place.settings) as instance:
        instance.add_run(dg.DagsterRun("score_hourly", run_id=_ENDED, status=dg.DagsterRunStatus.FAILURE))
        instance.event_log_storage.initialize_concurrency_limit_to_default("isolation_forest_scores")
        claim = instance.event_log_storage.claim_concurrency_slot(
            "isolation_forest_scores", _ENDED, "isolation_forest_scores"
        )
        assert claim.is_claimed


def leave_an_uncommitted_file(place: Place) -> None:
    committed = a_clean_file(place)
    shutil.copy(committed, committed.with_name("0000-0.parquet"))


def leave_a_loading_entry(place: Place) -> None:
    committed = place.landing.ledger()[a_landing_file(place).name]
    place.landing.record(
        [
            LedgerEntry(
                committed.file_name,
                committed.size_bytes,
                committed.modified_at,
                "loading",
                committed.recorded_at,
                "batch",
            )
        ]
    )


def lose_the_ledger_of_a_file(place: Place) -> None:
    place.landing.forget([a_landing_file(place).name])


def lose_a_clean_file(place: Place) -> None:
    a_clean_file(place, -1).unlink()


def cut_a_clean_file(place: Place) -> None:
    os.truncate(a_clean_file(place, -1), 1000)


def leave_an_interpretation(place: Place) -> None:
    (place.settings.landing_dir / ".june.csv.reading.json").write_text("{}")


def leave_a_log_of_the_warehouse(place: Place) -> None:
    insert = "INSERT INTO repeated_events (event_id, timestamp_utc) VALUES ('e', now())"
    killed(
        f"import duckdb\nc = duckdb.connect(sys.argv[1])\nc.execute('CHECKPOINT')\nc.execute(\"{insert}\")\n"
        "c.execute('DELETE FROM repeated_events')",
        place.settings.warehouse_file,
    )


def leave_a_log_of_the_operations_store(place: Place) -> None:
    killed(
        "import sqlite3\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute(\"INSERT INTO pulse VALUES ('x', '2026-01-01 00:00:00.000000')\")\nc.execute('DELETE FROM pulse')",
        place.root / "operations.db",
    )


def take_the_warehouse_back_a_release(place: Place) -> None:
    with duckdb.connect(str(place.settings.warehouse_file)) as connection:
        connection.execute("ALTER TABLE score_runs DROP COLUMN seconds")
        connection.execute("UPDATE warehouse_schema SET digest = 'of an earlier release'")


def take_settings_out_of_dagster_yaml(place: Place) -> None:
    file = place.settings.dagster_home / "dagster.yaml"
    kept = [line for line in file.read_text().splitlines() if "max_runtime_seconds" not in line]
    text = "\n".join(kept)
    file.write_text(text[: text.index("retention:")].replace("max_concurrent_runs: 6", "max_concurrent_runs: 4"))


def change_a_published_file(place: Place) -> None:
    (place.settings.published_dir / "site_status.parquet").write_bytes(b"half a file")


def publish_an_older_state(place: Place) -> None:
    with place.warehouse.transaction() as connection:
        connection.execute("UPDATE site_status SET open_alerts = open_alerts + 1")


def change_a_model(place: Place) -> None:
    next(place.artifact("isolation_forest", "model").iterdir()).write_bytes(b"x")


def lose_a_model(place: Place) -> None:
    shutil.rmtree(place.artifact("isolation_forest", "model").parents[2])


def spoil_the_registry(place: Place) -> None:
    (place.root / "device_registry.csv").write_text("device_id\nd1\n")


def spoil_the_operations_store(place: Place) -> None:
    (place.root / "operations.db").write_bytes(b"not a database" * 100)


def spoil_pages_of_the_operations_store(place: Place) -> None:
    with (place.root / "operations.db").open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 40_000)


def spoil_the_warehouse(place: Place) -> None:
    place.settings.warehouse_file.write_bytes(b"x" * 10_000)


def cut_the_warehouse(place: Place) -> None:
    os.truncate(place.settings.warehouse_file, place.settings.warehouse_file.stat().st_size - 300_000)


def spoil_dagsters_runs(place: Place) -> None:
    (place.settings.dagster_home / "history" / "runs.db").write_bytes(b"not a database" * 100)


def spoil_dagsters_settings(place: Place) -> None:
    (place.settings.dagster_home / "dagster.yaml").write_text("telemetry: [")


@dataclass(frozen=True)
class Damage:
    """Something that a folder suffers.

    Args:
        what: the check that names it.
        suffer: does it.
        said: words of the finding.
        touched: beginnings of the paths that mending may change besides what the damage itself had changed.
        settled: whether the folder is as before once it is mended.
    """

    what: str
    suffer: Callable[[Place], None]
    said: str
    touched: tuple[str, ...] = ()
    settled: bool = True


MENDED = [
    Damage("temporary files", leave_temporary_files, " and 1 more left behind by killed programs"),
    Damage("launch locks", leave_a_launch_lock, "abc.lock left behind", touched=("dagster/launches",)),
    Damage("lost runs", leave_a_started_run, "lost-run of a killed program", touched=("dagster/",)),
    Damage("held slots", leave_a_held_slot,
           f"isolation_forest_scores of score_hourly ({_ENDED}, failure) holds isolation_forest_scores",
           touched=("dagster/",), settled=True),
    Damage("uncommitted readings", leave_an_uncommitted_file, "0000-0.parquet"),
    Damage("ingest ledger", leave_a_loading_entry, "1 marked as being ingested while no", ("operations.db",)),
    Damage("ingest ledger", lose_the_ledger_of_a_file, "1 in the warehouse and not in the ledger", ("operations.db",)),
    Damage("clean readings", lose_a_clean_file, "is missing, with ", ("operations.db", "warehouse"), False),
    Damage("clean readings", cut_a_clean_file, "is cut off", ("operations.db", "warehouse"), False),
    Damage("interpretations", leave_an_interpretation, ".june.csv.reading.json without the landing file"),
    Damage("warehouse log", leave_a_log_of_the_warehouse, "warehouse.duckdb.wal (", ("warehouse.duckdb",)),
    Damage("operations log", leave_a_log_of_the_operations_store, "operations.db-wal (", ("operations.db",)),
    Damage("warehouse", take_the_warehouse_back_a_release, "written by another release", ("warehouse.duckdb",)),
    Damage("dagster settings", take_settings_out_of_dagster_yaml, "lacks run_monitoring.max_runtime_seconds, retention",
           ("dagster/dagster.yaml",)),
    Damage("published files", change_a_published_file, "site_status.parquet cannot be read"),
    Damage("published files", publish_an_older_state, "differs from the warehouse in 2 rows", ("published/",), False),
]  # fmt: skip

NAMED = [
    Damage("model isolation_forest", change_a_model, "differ from what was written in training"),
    Damage("model isolation_forest", lose_a_model, "the files of 1.0.0 are gone"),
    Damage("device registry", spoil_the_registry, "has no column site_id"),
    Damage("operations store", spoil_the_operations_store, "is damaged: file is not a database"),
    Damage("operations store", spoil_pages_of_the_operations_store, "is damaged: "),
    Damage("warehouse", spoil_the_warehouse, "cannot be used"),
    Damage("warehouse", cut_the_warehouse, "is cut off"),
    Damage("dagster databases", spoil_dagsters_runs, "runs.db is damaged"),
    Damage("dagster settings", spoil_dagsters_settings, "dagster.yaml cannot be read"),
]


def name_of(damage: Damage) -> str:
    return damage.suffer.__name__


# --- what doctor does about them


@pytest.mark.parametrize("damage", MENDED, ids=name_of)
def test_damage_is_named_and_mended_and_nothing_else_is_changed(
    damage: Damage, cycled: Place, sound: Mapping[str, Finding]
) -> None:
    before = files(cycled.root)
    damage.suffer(cycled)
    damaged = files(cycled.root)
    found = {finding.what: finding for finding in differing(findings(cycled), sound)}
    named = found.pop(damage.what)
    assert (named.verdict in ("note", "broken"), bool(named.remedy)) == (True, True)
    assert damage.said in named.detail
    assert all("not looked at" in other.detail for other in found.values())
    assert files(cycled.root) == damaged, "a look changes nothing"
    mended = differing(findings(cycled, fix=True), sound)
    assert [(finding.what, finding.verdict) for finding in mended] == [(damage.what, "mended")]
    after = files(cycled.root)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    suffered = {path for path in before.keys() | damaged.keys() if before.get(path) != damaged.get(path)}
    assert {path for path in changed - suffered if not path.startswith(damage.touched)} == set()
    if damage.settled:
        assert changed <= {path for path in after if path.startswith(damage.touched)}
    assert not differing(findings(cycled, fix=True), sound), "once is enough"


@pytest.mark.parametrize("damage", NAMED, ids=name_of)
def test_damage_that_only_people_can_mend_is_named_with_what_to_do_and_left_alone(
    damage: Damage, cycled: Place, sound: Mapping[str, Finding]
) -> None:
    damage.suffer(cycled)
    damaged = files(cycled.root)
    found = {finding.what: finding for finding in differing(findings(cycled, fix=True), sound)}
    assert (found[damage.what].verdict, found[damage.what].remedy) == ("broken", None)
    assert damage.said in found[damage.what].detail
    others = {finding.verdict for name, finding in found.items() if name != damage.what}
    assert others <= {"note"}, "what cannot be looked at because of it is not broken itself"
    assert files(cycled.root) == damaged


def readings_after_the_next_hour(place: Place) -> list[str]:
    """What the tables of readings hold once another hour was delivered and run, as hashes."""
    place.deliver(FIRST_HOUR + 1)
    assert place.run_hourly(FIRST_HOUR + 1).success
    readings = ("clean_sensor_readings", "quarantined_readings", "repeated_events", "device_last_seen", "due_windows")
    found = contents(place, WALL_TIME)
    return [found[name] for name in readings]


@pytest.fixture(scope="module")
def undisturbed_readings(cycled_template: Place, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return readings_after_the_next_hour(copy_of(cycled_template, tmp_path_factory.mktemp("undisturbed") / "data"))


@pytest.mark.parametrize("damage", [lose_a_clean_file, cut_a_clean_file])
def test_readings_that_were_lost_come_again_with_the_next_run(
    damage: Callable[[Place], None], cycled: Place, undisturbed_readings: list[str]
) -> None:
    damage(cycled)
    assert findings(cycled, fix=True)["clean readings"].verdict == "mended"
    assert readings_after_the_next_hour(cycled) == undisturbed_readings


def differing(found: Mapping[str, Finding], sound: Mapping[str, Finding]) -> list[Finding]:
    """Findings whose verdict is another than in a sound folder."""
    return [finding for what, finding in found.items() if finding.verdict != sound[what].verdict]


# --- what it leaves alone, and what it is told


def test_a_look_at_a_folder_that_does_not_exist_creates_nothing(tmp_path: Path) -> None:
    code, said, error = typed(tmp_path / "none", "doctor")
    assert (code, error) == (0, "")
    assert "does not exist: check --data-dir" in said
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_would_be_mended_mends_it_and_then_exits_with_0(cycled: Place) -> None:
    leave_a_started_run(cycled)
    code, said, _ = typed(cycled.root, "doctor")
    assert code == 1
    assert "doctor --fix ends it as failed" in said
    code, said, _ = typed(cycled.root, "doctor", "--fix")
    assert code == 0
    assert "still counts as going; mended, now: none" in said
    assert {finding["verdict"] for finding in json.loads(typed(cycled.root, "doctor", "--json")[1])} <= {"ok", "note"}


def test_what_programs_at_work_are_writing_is_left_alone(cycled: Place, sound: Mapping[str, Finding]) -> None:
    (cycled.settings.landing_dir / f".x.csv.{os.getpid()}.tmp").write_text("half")
    with open_instance(cycled.settings) as instance, launch(instance) as tags:
        instance.add_run(
            dg.DagsterRun("score_hourly", run_id=_GOING, status=dg.DagsterRunStatus.STARTED, tags=dict(tags))
        )
        leave_an_uncommitted_file(cycled)
        leave_a_loading_entry(cycled)
        before = files(cycled.root)
        assert not differing(findings(cycled, fix=True), sound)
        assert files(cycled.root) == before


def test_who_holds_the_warehouse_is_named(cycled: Place) -> None:
    script = "import duckdb, sys, time\nc = duckdb.connect(sys.argv[1])\nprint('held', flush=True)\ntime.sleep(60)"
    place = Place(settings_of(cycled.root, timedelta(milliseconds=200)))
    words = [sys.executable, "-c", script, str(place.settings.warehouse_file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            found = findings(place)
        finally:
            holder.kill()
    assert found["warehouse"].verdict == "broken"
    assert f"(process {holder.pid})" in found["warehouse"].detail
    assert found["clean readings"].detail == "not looked at, since warehouse cannot be used"


def test_an_operations_store_of_an_earlier_release_is_brought_up_to_date(tmp_path: Path) -> None:
    place = Place(settings_of(tmp_path))
    with sa.create_engine(place.settings.operations_database).begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(FOLDER))
        command.upgrade(config, "0004")
    before = files(tmp_path)
    found = findings(place)
    assert "its tables are at step 0004" in found["operations store"].detail
    assert found["operations store"].remedy == "brings it up to date"
    assert found["messages"].detail.startswith("not looked at, since ")
    assert files(tmp_path) == before
    mended = findings(place, fix=True)
    assert (mended["operations store"].verdict, mended["messages"].verdict) == ("mended", "ok")


def looked_at_and_mended(root: Path, user: int, answer: Connection) -> None:
    os.setuid(user)
    (check,) = (check for check in folder_checks(settings_of(root), lambda: False) if check.what == "access to files")
    answer.send([*examine([check]), *examine([check], fix=True)])


def test_files_that_this_user_may_not_write_are_named_and_opened_by_their_owner() -> None:
    user = os.getuid() or 65534  # root may read and write every file
    # Not in a folder of this test, where another user may not go.
    with TemporaryDirectory() as name:
        root = Path(name)
        (root / "landing").mkdir()
        (root / "device_registry.csv").write_text("device_id,site_id\n")
        for path in (root, *root.iterdir()):
            os.chown(path, user, -1)
        (root / "landing").chmod(0)
        (root / "device_registry.csv").chmod(0)
        receiver, sender = get_context("fork").Pipe(duplex=False)
        process = get_context("fork").Process(target=looked_at_and_mended, args=(root, user, sender))
        process.start()
        found, mended = receiver.recv()
        process.join()
    assert (found.verdict, found.remedy) == ("broken", "gives the owner access")
    assert found.detail == "landing, device_registry.csv cannot be read or written by this user"
    assert (mended.verdict, mended.detail.endswith("now: all files can be read and written")) == ("mended", True)


def test_a_check_that_breaks_is_a_finding(tmp_path: Path) -> None:
    def look() -> State:
        raise ZeroDivisionError("division by zero\nand more")

    assert list(examine([Check("sums", look), Check("more", look, needs=("sums",))])) == [
        Finding("sums", "broken", "ZeroDivisionError: division by zero"),
        Finding("more", "note", "not looked at, since sums cannot be used"),
    ]


def test_a_remedy_that_fails_is_told_and_what_it_does_not_mend_stays_broken() -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error", "/disk/file")

    checks_of = [
        Check("a", lambda: broken("a is broken", Remedy("mends it", fail))),
        Check("b", lambda: broken("b is broken", Remedy("mends it", lambda: None))),
    ]
    assert list(examine(checks_of, fix=True)) == [
        Finding("a", "broken", "a is broken; it could not be mended: /disk/file: Input/output error"),
        Finding("b", "broken", "b is broken", "mends it"),
    ]


def test_a_full_disk_is_named_whatever_a_library_makes_of_it(tmp_path: Path) -> None:
    def look() -> State:
        raise sqlite3.OperationalError("database or disk is full")

    (found,) = examine([Check("lost runs", look)], place=tmp_path)
    assert found.verdict == "broken"
    assert found.detail.startswith(f"{tmp_path} cannot be written: its disk is full")


@pytest.mark.parametrize(
    ("free", "verdict", "said"),
    [(2**20, "broken", "1.0 MiB free on the disk of /data, and a run does not begin below 100.0 MiB"),
     (2**31, "note", "2.0 GiB free on the disk of /data; free some there"),
     (2**34, "ok", "16.0 GiB free on the disk of /data")],
)  # fmt: skip
def test_a_disk_that_is_nearly_full_is_named_before_it_is_full(free: int, verdict: str, said: str) -> None:
    state = space_state(free, Path("/data"), DiskSettings())
    assert (state.verdict, state.detail.startswith(said)) == (verdict, True)


def test_a_clock_that_was_set_back_is_noticed_by_what_was_written_before() -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    written = [("the last pulse of the automation was felt", now + timedelta(hours=2))]
    assert clock_state(now, written, now).verdict == "note"
    assert "2 h from now: this clock was set back" in clock_state(now, written, now).detail
    assert clock_state(now - timedelta(minutes=3), [(written[0][0], None)], now).verdict == "ok"
