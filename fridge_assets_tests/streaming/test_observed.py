"""What the stream has found, as evidence of incidents (SPEC 5, 6.1)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from fridge_assets.incidents.known import newest_incidents
from fridge_assets.incidents.observations import Seen
from fridge_assets.incidents.state import Incident
from fridge_assets.incidents.store import observe
from fridge_assets.incidents.terms import Sign
from fridge_assets.incidents.together import Fleet
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import Operations, device_alerts, outbox
from fridge_assets.streaming.engine import Changes, Onset, OnsetKey
from fridge_assets.streaming.observed import alert_id_of, delivered_late, observed_in, storm_rule
from fridge_assets.streaming.rules import OVERLOAD, PRESSURE_LOSS

AT = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def onset(device: str = "d1", at: datetime = AT, rule: str = OVERLOAD.name) -> Onset:
    return Onset(device, rule, at, 47.0, 40.0, 40.0)


def key(at: datetime, device: str = "d1", rule: str = OVERLOAD.name) -> OnsetKey:
    return OnsetKey(device, rule, at)


class Stream:
    """Batches of a stream, stored."""

    def __init__(self, operations: Operations, settings: Settings) -> None:
        self.operations, self.settings = operations, settings

    def finds(self, *new: Onset, gone: Sequence[OnsetKey] = (), now: datetime = AT + MINUTE) -> None:
        """A batch shows new onsets, and takes others back."""
        sites = {one.device_id: "s1" for one in new}
        observed = observed_in(Changes(new, gone), sites, self.settings)
        fleet = Fleet({}, storm_rule(self.settings.streaming))
        untold = delivered_late(new, now, self.settings.streaming)
        with self.operations.transaction() as connection:
            observe(connection, observed, fleet, now, self.settings.alerts, untold=untold)

    def incident(self, device: str = "d1") -> Incident:
        """The newest incident of a device."""
        with self.operations.read() as connection:
            found, newest = newest_incidents(connection, [device])
        return found[newest[device]]

    def alerts(self) -> list[sa.Row[tuple[object, ...]]]:
        """All evidence, oldest first."""
        with self.operations.read() as connection:
            return list(connection.execute(sa.select(device_alerts).order_by(device_alerts.c.first_detected_at)))

    def titles(self) -> list[str]:
        """What was said."""
        with self.operations.read() as connection:
            return list(connection.scalars(sa.select(outbox.c.title).order_by(outbox.c.number)))


@pytest.fixture
def stream(operations: Operations, settings: Settings) -> Stream:
    return Stream(operations, settings)


def test_an_onset_is_critical_evidence_of_the_window_that_it_falls_into(settings: Settings) -> None:
    (one,) = observed_in(Changes([onset()]), {"d1": "s1"}, settings)
    seen = one.observation
    assert isinstance(seen, Seen)
    assert seen.evidence_id == alert_id_of("d1", OVERLOAD.name, AT)
    assert (seen.severity.name, seen.sign, seen.at) == ("CRITICAL", Sign("current_compressor", "high"), AT)
    assert seen.window.starts_at == AT - 7 * MINUTE
    assert seen.window.ends_at == AT + 8 * MINUTE
    assert one.measured is not None
    assert one.measured.description == "Compressor current was 47 A at 12:07:00 UTC, the limit is 40 A."


def test_a_loss_of_pressure_is_off_to_the_low_side(settings: Settings) -> None:
    (one,) = observed_in(Changes([onset(rule=PRESSURE_LOSS.name)]), {}, settings)
    assert isinstance(one.observation, Seen)
    assert one.observation.sign == Sign("pressure_low_side", "low")
    assert one.observation.site_id == "unassigned"


def test_an_onset_is_told_once_however_often_it_is_found(stream: Stream) -> None:
    stream.finds(onset())
    stream.finds(onset())
    assert len(stream.alerts()) == 1
    assert stream.titles() == ["CRITICAL: d1 in s1: Compressor overload"]


def test_further_onsets_of_the_rule_are_repeats_and_another_rule_is_told(stream: Stream) -> None:
    stream.finds(onset())
    stream.finds(onset(at=AT + 2 * HOUR), now=AT + 2 * HOUR)
    stream.finds(onset(at=AT + 3 * HOUR, rule=PRESSURE_LOSS.name), now=AT + 3 * HOUR)
    assert [alert.suppressed_because for alert in stream.alerts()] == [None, "repeat", None]
    assert len({alert.incident_id for alert in stream.alerts()}) == 1
    assert stream.titles()[-1] == "CRITICAL, another sensor: d1 in s1: Acute loss of low-side pressure"


def test_an_onset_that_moves_is_the_same_incident_and_not_told_again(stream: Stream) -> None:
    stream.finds(onset())
    before = stream.incident()
    stream.finds(onset(at=AT - MINUTE), gone=[key(AT)])
    after = stream.incident()
    assert (after.incident_id, after.is_open, after.first_detected_at) == (before.incident_id, True, AT - MINUTE)
    assert len(stream.titles()) == 1


def test_what_late_readings_disprove_is_withdrawn_and_opens_again_when_it_is_back(stream: Stream) -> None:
    stream.finds(onset())
    stream.finds(gone=[key(AT)])
    assert stream.incident().closed_because == "withdrawn"
    stream.finds(onset(), now=AT + 5 * MINUTE)
    assert stream.incident().is_open


def test_the_order_in_which_a_batch_is_found_changes_nothing(settings: Settings) -> None:
    many = [onset("d2"), onset("d1", AT + MINUTE), onset("d1")]
    gone = [key(AT - HOUR), key(AT - 2 * HOUR)]
    forwards = observed_in(Changes(many, gone), {}, settings)
    assert forwards == observed_in(Changes(many[::-1], gone[::-1]), {}, settings)


def test_what_is_found_a_day_late_in_delivered_history_is_stored_and_told_to_nobody(stream: Stream) -> None:
    stream.finds(onset(), onset("d2", AT + 20 * HOUR), now=AT + 25 * HOUR)
    assert {alert.device_id: alert.suppressed_because for alert in stream.alerts()} == {"d1": "silenced", "d2": None}
    assert stream.titles() == ["CRITICAL: d2 in s1: Compressor overload"]


def test_more_devices_than_people_can_read_are_one_storm(stream: Stream) -> None:
    many = stream.settings.streaming.storm_alerts + 1
    stream.finds(*(onset(f"d{number}") for number in range(many)))
    assert stream.titles() == [f"CRITICAL: {many} devices have trouble within 5 min"]
    stream.finds(onset("d99"), now=AT + 2 * MINUTE)
    assert len(stream.titles()) == 1
    stream.finds(onset("d100", AT + HOUR), now=AT + HOUR)
    assert stream.titles()[1:] == ["CRITICAL: d100 in s1: Compressor overload"]
