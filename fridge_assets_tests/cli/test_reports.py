"""What commands print for people and for programs, and what they leave alone (SPEC 9)."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest

from fridge_assets.models.families import FAMILIES
from fridge_assets_tests.cli.readings import write_csv
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place, copy_of, cycle_time

AS_OF = ("--as-of", cycle_time(FIRST_HOUR).isoformat())


@pytest.fixture(scope="module")
def place(cycled_template: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return copy_of(cycled_template, tmp_path_factory.mktemp("reports") / "data")


def said_json(place: Place, *words: str) -> object:
    code, said, error = typed(place.root, *words, "--json")
    assert (code, error) == (0, "")
    return json.loads(said)


def test_status_for_programs(place: Place) -> None:
    status = said_json(place, "status", *AS_OF)
    assert isinstance(status, dict)
    assert {row["family"]: (row["tier"], row["devices"], row["coverage"]) for row in status["scores"]} == {
        "isolation_forest": ("fresh", DEVICES, 1.0),
        "statistical_baseline": ("fresh", DEVICES, 1.0),
    }
    assert sum(row["devices"] for row in status["health"]) == DEVICES
    assert status["files"] == [{"status": "ingested", "files": FIRST_HOUR}]
    assert status["now"] == cycle_time(FIRST_HOUR).isoformat()


LITTLE = f"trained on 6 h of {DEVICES} devices"
"""What the small fleet's models have seen."""


def test_what_is_provisional_is_said_wherever_versions_are_shown(place: Place) -> None:
    status = said_json(place, "status", *AS_OF)
    assert isinstance(status, dict)
    assert status["provisional"] == {"isolation_forest": LITTLE, "statistical_baseline": LITTLE}
    versions = said_json(place, "models", "list")
    assert isinstance(versions, list)
    # A model of days leaves out the first, cut short.
    assert {row["provisional"] for row in versions} == {LITTLE, f"trained on 5 h 15 min of {DEVICES} devices"}
    for words in (("status", *AS_OF), ("models", "show", "isolation_forest"), ("models", "card", "isolation_forest")):
        code, said, _ = typed(place.root, *words)
        assert code == 0
        assert "provisional" in said
        assert f"{LITTLE}{':' if 'card' in words else ';'} its alerts are MEDIUM at most" in said
    alerts = said_json(place, "alerts", "list")
    assert isinstance(alerts, list)
    assert {alert["severity"] for alert in alerts} <= {"LOW", "MEDIUM"}
    assert all(f"its model was {LITTLE}." in alert["description"] for alert in alerts)


def test_status_judges_ages_at_the_moment_asked_for(place: Place) -> None:
    later = cycle_time(FIRST_HOUR + 3).isoformat()
    status = said_json(place, "status", "--as-of", later)
    assert isinstance(status, dict)
    assert {row["tier"] for row in status["scores"]} == {"very_stale"}


def test_alerts_for_programs_and_the_story_of_one(place: Place) -> None:
    alerts = said_json(place, "alerts", "list", "--all")
    assert isinstance(alerts, list)
    assert len(alerts) >= 2
    trace = said_json(place, "alerts", "show", alerts[0]["alert_id"][:8])
    assert isinstance(trace, dict)
    assert trace["alert_id"] == alerts[0]["alert_id"]
    story = said_json(place, "incidents", "show", alerts[0]["incident_id"][:8])
    assert isinstance(story, dict)
    assert {event["to_status"] for event in story["events"]} == {"OPEN"}
    one_device = said_json(place, "alerts", "list", "--all", "--device", alerts[0]["device_id"])
    assert isinstance(one_device, list)
    assert {alert["device_id"] for alert in one_device} == {alerts[0]["device_id"]}


def test_models_for_programs(place: Place) -> None:
    versions = said_json(place, "models", "list")
    assert isinstance(versions, list)
    assert [(row["family"], row["version"], row["stage"], row["scores"]) for row in versions] == [
        (family, "1.0.0", "release", "everywhere") for family in sorted(FAMILIES)
    ]
    shown = said_json(place, "models", "show", "statistical_baseline")
    assert isinstance(shown, dict)
    assert shown["training"]["hash"] == versions[3]["training_hash"]
    (promoted,) = said_json(place, "models", "history", "statistical_baseline")
    assert (promoted["action"], promoted["version"]) == ("promote", "1.0.0")
    again = said_json(place, "models", "reproduce", "statistical_baseline", "1.0.0")
    assert (again["differing"], again["training_hash"]) == (0, versions[3]["training_hash"])


def test_doctor_for_programs(place: Place) -> None:
    findings = said_json(place, "doctor")
    assert isinstance(findings, list)
    assert {finding["verdict"] for finding in findings} <= {"ok", "note"}
    assert {"installation", "warehouse", "models", "landing files"} <= {finding["what"] for finding in findings}


@pytest.mark.parametrize(
    "words",
    [["status", *AS_OF], ["alerts", "list"], ["models", "list"], ["models", "card", "isolation_forest"], ["doctor"]],
)
def test_people_get_tables_and_sentences_without_tracebacks(place: Place, words: list[str]) -> None:
    code, said, error = typed(place.root, *words)
    assert (code, error) == (0, "")
    assert len(said.splitlines()) > 2


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize(
    "dataset",
    [
        "clean_sensor_readings", "quarantined_readings", "device_registry", "device_features", "model_scores",
        "device_alerts", "device_status", "site_status",
    ],
)  # fmt: skip
def test_every_dataset_is_exported_whole(place: Place, tmp_path: Path, dataset: str, ending: str) -> None:
    file = tmp_path / f"{dataset}.{ending}"
    code, said, error = typed(place.root, "export", dataset, "--to", str(file))
    assert (code, error) == (0, "")
    rows = pd.read_csv(file) if ending == "csv" else pd.read_parquet(file)
    assert said.startswith(f"{len(rows):,} rows of {dataset} in ")
    expected = {
        "device_registry": DEVICES,
        "device_status": DEVICES,
        "model_scores": 2 * DEVICES,
        "quarantined_readings": 0,
    }
    assert len(rows) == expected.get(dataset, len(rows))
    assert len(rows) > 0 or dataset == "quarantined_readings"


def test_an_export_may_begin_later(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "features.parquet"
    since = cycle_time(FIRST_HOUR - 1)
    typed(place.root, "export", "device_features", "--to", str(file), "--since", since.isoformat())
    rows = pd.read_parquet(file)
    assert len(rows) == 4 * DEVICES
    assert rows["window_end"].min() > since


def test_two_data_folders_never_touch_each_other(
    place: Place, trained: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRIDGE_DATA_DIR", str(place.root))
    before = files_of(place.root)
    for words in (
        ["ingest", str(write_csv(trained, tmp_path / "june.csv"))],
        ["status"],
        ["alerts", "list"],
        ["models", "list"],
        ["doctor"],
        ["export", "device_features", "--to", str(tmp_path / "features.csv")],
        ["run", "hourly", "--as-of", "noon"],
    ):
        typed(trained.root, *words)
    assert files_of(place.root) == before


def files_of(folder: Path) -> dict[str, tuple[int, str]]:
    """Time and hash of every file."""
    return {
        str(file): (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest())
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_simulate_writes_what_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    code, said, _ = typed(
        folder,
        "simulate",
        "--devices",
        "5",
        "--hours",
        "1",
        "--end",
        "2026-03-02",
        "--fault",
        "bearing_wear=0.2",
        "--json",
    )
    summary = json.loads(said)
    assert code == 0
    assert summary["devices"] == 5
    assert summary["faulty_devices"] == 1
    assert summary["readings"] == sum(len(pd.read_parquet(file)) for file in (folder / "landing").glob("*.parquet"))
    assert len(pd.read_csv(folder / "device_registry.csv")) == 5
    assert pd.read_parquet(folder / "ground_truth.parquet")["fault"].tolist() == ["bearing_wear"]
