"""Who has said what about a threshold since when, and what is in force because of it (SPEC 5)."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, threshold_history, watched_states
from fridge_assets.streaming.engine import Engine
from fridge_assets.streaming.precedence import DEFAULTS
from fridge_assets.streaming.rules import COOLING_LOSS, OVERLOAD, PRESSURE_LOSS, RULES, VIBRATION
from fridge_assets.streaming.thresholds import (
    BEGINNING,
    history_mark,
    note_learned,
    note_registry,
    thresholds_in_force,
    thresholds_of,
)
from fridge_assets_tests.cli.typed import refused, typed

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
Thresholds = Mapping[tuple[str, str], float]
"""(device, rule) → value."""


def registry_of(thresholds: Thresholds, devices: tuple[str, ...] = ("d1", "d2")) -> pd.DataFrame:
    """A registry of ``devices`` in which somebody has written ``thresholds``."""
    rows = [
        {"device_id": device, "site_id": "s1"}
        | {rule.threshold: thresholds.get((device, name), rule.default) for name, rule in RULES.items()}
        for device in devices
    ]
    return pd.DataFrame(rows)


def learned_of(thresholds: Thresholds) -> pd.DataFrame:
    rows = [(device, rule, value) for (device, rule), value in thresholds.items()]
    return pd.DataFrame(rows, columns=["device_id", "rule", "value"])


def at(pieces: pd.DataFrame, device: str, rule: str, moment: datetime) -> float:
    """The threshold in force at a moment, as the engine takes it from the pieces."""
    now = (moment - BEGINNING) // timedelta(microseconds=1)
    until = pieces["until"].fillna(1 << 62)
    covering = pieces[
        (pieces["device_id"] == device) & (pieces["rule"] == rule) & (pieces["since"] <= now) & (until > now)
    ]
    assert len(covering) <= 1, covering
    return float(covering["value"].iloc[0]) if len(covering) else DEFAULTS[rule]


def in_force(operations: Operations) -> pd.DataFrame:
    with operations.read() as connection:
        return thresholds_in_force(connection)


def overload_of(operations: Operations, moment: datetime) -> float:
    return at(in_force(operations), "d1", OVERLOAD.name, moment)


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is sent to databases meanwhile; rows that go together are one statement."""
    sent: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def test_a_fleet_with_defaults_has_no_history(operations: Operations) -> None:
    assert note_registry(operations, registry_of({}), NOON) == 0
    assert note_registry(operations, None, NOON) == 0
    assert in_force(operations).empty
    with operations.read() as connection:
        assert history_mark(connection) == (0, None)


def test_the_registry_counts_before_the_model_and_the_model_before_the_default(operations: Operations) -> None:
    key = ("d1", OVERLOAD.name)
    note_learned(operations, learned_of({key: 31.0}), "1.0.0", NOON)
    note_registry(operations, registry_of({}), NOON)
    assert overload_of(operations, NOON) == 31.0
    note_registry(operations, registry_of({key: 36.0}), NOON + HOUR)
    note_registry(operations, registry_of({key: 37.0}), NOON + 2 * HOUR)
    note_learned(operations, learned_of({key: 32.0}), "1.1.0", NOON + 3 * HOUR)
    note_registry(operations, registry_of({}), NOON + 4 * HOUR)
    note_learned(operations, learned_of({}), "1.2.0", NOON + 5 * HOUR)
    hours = [overload_of(operations, NOON + number * HOUR) for number in range(6)]
    assert hours == [31.0, 36.0, 37.0, 37.0, 32.0, 40.0]


def test_a_change_counts_from_its_very_moment_and_the_first_registry_for_older_readings_too(
    operations: Operations,
) -> None:
    key = ("d1", OVERLOAD.name)
    note_registry(operations, registry_of({key: 36.0}), NOON)
    note_registry(operations, registry_of({key: 37.0}), NOON + HOUR)
    just_before = NOON + HOUR - timedelta(microseconds=1)
    assert [overload_of(operations, t) for t in (BEGINNING, just_before, NOON + HOUR)] == [36.0, 36.0, 37.0]
    assert at(in_force(operations), "d2", OVERLOAD.name, NOON) == 40.0


@pytest.mark.parametrize(
    "later", [registry_of({}), registry_of({}, devices=("d2",)), None], ids=["default again", "device gone", "no file"]
)
def test_what_the_registry_no_longer_says_is_taken_back_and_can_be_said_again(
    operations: Operations, later: pd.DataFrame | None
) -> None:
    written = registry_of({("d1", OVERLOAD.name): 36.0})
    assert note_registry(operations, written, NOON) == 1
    assert note_registry(operations, later, NOON + HOUR) == 1
    assert note_registry(operations, written, NOON + 2 * HOUR) == 1
    assert [overload_of(operations, NOON + number * HOUR) for number in range(3)] == [36.0, 40.0, 36.0]


def test_nothing_is_written_when_nothing_is_new(operations: Operations) -> None:
    said = {("d1", OVERLOAD.name): 36.0, ("d2", VIBRATION.name): 4.0}
    assert note_registry(operations, registry_of(said), NOON) == 2
    assert note_learned(operations, learned_of(said), "1.0.0", NOON) == 2
    with operations.read() as connection:
        mark = history_mark(connection)
    assert mark == (4, NOON)
    assert note_registry(operations, registry_of(said).iloc[::-1], NOON + HOUR) == 0
    assert note_learned(operations, learned_of(said).iloc[::-1], "1.1.0", NOON + HOUR) == 0
    with statements() as sent:
        assert note_learned(operations, learned_of(said).iloc[::-1], "1.2.0", NOON + HOUR) == 0
    assert not any("threshold_history" in statement for statement in sent), "the history is read for nothing"
    assert note_registry(operations, registry_of(said | {("d2", COOLING_LOSS.name): 3.0}), NOON + HOUR) == 1
    with operations.read() as connection:
        assert history_mark(connection) == (5, NOON + HOUR)


def test_a_clock_that_was_ahead_does_not_hide_what_is_said_later(operations: Operations) -> None:
    key = ("d1", OVERLOAD.name)
    note_registry(operations, registry_of({key: 36.0}), NOON)
    note_registry(operations, registry_of({key: 37.0}), NOON + 1000 * HOUR)
    assert note_registry(operations, registry_of({key: 38.0}), NOON + HOUR) == 1
    assert overload_of(operations, NOON + HOUR) == 38.0


_KEYS = [(device, rule) for device in ("d1", "d2") for rule in (OVERLOAD.name, VIBRATION.name)]
_SAID = st.dictionaries(st.sampled_from(_KEYS), st.sampled_from([4.0, 30.0, 35.0]))
_STEPS = st.lists(st.tuples(st.sampled_from(["registry", "model"]), _SAID), max_size=6)


def naive(steps: list[tuple[str, Thresholds]], key: tuple[str, str], moment: int) -> float:
    """What counts between the step number ``moment`` and the next, word for word as the rules say."""
    for origin in ("registry", "model"):
        own = [(number, said.get(key)) for number, (who, said) in enumerate(steps) if who == origin]
        # The first registry counts for all the time before it, too.
        since = min((number for number, _ in own), default=0) if origin == "registry" else moment
        value = next((value for number, value in reversed(own) if number <= max(moment, since)), None)
        if value is not None:
            return value
    return DEFAULTS[key[1]]


@given(steps=_STEPS)
@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_at_every_moment_one_piece_at_most_says_what_the_words_up_to_then_say(
    operations: Operations, steps: list[tuple[str, Thresholds]]
) -> None:
    with operations.transaction() as connection:
        connection.execute(sa.delete(threshold_history))
        connection.execute(sa.delete(watched_states))
    for number, (who, said) in enumerate(steps):
        if who == "registry":
            note_registry(operations, registry_of(said), NOON + number * HOUR)
        else:
            note_learned(operations, learned_of(said), "1.0.0", NOON + number * HOUR)
    pieces = in_force(operations)
    for moment in range(-1, len(steps)):
        when = NOON + moment * HOUR + HOUR / 2
        found = {key: at(pieces, *key, when) for key in _KEYS}
        assert found == {key: naive(steps, key, moment) for key in _KEYS}
    with operations.read() as connection:
        told = thresholds_of(connection, "d1", when).set_index("rule")["value"]
    assert told[OVERLOAD.name] == found["d1", OVERLOAD.name]


def test_a_whole_fleet_is_noted_in_few_statements(operations: Operations) -> None:
    devices = tuple(f"device-{number:06d}" for number in range(20_000))
    fleet = registry_of({}, devices).assign(current_threshold=36.0)
    operations.migrate()
    with statements() as sent:
        assert note_registry(operations, fleet, NOON) == len(devices)
    assert len(sent) < 12, sent
    pieces = in_force(operations)
    assert (len(pieces), set(pieces["value"]), set(pieces["since"])) == (len(devices), {36.0}, {0})
    with statements() as sent:
        assert note_registry(operations, fleet.assign(current_threshold=40.0), NOON + HOUR) == len(devices)
    assert len(sent) < 12, sent
    ended = in_force(operations)
    assert set(ended["until"]) == {(NOON + HOUR - BEGINNING) // timedelta(microseconds=1)}


def test_the_engine_judges_by_the_thresholds_in_force(operations: Operations, settings: Settings) -> None:
    note_registry(operations, registry_of({("d1", OVERLOAD.name): 30.0}), NOON)
    engine = Engine(settings.streaming)
    engine.know_thresholds(in_force(operations))
    readings = (
        f"SELECT device_id, TIMESTAMPTZ '{NOON}' AS timestamp_utc, TIMESTAMPTZ '{NOON}' AS timestamp_ingested, "
        "35.0 AS current_compressor, 3.0 AS vibration_compressor, 200.0 AS pressure_low_side, "
        "-20.0 AS temperature_evaporator, false AS defrost_cycle, '' AS part, 1 AS delivery, arrival "
        "FROM (VALUES ('d1', 1), ('d2', 2)) t(device_id, arrival)"
    )
    assert [(onset.device_id, onset.threshold) for onset in engine.take(readings).new] == [("d1", 30.0)]
    engine.close()


# --- the command line


@pytest.fixture
def told(settings: Settings, operations: Operations) -> Operations:
    """A folder with a registry of d1 and d2, and some words about d1."""
    registry = registry_of({("d1", OVERLOAD.name): 36.0})
    registry.to_csv(settings.root / "device_registry.csv", index=False)
    note_registry(operations, registry, NOON)
    note_learned(operations, learned_of({("d1", PRESSURE_LOSS.name): 0.35}), "1.0.0", NOON)
    note_learned(operations, learned_of({("d1", PRESSURE_LOSS.name): 0.42}), "1.1.0", NOON + HOUR)
    return operations


@pytest.fixture(autouse=True)
def _folder(settings: Settings) -> None:
    settings.root.mkdir(parents=True, exist_ok=True)


def test_show_says_what_is_in_force_who_said_it_and_since_when(told: Operations, settings: Settings) -> None:
    code, said, error = typed(settings.root, "thresholds", "show", "d1", "--json")
    assert (code, error) == (0, "")
    shown = json.loads(said)
    later, beginning = (NOON + HOUR).isoformat(), BEGINNING.isoformat()
    assert {row["rule"]: (row["value"], row["origin"], row["since"]) for row in shown["in_force"]} == {
        OVERLOAD.name: (36.0, "registry", beginning),
        VIBRATION.name: (3.0, "default", beginning),
        PRESSURE_LOSS.name: (0.42, "model", later),
        COOLING_LOSS.name: (2.0, "default", beginning),
    }
    assert {row["meaning"] for row in shown["in_force"]} >= {"compressor overload, A", "acute pressure loss, fraction"}
    assert [(row["rule"], row["value"], row["since"], row["detail"]) for row in shown["history"]] == [
        (PRESSURE_LOSS.name, 0.42, later, "1.1.0"),
        (PRESSURE_LOSS.name, 0.35, NOON.isoformat(), "1.0.0"),
        (OVERLOAD.name, 36.0, beginning, "device registry"),
    ]


def test_show_for_people_and_for_a_device_about_which_nobody_has_said_anything(
    told: Operations, settings: Settings
) -> None:
    note_learned(told, learned_of({}), "1.2.0", NOON + 2 * HOUR)
    _, said, _ = typed(settings.root, "thresholds", "show", "d1")
    assert "Thresholds in force for d1" in said
    assert "the beginning" in said
    assert "2026-06-01 13:00 UTC" in said
    assert "taken back" in said
    code, said, _ = typed(settings.root, "thresholds", "show", "d2", "--json")
    assert code == 0
    assert {row["origin"] for row in json.loads(said)["in_force"]} == {"default"}
    assert json.loads(said)["history"] == []


def test_show_of_a_device_that_is_not_there_is_refused(told: Operations, settings: Settings) -> None:
    assert "there is no device 'd3'" in refused(settings.root, "thresholds", "show", "d3")


def test_list_shows_the_newest_changes_first(told: Operations, settings: Settings) -> None:
    code, said, _ = typed(settings.root, "thresholds", "list", "--limit", "2", "--json")
    assert code == 0
    assert [(row["device_id"], row["value"]) for row in json.loads(said)] == [("d1", 0.42), ("d1", 0.35)]
    assert "thresholds show DEVICE" in typed(settings.root, "thresholds", "list")[1]
