"""What happens when things go wrong, one test for each row of the table in SPEC 4, and who is told of it."""

import os
import signal
from datetime import UTC, datetime, timedelta

import pandas as pd

from fridge_assets.contracts import DEVICE_STATUS
from fridge_assets.deployment.decide import Request
from fridge_assets.running.instance import open_instance
from fridge_assets_tests.incidents.observing.stored import stored_alerts
from fridge_assets_tests.scenarios.broken import (
    BASELINE,
    FOREST,
    answer_nan_in_the_tail,
    flag_everything,
    tamper,
    with_settings,
)
from fridge_assets_tests.scenarios.contents import contents
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.processes import finish, started, wait_for_worker
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place, cycle_time, hour
from fridge_assets_tests.scenarios.test_hourly_cycle import faulty_devices
from fridge_assets_tests.scenarios.watchers import Told, of, watching

NEXT = FIRST_HOUR + 1
MINUTE = timedelta(minutes=1)
LOW_LIMIT = {"max_vibration": 10.0}
"""The faulty devices are beyond it."""
BY_RULES = ("everyone", "Alerts come from the rules: no model has scores young enough")
DELAYED = [("data_platform", "Scores are delayed"), ("ml", "Scores are delayed")]
SMALL = {"min_rows": 20, "min_runs": 1, "bins": 3}
"""Enough for a distribution of this small fleet."""


def scored(place: Place, number: int) -> list[str]:
    """Families with published scores of the window that ends at ``hour(number)``, each for the whole fleet."""
    rows = place.query(
        "SELECT regexp_replace(model_id, '_v[0-9]+$', ''), count(*) FROM model_scores WHERE window_end = ? "
        "GROUP BY 1 ORDER BY 1",
        hour(number),
    )
    assert all(count == DEVICES for _, count in rows)
    return [str(family) for family, _ in rows]


def status_of(place: Place) -> pd.DataFrame:
    """What operators look at, by device."""
    devices = place.published.read(DEVICE_STATUS)
    assert devices is not None
    return devices.set_index("device_id")


def alerts_of(place: Place, source: str) -> pd.DataFrame:
    """What one source has seen of the incidents that are open."""
    alerts = stored_alerts(place.operations, active=True)
    return alerts[alerts["source"] == source]


def without_alerts(told: list[Told]) -> list[Told]:
    return [message for message in told if message[1] != "anomaly"]


def test_a_scoring_step_crashes(cycled: Place) -> None:
    before = contents(cycled)[f"{FOREST}_scores"]
    cycled.deliver(NEXT)
    with watching(cycled) as watchers:
        with (
            started(cycled, "run", "hourly", "--as-of", cycle_time(NEXT).isoformat()) as process,
            open_instance(cycled.settings) as instance,
        ):
            os.kill(wait_for_worker(instance, f"{FOREST}_scores", process), signal.SIGKILL)
            code, _, error = finish(process)
        assert code == 1
        assert f"{FOREST}_scores: its process was killed, perhaps because memory ran out" in error
        assert f"{BASELINE}_scores" not in error
        watchers.at(cycle_time(NEXT))
        assert without_alerts(watchers.told()) == [("ml", "run_failure", "score_hourly failed")]
        assert watchers.told() == []
        assert watchers.due(cycle_time(NEXT)) == {}, "the other model's scores are fresh"
    assert contents(cycled)[f"{FOREST}_scores"] == before
    assert scored(cycled, NEXT) == [BASELINE]
    devices = status_of(cycled)
    assert (devices["score_status"] == "fresh").all()
    assert (devices["scored_at"] == cycle_time(NEXT)).all()
    assert (devices.loc[sorted(faulty_devices(cycled)), "open_alerts"] > 0).all()


def test_a_score_is_nan(cycled: Place) -> None:
    answer_nan_in_the_tail(cycled, BASELINE)
    before = contents(cycled)[f"{BASELINE}_scores"]
    cycled.deliver(NEXT)
    with watching(cycled) as watchers:
        cycle = watchers.cycle(NEXT)
        reason = cycle.score.failures[f"{BASELINE}_scores"]
        assert "anomaly_score must not be null" in reason
        assert f"of {DEVICES} rows do not" in reason
        assert f"{DEVICES} of {DEVICES}" not in reason, "only some rows were to be wrong"
        assert "Nothing was written" in reason
        assert cycle.publish.success
        assert without_alerts(watchers.told()) == [
            ("ml", "run_failure", "score_hourly failed"),
            ("ml", "model", f"Check contract of {BASELINE}_scores failed"),
        ]
        assert watchers.told() == []
    assert contents(cycled)[f"{BASELINE}_scores"] == before
    assert scored(cycled, NEXT) == [FOREST]
    assert (status_of(cycled)["score_status"] == "fresh").all()


def test_a_score_distribution_is_anomalous(cycled: Place) -> None:
    place = with_settings(cycled, monitoring=SMALL)
    flag_everything(place, FOREST)
    before = contents(place)[f"{FOREST}_scores"]
    place.deliver(NEXT, NEXT + 1, NEXT + 2)
    with watching(place) as watchers:
        cycle = watchers.cycle(NEXT)
        assert cycle.success
        assert cycle.score.metadata[f"{FOREST}_scores"]["withheld"] is True
        assert contents(place)[f"{FOREST}_scores"] == before
        assert place.query("SELECT count(*), min(anomaly_score) > 0.6 FROM withheld_scores") == [(DEVICES, True)]
        assert scored(place, NEXT) == [BASELINE]
        pause = place.models.deployments.of(FOREST).pause
        assert pause is not None
        assert pause.actor == "auto-pause"
        assert "KL divergence" in pause.reason
        assert len(alerts_of(place, "models")) < DEVICES / 2, "withheld scores alert nobody"
        assert without_alerts(watchers.told()) == [
            ("ml", "model", f"{FOREST} paused"),
        ], "and not of its check besides"
        assert watchers.due(cycle_time(NEXT)) == {"publish": 1}, "without its scores; the other model speaks"

        silent = watchers.cycle(NEXT + 1)
        assert silent.success
        assert silent.score.metadata[f"{FOREST}_scores"]["scored"] is False
        assert scored(place, NEXT + 1) == [BASELINE]
        assert without_alerts(watchers.told()) == []

        watchers.at(cycle_time(NEXT + 1) + MINUTE)
        # By the actual time, as the windows before were committed, although these are of the past.
        place.models.resume(FOREST, Request("ann", datetime.now(UTC), "the fleet has changed"))
        assert watchers.due(cycle_time(NEXT + 1) + MINUTE) == {"publish": 1}, "with its scores again"
        assert watchers.cycle(NEXT + 2).success
        assert scored(place, NEXT + 2) == [FOREST, BASELINE], "the new distribution is accepted"
        assert without_alerts(watchers.told()) == [
            ("ml", "recovery", f"{FOREST} resumed"),
        ]
        assert place.models.deployments.of(FOREST).pause is None


def test_the_last_model_that_spoke_is_paused(cycled: Place) -> None:
    place = with_settings(cycled, fallback=LOW_LIMIT)
    now = cycle_time(FIRST_HOUR) + 5 * MINUTE
    with watching(place) as watchers:
        place.models.pause(FOREST, Request("ann", now, "a"))
        assert watchers.due(now) == {"publish": 1}
        place.models.pause(BASELINE, Request("ann", now + MINUTE / 60, "b"))
        assert watchers.due(now + MINUTE / 60) == {"fallback": 1, "publish": 2}, "at once, whatever the scores' age"
        watchers.heard()
        assert watchers.run("fallback", now + MINUTE).success
        told = watchers.told()
        assert of("fallback", told) == [BY_RULES]
        assert of("freshness", told) == []
        assert set(alerts_of(place, "rules_fallback")["device_id"]) >= faulty_devices(place)
        assert (status_of(place)["score_source"] == "rules_fallback").all()


def test_features_are_older_than_45_minutes(cycled: Place) -> None:
    before = contents(cycled)
    with watching(cycled) as watchers:
        cycle = watchers.cycle(NEXT)
        assert set(cycle.score.failures) == {f"{FOREST}_scores", f"{BASELINE}_scores"}
        assert set(cycle.score.errors.values()) == {"FeaturesStale"}
        assert cycle.publish.success
        assert without_alerts(watchers.told()) == [
            ("data_platform", "data_quality", "score_hourly failed"),
            ("data_platform", "data_quality", "Check up_to_date of device_features failed"),
        ]
        after = contents(cycled)
        kept = ("model_scores", f"{FOREST}_scores", f"{BASELINE}_scores", "score_runs")
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
        assert (status_of(cycled)["score_status"] == "stale").all()
        assert not watchers.cycle(NEXT).success
        assert watchers.told() == []
        watchers.at(cycle_time(NEXT) + 10 * MINUTE)
        assert of("freshness", watchers.told()) == DELAYED

        cycled.deliver(NEXT)
        assert watchers.cycle(NEXT).success
        assert without_alerts(watchers.told()) == [
            ("data_platform", "recovery", "score_hourly succeeds again"),
            ("data_platform", "recovery", "Check up_to_date of device_features passes again"),
            ("data_platform", "recovery", "Scores are fresh again"),
            ("ml", "recovery", "Scores are fresh again"),
        ]


def test_all_batch_models_fail_until_the_scores_are_over_two_hours_old(cycled: Place) -> None:
    place = with_settings(cycled, fallback=LOW_LIMIT)
    for family in (FOREST, BASELINE):
        tamper(place, family)
    place.deliver(NEXT, NEXT + 1)
    with watching(place) as watchers:
        assert len(watchers.cycle(NEXT).score.failures) == 2
        assert without_alerts(watchers.told()) == [
            ("ml", "run_failure", "score_hourly failed"),
        ]
        watchers.at(cycle_time(NEXT) + 10 * MINUTE)
        assert of("freshness", watchers.told()) == DELAYED
        mark = cycle_time(FIRST_HOUR) + timedelta(hours=2)
        assert watchers.due(mark - MINUTE / 60) == {"publish": 1}, "still delayed only"
        assert not watchers.cycle(NEXT + 1).score.success
        assert alerts_of(place, "rules_fallback").empty
        assert watchers.due(mark) == {"publish": 1, "fallback": 1}
        assert watchers.due(mark + MINUTE / 2) == {}, "once per window"
        told = without_alerts(watchers.told())
        assert (of("fallback", told), len(told)) == ([BY_RULES], 1)
        assert watchers.run("fallback", mark).success
        alerts = alerts_of(place, "rules_fallback")
        assert set(alerts["device_id"]) >= faulty_devices(place)
        assert (alerts["anomaly_score"] == 0.0).all()
        assert set(alerts["severity"]) == {"MEDIUM"}
        assert set(alerts["model_id"]) == {"rules_based_fallback_v1"}
        assert [channel for channel, _ in of("anomaly", watchers.told())] == ["site_digest"]
        assert (status_of(place)["score_status"] == "very_stale").all()
        assert (status_of(place)["score_source"] == "rules_fallback").all()
        assert len(alerts_of(place, "models")), "what the models saw stays open"
        assert watchers.due(mark + 15 * MINUTE) == {"fallback": 1}, "every new window"
        assert watchers.run("fallback", mark + timedelta(hours=2)).success
        assert status_of(place)["latest_anomaly_score"].isna().all(), "blanked after four hours"


def test_the_next_good_scores_take_over_by_themselves(cycled: Place) -> None:
    place = with_settings(cycled, fallback=LOW_LIMIT)
    place.deliver(*range(NEXT, FIRST_HOUR + 5))
    late = cycle_time(FIRST_HOUR + 2)
    with watching(place) as watchers:
        assert watchers.due(late) == {"publish": 1, "fallback": 1}
        assert watchers.run("fallback", late).success
        stood_in = alerts_of(place, "rules_fallback")
        assert len(stood_in)
        watchers.told()

        assert watchers.cycle(FIRST_HOUR + 3).success
        assert without_alerts(watchers.told()) == [("everyone", "recovery", "Alerts come from the models again")]
        assert watchers.due(cycle_time(FIRST_HOUR + 3)) == {}, "the fallback stops by itself"
        devices = status_of(place)
        assert (devices["score_status"] == "fresh").all()
        assert (devices["score_source"] == "models").all()
        assert scored(place, FIRST_HOUR + 3) == [FOREST, BASELINE]
        assert watchers.told() == []
