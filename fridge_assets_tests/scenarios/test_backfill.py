"""Scoring an old window, or the same one again, brings no news: neither data nor Dagster look fresher (SPEC 4)."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest

from fridge_assets.automation.cycles import hourly_cycle, one_model_cycle
from fridge_assets.automation.switch import Voices, voices
from fridge_assets.running.outcomes import CycleOutcome
from fridge_assets_tests.scenarios.broken import FOREST
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place, cycle_time, graph_of, hour
from fridge_assets_tests.scenarios.test_failures import status_of

WATCHED = (f"{FOREST}_scores", "model_scores", "device_alerts", "device_status", "site_status")
LATE = cycle_time(FIRST_HOUR) + timedelta(minutes=80)
"""When the scores are stale."""


@pytest.fixture
def instance(cycled: Place) -> Iterator[dg.DagsterInstance]:
    with graph_of(cycled.settings) as instance:
        yield instance


def age_of(place: Place) -> Voices:
    """What the switch sees at ``LATE``."""
    speaking = voices(place.operations, LATE, place.settings)
    assert speaking is not None
    return speaking


def news(instance: dg.DagsterInstance) -> dict[str, int]:
    """Materializations of each asset so far: their newest one is what Dagster's freshness is judged by."""
    return {name: len(instance.fetch_materializations(dg.AssetKey(name), limit=100).records) for name in WATCHED}


def looks(instance: dg.DagsterInstance) -> dict[str, int]:
    """Observations of each asset so far."""
    return {name: len(instance.fetch_observations(dg.AssetKey(name), limit=100).records) for name in WATCHED}


def went_through(cycle: CycleOutcome) -> bool:
    """Whether every step ran, also those after the one that brought nothing new."""
    return cycle.success and {"model_scores", "device_alerts", "device_status"} <= cycle.publish.metadata.keys()


@pytest.mark.parametrize("window", [FIRST_HOUR - 1, FIRST_HOUR])
def test_stale_scores_stay_stale_whatever_old_window_is_scored(
    cycled: Place, instance: dg.DagsterInstance, window: int
) -> None:
    known = age_of(cycled)
    before, seen = news(instance), looks(instance)
    assert known == Voices("stale", cycle_time(FIRST_HOUR), None)

    cycle = one_model_cycle(instance, FOREST, [], hour(window).isoformat(), LATE)

    assert went_through(cycle)
    stored = "SELECT count(*) FROM model_scores WHERE window_end = ? AND starts_with(model_id, ?)"
    assert cycled.query(stored, hour(window), FOREST) == [(DEVICES,)]
    assert age_of(cycled) == known
    assert (status_of(cycled)["score_status"] == "stale").all()
    assert (status_of(cycled)["scored_at"] == cycle_time(FIRST_HOUR)).all()
    assert news(instance) == before
    assert difference(looks(instance), seen) == dict.fromkeys(WATCHED, 1)
    assert cycle.publish.metadata["device_alerts"]["window"] == hour(FIRST_HOUR).isoformat()


def test_scores_of_some_devices_do_not_make_those_of_the_fleet_fresh(
    cycled: Place, instance: dg.DagsterInstance
) -> None:
    known = age_of(cycled)
    device = str(cycled.query("SELECT min(device_id) FROM model_scores")[0][0])
    before = news(instance)
    assert went_through(one_model_cycle(instance, FOREST, [device], hour(FIRST_HOUR).isoformat(), LATE))
    assert age_of(cycled) == known
    assert news(instance) == before


def test_a_cycle_brings_news_once_and_neither_the_same_again_nor_a_replay_changes_what_is_known_now(
    cycled: Place, instance: dg.DagsterInstance
) -> None:
    cycled.deliver(FIRST_HOUR + 1)
    counts = []
    for _ in range(2):
        before, seen = news(instance), looks(instance)
        assert hourly_cycle(instance, cycle_time(FIRST_HOUR + 1), in_process=True).success
        counts.append((difference(news(instance), before), difference(looks(instance), seen)))
    once, never = dict.fromkeys(WATCHED, 1), dict.fromkeys(WATCHED, 0)
    assert counts == [(once, never), (never, once)]

    known, before = age_of(cycled), news(instance)
    assert known == Voices("fresh", cycle_time(FIRST_HOUR + 1), None)
    assert hourly_cycle(instance, cycle_time(FIRST_HOUR), in_process=True).success
    assert age_of(cycled) == known
    assert news(instance)["model_scores"] == before["model_scores"]


def difference(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in now.items()}
