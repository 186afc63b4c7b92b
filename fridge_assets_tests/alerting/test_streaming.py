"""What the batch path makes of alerts that the stream has raised, and of its own beside them (SPEC 5, 6)."""

from datetime import timedelta

import pandas as pd
import pytest

from fridge_assets.alerting.announce import announcements, worth_telling
from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.settings import Settings
from fridge_assets.streaming.engine import Onset
from fridge_assets.streaming.onsets import alert_of
from fridge_assets.streaming.rules import OVERLOAD, PRESSURE_LOSS
from fridge_assets_tests.alerting.fleet import BASELINE, EPOCH, SUPERHEAT, Fleet, run_time, score, window

CURRENT, SPREAD, VIBRATION = "current_compressor_mean", "current_per_temp_spread", "vibration_compressor_max"
ONSET = 9.2
"""Hour of the onset; its window ends at 9.25."""
AUTOENCODER = "autoencoder_v1"


def streamed(
    fleet: Fleet, hour: float = ONSET, device: str = "d1", rule: str = OVERLOAD.name, *, repeats: float | None = None
) -> str:
    """The stream stores the alert of an onset, as a repeat of that of an earlier hour or told; its id."""
    at = (EPOCH + timedelta(hours=hour)).to_pydatetime()
    before = None if repeats is None else (EPOCH + timedelta(hours=repeats)).to_pydatetime()
    row = alert_of(Onset(device, rule, at, 47.0, 40.0, 40.0), "s1", at, before, at + timedelta(seconds=4), Settings())
    stored = DEVICE_ALERTS.to_arrow(pd.DataFrame([row])).to_pandas()
    fleet.alerts = pd.concat([fleet.alerts, stored], ignore_index=True) if len(fleet.alerts) else stored
    return str(row["alert_id"])


def carried(value: float, since: float, hour: float) -> dict[str, object]:
    """What a daily model said at ``since``, as it counts in the window of ``hour``."""
    return score("d1", hour, value, AUTOENCODER, [VIBRATION]) | {"carried_from": window(since)}


def of(fleet: Fleet, alert_id: str) -> dict[str, object]:
    return dict(fleet.alerts.set_index("alert_id").loc[alert_id])


# --- the next batch run judges what the stream has raised


UNTOUCHED, SUSTAINED, RESOLVED = (
    ("OPEN", "ANOMALY_DETECTED"),
    ("OPEN", "ANOMALY_SUSTAINED"),
    ("RESOLVED", "ANOMALY_RESOLVED"),
)


@pytest.mark.parametrize(
    ("rows", "becomes"),
    [
        pytest.param([score("d1", 10, 0.86)], SUSTAINED, id="a high score confirms it"),
        pytest.param([score("d1", 10, 0.85)], UNTOUCHED, id="as high as the limit is not above it"),
        pytest.param([score("d1", 10, 0.60)], UNTOUCHED, id="as low as the threshold is not below it"),
        pytest.param([score("d1", 10, 0.59)], RESOLVED, id="a low score resolves it"),
        pytest.param([score("d1", 10, 0.1), score("d1", 10, 0.9, BASELINE)], SUSTAINED, id="one high model is enough"),
        pytest.param([score("d1", 10, 0.1), score("d1", 10, 0.7, BASELINE)], UNTOUCHED, id="all must be low"),
        pytest.param([score("d2", 10, 0.1)], UNTOUCHED, id="another device says nothing of it"),
        pytest.param([score("d1", 9.25, 0.9)], SUSTAINED, id="the window of the onset may confirm it"),
        pytest.param([score("d1", 9.25, 0.1)], UNTOUCHED, id="the window of the onset cannot know whether it is over"),
        pytest.param([score("d1", 9, 0.1)], UNTOUCHED, id="the window before cannot resolve it"),
        pytest.param([score("d1", 9, 0.9)], UNTOUCHED, id="the window before cannot confirm it"),
        pytest.param([carried(0.9, 9.5, 10)], SUSTAINED, id="a daily score since may confirm it"),
        pytest.param([carried(0.1, 9.5, 10)], UNTOUCHED, id="a daily score cannot resolve it"),
        pytest.param([carried(0.9, 3, 10)], UNTOUCHED, id="a daily score from before knows nothing"),
        pytest.param([carried(0.9, 3, 10), score("d1", 10, 0.1)], RESOLVED, id="nor does it keep it open"),
        pytest.param([carried(0.7, 9.5, 10), score("d1", 10, 0.1)], UNTOUCHED, id="a daily score since keeps it open"),
    ],
)
def test_the_models_confirm_or_resolve_a_streaming_alert(
    rows: list[dict[str, object]], becomes: tuple[str, str]
) -> None:
    fleet = Fleet()
    alert_id = streamed(fleet)
    generated = fleet.run(*rows)
    alert = of(fleet, alert_id)
    assert (alert["status"], alert["alert_type"]) == becomes
    events = fleet.events[fleet.events["alert_id"] == alert_id] if len(fleet.events) else fleet.events
    assert len(events) == (becomes != UNTOUCHED)
    assert set(generated.updated["alert_id"]) <= {alert_id}


@pytest.mark.parametrize("value", [0.1, 0.9])
def test_the_same_window_again_changes_nothing(value: float) -> None:
    fleet = Fleet()
    streamed(fleet)
    assert len(fleet.run(score("d1", 10, value)).updated) == 1
    again = fleet.run(score("d1", 10, value), now=run_time(10.2))
    assert (len(again.new), len(again.updated), len(again.events)) == (0, 0, 0)


def test_events_say_which_score_confirmed_or_resolved_it_and_the_alert_that_it_was_transient() -> None:
    fleet = Fleet()
    alert_id = streamed(fleet)
    fleet.run(score("d1", 10, 0.91))
    fleet.run(score("d1", 11, 0.95))
    fleet.run(score("d1", 12, 0.2))
    assert fleet.events.loc[fleet.events["alert_id"] == alert_id, "note"].tolist() == [
        "The models confirm it: highest score 0.91 in the window ending 2026-06-01 10:00 UTC",
        "It was transient: highest score 0.20 in the window ending 2026-06-01 12:00 UTC",
    ]
    alert = of(fleet, alert_id)
    assert alert["resolved_at"] == pd.Timestamp(run_time(12))
    assert alert["note"] == (
        "Seen in the readings by the rule compressor_overload. "
        "It was transient: highest score 0.20 in the window ending 2026-06-01 12:00 UTC"
    )


def test_a_repeat_in_the_window_shows_that_it_is_not_over() -> None:
    fleet = Fleet()
    told, repeat = streamed(fleet), streamed(fleet, 9.9, repeats=ONSET)
    fleet.run(score("d1", 10, 0.1))
    assert of(fleet, told)["status"] == "OPEN"
    withdrawn = fleet.alerts["alert_id"] == repeat
    fleet.alerts.loc[withdrawn, "alert_type"] = "ANOMALY_RESOLVED"
    fleet.run(score("d1", 10, 0.1))
    assert of(fleet, told)["status"] == "RESOLVED", "the repeat was none"
    assert of(fleet, repeat)["suppressed"]


@pytest.mark.parametrize("status", ["ACKNOWLEDGED", "IN_PROGRESS"])
def test_work_that_somebody_has_begun_is_judged_too(status: str) -> None:
    fleet = Fleet()
    alert_id = streamed(fleet)
    fleet.person_sets(alert_id, status, run_time(9.5))
    fleet.run(score("d1", 10, 0.9))
    assert (of(fleet, alert_id)["status"], of(fleet, alert_id)["alert_type"]) == (status, "ANOMALY_SUSTAINED")
    fleet.run(score("d1", 11, 0.1))
    assert of(fleet, alert_id)["status"] == "RESOLVED"


@pytest.mark.parametrize("status", ["RESOLVED", "FALSE_POSITIVE"])
@pytest.mark.parametrize("value", [0.1, 0.9])
def test_what_a_person_closed_stays_as_that_person_left_it(status: str, value: float) -> None:
    fleet = Fleet()
    alert_id = streamed(fleet)
    fleet.person_sets(alert_id, status, run_time(9.5))
    before = of(fleet, alert_id)
    fleet.run(score("d1", 10, value))
    assert of(fleet, alert_id)["status"] == before["status"]
    assert of(fleet, alert_id)["alert_type"] == before["alert_type"]


def test_the_fallback_neither_confirms_nor_resolves_it() -> None:
    for value in (0.1, 0.9):
        fleet = Fleet()
        alert_id = streamed(fleet)
        fleet.run(score("d1", 10, value), source="rules_fallback")
        assert of(fleet, alert_id)["status"] == "OPEN"
        assert of(fleet, alert_id)["alert_type"] == "ANOMALY_DETECTED"


def test_quiet_windows_and_new_alerts_of_the_device_do_not_close_it() -> None:
    fleet = Fleet()
    alert_id = streamed(fleet)
    fleet.run(score("d1", 10, 0.6))
    fleet.run(score("d1", 11, 0.6))
    fleet.run(score("d1", 12, 0.7, contributors=[SUPERHEAT]))
    assert of(fleet, alert_id)["status"] == "OPEN"


# --- batch alerts beside an active alert of the stream


def test_an_overload_that_lasts_for_hours_is_told_once_and_every_window_is_kept() -> None:
    fleet = Fleet()
    alert_id = streamed(fleet)
    for hour in range(10, 16):
        generated = fleet.run(score("d1", hour, 0.97, contributors=[CURRENT]))
        assert generated.new["suppressed"].tolist() == [True]
        assert (
            announcements(worth_telling(generated, window(hour).to_pydatetime()), "", run_time(hour), fleet.settings)
            == []
        )
    batch = fleet.alerts[fleet.alerts["source"] == "models"]
    assert len(batch) == 6
    assert set(batch["alert_type"]) == {"ANOMALY_SUSTAINED"}
    assert set(batch["first_detected_at"]) == {of(fleet, alert_id)["first_detected_at"]}
    assert set(batch["status"]) == {"RESOLVED"}
    assert fleet.active["alert_id"].tolist() == [alert_id]
    notes = fleet.events.loc[fleet.events["alert_id"].isin(batch["alert_id"]), "note"]
    assert set(notes) == {f"The stream told of it as alert {alert_id}, kept for audit: CRITICAL"}


@pytest.mark.parametrize(
    ("rule", "contributor", "left_to_stream"),
    [
        (OVERLOAD.name, CURRENT, True),
        (OVERLOAD.name, OVERLOAD.contributor, True),
        (OVERLOAD.name, SPREAD, True),
        (OVERLOAD.name, VIBRATION, False),
        (OVERLOAD.name, "no_such_feature", False),
        (PRESSURE_LOSS.name, "pressure_ratio", True),
        (PRESSURE_LOSS.name, "pressure_high_mean", False),
    ],
)
def test_only_what_is_about_the_sensor_of_the_stream_is_left_to_it(
    rule: str, contributor: str, left_to_stream: bool
) -> None:
    fleet = Fleet()
    streamed(fleet, rule=rule)
    new = fleet.run(score("d1", 10, 0.97, contributors=[contributor])).new.iloc[0]
    assert new["suppressed"] == left_to_stream
    assert (new["first_detected_at"] < window(9.5)) == left_to_stream


def test_alerts_without_contributors_and_of_other_devices_are_told_as_ever() -> None:
    fleet = Fleet()
    streamed(fleet)
    new = fleet.run(score("d1", 10, 0.9, contributors=[]), score("d2", 10, 0.9, contributors=[CURRENT])).new
    assert new["suppressed"].tolist() == [False, False]


@pytest.mark.parametrize("status", ["RESOLVED", "FALSE_POSITIVE"])
@pytest.mark.parametrize("contributor", [CURRENT, OVERLOAD.contributor])
def test_once_a_person_has_closed_it_what_the_models_still_flag_is_told(status: str, contributor: str) -> None:
    fleet = Fleet()
    alert_id = streamed(fleet)
    fleet.run(score("d1", 10, 0.97, contributors=[contributor]))
    fleet.person_sets(alert_id, status, run_time(10.5))
    told = fleet.run(score("d1", 11, 0.97, contributors=[contributor])).new.iloc[0]
    assert (told["suppressed"], told["status"], told["severity"]) == (False, "OPEN", "CRITICAL")
    assert told["first_detected_at"] == window(11)
    assert announcements(
        worth_telling(fleet.run(score("d1", 12, 0.97)), window(12).to_pydatetime()), "", run_time(12), fleet.settings
    )


def test_a_transient_alert_does_not_keep_the_next_batch_alert_from_being_told() -> None:
    fleet = Fleet()
    streamed(fleet)
    fleet.run(score("d1", 10, 0.1))
    new = fleet.run(score("d1", 11, 0.97, contributors=[OVERLOAD.contributor])).new
    assert new["suppressed"].tolist() == [False]
    assert new["alert_type"].tolist() == ["ANOMALY_DETECTED"]


def test_an_older_batch_alert_stays_open_and_keeps_the_earlier_detection() -> None:
    fleet = Fleet()
    first = fleet.run(score("d1", 8, 0.75, contributors=[CURRENT])).new.iloc[0]
    streamed(fleet)
    risen = fleet.run(score("d1", 10, 0.97, contributors=[CURRENT])).new.iloc[0]
    assert risen["suppressed"], "the stream has said CRITICAL already"
    assert risen["first_detected_at"] == window(8)
    assert len(fleet.active) == 2
    assert of(fleet, first["alert_id"])["status"] == "OPEN"


def test_a_told_row_of_the_same_window_stays_as_it_is_when_the_stream_spoke_meanwhile() -> None:
    fleet = Fleet()
    first = score("d1", 10, 0.75, contributors=[CURRENT])
    told = fleet.run(first).new.iloc[0]
    stream = streamed(fleet, 10.1)
    both = (first, score("d1", 10, 0.96, AUTOENCODER, [CURRENT]))
    later = run_time(10.2)
    assert fleet.run(*both, now=later).updated.empty
    assert of(fleet, told["alert_id"])["severity"] == "MEDIUM"
    fleet.person_sets(stream, "RESOLVED", run_time(10.3))
    raised = fleet.run(*both, now=run_time(10.4)).updated.iloc[0]
    assert (raised["alert_id"], raised["severity"], raised["suppressed"]) == (told["alert_id"], "CRITICAL", False)


def test_an_audit_row_of_the_same_window_that_gets_worse_stays_one() -> None:
    fleet = Fleet()
    streamed(fleet)
    first = score("d1", 10, 0.7, contributors=[CURRENT])
    fleet.run(first)
    worse = fleet.run(first, score("d1", 10, 0.96, AUTOENCODER, [CURRENT]), now=run_time(10.2)).updated
    worse = worse[worse["source"] == "models"].iloc[0]
    assert (worse["severity"], worse["suppressed"], worse["status"]) == ("CRITICAL", True, "RESOLVED")


def test_alerts_of_the_fallback_are_left_to_the_stream_too() -> None:
    fleet = Fleet()
    streamed(fleet)
    new = fleet.run(score("d1", 10, 0.97, contributors=[CURRENT]), source="rules_fallback").new
    assert new["suppressed"].tolist() == [True]


def test_the_stream_and_the_models_have_spans_of_their_own() -> None:
    fleet = Fleet()
    fleet.run(score("d1", 8, 0.97, contributors=[OVERLOAD.contributor]))
    fleet.run(score("d1", 9, 0.1))
    fleet.run(score("d1", 9.25, 0.1))
    assert fleet.active.empty
    stream = streamed(fleet, 10.1)
    fleet.person_sets(stream, "RESOLVED", run_time(10.5))
    back = fleet.run(score("d1", 11, 0.97, contributors=[OVERLOAD.contributor]))
    assert back.new["suppressed"].tolist() == [True], "a repeat of what the models told at eight"
    assert fleet.active["source"].tolist() == ["models"], "and that one is open again"


def test_a_confirmed_alert_is_not_told_again_by_the_batch_path() -> None:
    fleet = Fleet()
    streamed(fleet, 9.9)
    generated = fleet.run(score("d1", 10, 0.97, contributors=[CURRENT]))
    assert generated.updated["window_end"].tolist() == [window(10)]
    assert announcements(worth_telling(generated, window(10).to_pydatetime()), "", run_time(10), fleet.settings) == []
