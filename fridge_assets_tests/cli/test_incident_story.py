"""The story of an incident and of an alert as it is printed, and the charts in it (SPEC 6.1, 9)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from fridge_assets.cli.charts import bars, cells
from fridge_assets.incidents.store import observe
from fridge_assets.incidents.together import Fleet
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, alert_evidence, device_alerts, insert_missing, threshold_history
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.engine import Changes, Onset
from fridge_assets.streaming.observed import observed_in
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.incidents.device import MEDIUM, SUPERHEAT, seen
from fridge_assets_tests.incidents.given import incident_id, see
from fridge_assets_tests.staleness.given import NOON, store_features
from fridge_assets_tests.staleness.test_fallback import Shop

MINUTE = timedelta(minutes=1)
START = datetime(2026, 6, 1, 12, tzinfo=UTC)


def spread(minutes: list[int], values: list[float | None], width: int, length: int) -> list[float | None]:
    return cells([START + m * MINUTE for m in minutes], values, START, START + length * MINUTE, width)


# --- charts


def test_values_stand_where_their_time_is_and_gaps_stay_open() -> None:
    assert spread([0, 1, 2, 5], [1.0, 2.0, None, 3.0], 6, 6) == [1.0, 2.0, None, None, None, 3.0]


def test_of_several_values_in_a_column_the_most_unusual_stays_visible() -> None:
    assert spread([0, 1, 2, 3], [5.0, 5.0, 90.0, 5.0], 2, 4) == [5.0, 90.0]
    assert spread([0, 1, 2, 3], [5.0, 5.0, 5.0, -90.0], 2, 4) == [5.0, -90.0]


def test_rare_values_are_wide_and_those_outside_are_left_out() -> None:
    assert spread([-10, 0, 10, 20], [9.0, 1.0, 2.0, 9.0], 6, 19) == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    assert spread([0], [None], 3, 10) == [None, None, None]
    assert spread([10], [4.0], 2, 10) == [None, 4.0], "the right edge belongs to the last column"


def test_bars_reach_from_the_lowest_to_the_highest_value() -> None:
    assert bars([0.0, 7.0, None, 3.0]) == ["▁█ ▄"]
    assert bars([0.0, 15.0, 8.0], height=2) == [" █▁", "▁██"]
    assert bars([2.0, 2.0]) == ["▄▄"]
    assert bars([None]) == [" "]


# --- the command


@pytest.fixture
def shop(warehouse: Warehouse, operations: Operations, settings: Settings) -> Shop:
    return Shop(warehouse, operations, settings)


def shown(settings: Settings, *more: str) -> str:
    code, said, error = typed(settings.root, *more)
    assert (code, error) == (0, "")
    return said


def only_id(operations: Operations) -> str:
    with operations.read() as connection:
        return str(connection.execute(sa.select(device_alerts.c.alert_id)).scalar_one())


def test_the_trace_of_a_models_alert(shop: Shop) -> None:
    store_features(shop.warehouse, {"d1": {}})
    shop.by_models(NOON, {"d1": 0.97})
    said = shown(shop.settings, "alerts", "show", only_id(shop.operations)[:8])
    assert said.startswith("CRITICAL: Low-side pressure")
    assert "Strongest contributors" in said
    assert "low-side pressure mean, kPa" in said
    assert "isolation_forest_v1" in said
    assert "There are no readings of d1 up to 2026-06-01 12:00 UTC" in said
    assert said.splitlines()[-1].endswith(f"incidents show {shop.incident().incident_id[:8]}")


def test_the_story_of_an_incident(shop: Shop) -> None:
    store_features(shop.warehouse, {"d1": {}})
    shop.by_models(NOON, {"d1": 0.97})
    said = shown(shop.settings, "incidents", "show", "d1")
    assert said.startswith("CRITICAL: Low-side pressure")
    assert "probable cause: not clear" in said
    assert "Strongest contributors" in said
    assert "Told as CRITICAL" in said
    assert "on_call" in said
    assert f"work order {shop.incident().work_order_id}: open, urgent" in said


def test_the_story_names_the_signs_for_and_against_the_probable_cause(folder: Path, operations: Operations) -> None:
    see(operations, datetime.now(UTC), seen(0, cause="refrigerant leak"))
    said = shown(Settings(data_dir=folder), "incidents", "show", "d1")
    lines = [
        "probable cause: refrigerant leak",
        "  for it: refrigerant leak seen",
        "  against it: refrigerant leak missed",
    ]
    assert "\n".join(lines) in said


def test_the_story_says_what_each_model_expected(shop: Shop) -> None:
    store_features(shop.warehouse, {"d1": {}})
    shop.by_models(NOON, {"d1": 0.97})
    with shop.warehouse.transaction() as connection:
        connection.execute(
            "INSERT INTO score_comparisons SELECT score_id, window_end, top_contributors[1], window_start, 200, "
            "260, 8, -7.5, 'history' FROM model_scores"
        )
    for words in (("alerts", "show", only_id(shop.operations)), ("incidents", "show", "d1")):
        said = " ".join(shown(shop.settings, *words).split())
        assert "isolation_forest_v1: low-side pressure 200 kPa (expected 260 ± 8 kPa), −7.5 spreads" in said


def test_the_story_for_programs_is_one_document(shop: Shop) -> None:
    shop.settings.root.mkdir()
    (shop.settings.root / "device_registry.csv").write_text("device_id,site_id\nd1,s1\n")
    for window_end in (NOON - timedelta(days=1), NOON):
        store_features(shop.warehouse, {"d1": {}}, window_end)
    shop.by_models(NOON, {"d1": 0.97})
    document = json.loads(shown(shop.settings, "incidents", "show", "d1", "--json"))
    assert (document["severity"], document["named"]) == ("CRITICAL", [["pressure_low_side", ""]])
    assert [event["action"] for event in document["events"]] == ["open"]
    assert [(score["model_id"], score["behind"]) for score in document["scores"]] == [("isolation_forest_v1", True)]
    assert [message["channel"] for message in document["messages"]] == ["on_call"]
    assert document["windows"][0]["pressure_low_mean"] == 200.0
    assert document["usual"] == {"pressure_low_mean": 200.0}
    assert [document[part] for part in ("labels", "silences", "previous", "threshold")] == [[]] * 4
    assert [order["incident_id"] for order in document["work_orders"]] == [document["incident_id"]]
    assert [alert["incident_id"] for alert in document["alerts"]] == [document["incident_id"]]
    alert = json.loads(shown(shop.settings, "alerts", "show", document["evidence_id"], "--json"))
    assert alert["scores"] == document["scores"]


def test_an_alert_of_the_stream_names_its_rule_and_whose_threshold_was_in_force(
    operations: Operations, settings: Settings
) -> None:
    word = {"device_id": "d1", "rule": "compressor_overload", "origin": "registry", "detail": "device registry"}
    with operations.transaction() as connection:
        later = {"since": NOON + MINUTE, "value": 44.0}
        insert_missing(
            connection, threshold_history, [word | {"since": NOON - 60 * MINUTE, "value": 41.5}, word | later]
        )
        changes = Changes((Onset("d1", "compressor_overload", NOON, 46.0, 41.5, 41.5),), ())
        observed = observed_in(changes, {"d1": "s1"}, settings)
        observe(connection, observed, Fleet({}), NOON + MINUTE, settings.alerts)
    said = shown(settings, "incidents", "show", "d1")
    assert "Rule compressor_overload: the threshold in force was 41.5, by registry since 2026-06-01 11:00 UTC" in said
    (threshold,) = json.loads(shown(settings, "alerts", "show", only_id(operations), "--json"))["threshold"]
    assert (threshold["value"], threshold["origin"]) == (41.5, "registry")


def test_what_people_wrote_is_shown_with_its_brackets(operations: Operations, settings: Settings) -> None:
    see(operations, NOON, seen(0))
    with operations.transaction() as connection:
        connection.execute(sa.update(alert_evidence).values(title="[/odd] [bold]title"))
    for words in (("alerts", "show", only_id(operations)), ("incidents", "show", "d1")):
        assert shown(settings, *words).startswith("HIGH: [/odd] [bold]title")


def test_what_waits_says_why_nobody_was_told(operations: Operations, settings: Settings) -> None:
    see(operations, NOON, seen(0, MEDIUM))
    for words in (("alerts", "show", only_id(operations)), ("incidents", "show", "d1")):
        assert "not told: it waits for evidence in another window" in shown(settings, *words)


def test_a_false_positive_says_until_when_the_same_is_not_told_and_is_told_of_the_next_incident(
    operations: Operations, settings: Settings
) -> None:
    see(operations, NOON, seen(0))
    name = incident_id(operations)
    typed(settings.root, "incidents", "false-positive", "d1", "--by", "[ann]", "--note", "door was open")
    said = shown(settings, "incidents", "show", name)
    assert "The same (pressure_low_side low) is not told again until " in said
    assert "door was open" in said
    assert "[ann]" in said
    see(operations, datetime.now(UTC), seen(1, sign=SUPERHEAT))
    document = json.loads(shown(settings, "incidents", "show", "d1", "--json"))
    assert [one["incident_id"] for one in document["previous"]] == [name]
    assert document["previous"][0]["status"] == "FALSE_POSITIVE"
