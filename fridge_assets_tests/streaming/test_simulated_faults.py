"""The rules on the simulated fleet: its acute faults in time, nothing on what is healthy, and the same in hindsight."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
import sqlalchemy as sa

from fridge_assets.incidents.rows import incident_from
from fridge_assets.readings.ingest import ingest
from fridge_assets.registry.devices import complete_registry
from fridge_assets.settings import Settings, StreamingSettings
from fridge_assets.simulation import Fleet, simulate_registry, write_fleet
from fridge_assets.simulation.arrival import Arrivals
from fridge_assets.simulation.delivery import Delivery
from fridge_assets.simulation.faults import FaultShare
from fridge_assets.stores.frames import registered
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations, device_alerts, incidents
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.backtest import backtest
from fridge_assets.streaming.engine import Engine, Onset
from fridge_assets.streaming.observed import alert_id_of
from fridge_assets.streaming.thresholds import thresholds_in_force
from fridge_assets_tests.scenarios.stream_kills import settings_of, stream
from fridge_assets_tests.streaming.naive_rules import naive_onsets
from fridge_assets_tests.streaming.reading_rows import Row

START = datetime(2026, 2, 1, tzinfo=UTC)
RULE_OF = {
    "compressor_overload": "compressor_overload",
    "vibration_spike": "vibration_spike",
    "rapid_pressure_loss": "acute_pressure_loss",
    "total_cooling_loss": "total_cooling_loss",
}
"""Acute fault → the rule that is there for it."""


def fleet(devices: int, hours: float, faults: Sequence[str] = (), share: float = 0.1, seed: int = 9) -> Fleet:
    end = START + timedelta(hours=hours)
    planned = [FaultShare(fault, share) for fault in faults]
    delivery = Delivery(duplicates=0.01, late=0.02, very_late=0.001, nulls=0.002)
    return Fleet(simulate_registry(devices, seed), seed, START, end, planned, delivery=delivery)


def streamed(simulated: Fleet, step: timedelta) -> list[Onset]:
    """Onsets of the readings as they arrive, ``step`` by ``step``."""
    engine, arrivals, found = Engine(StreamingSettings()), Arrivals(simulated), {}
    start = simulated.start
    while start < simulated.end:
        with registered(engine.connection, coming=arrivals.between(start, start + step)):
            changes = engine.take(
                "SELECT device_id, '' AS part, 0 AS delivery, timestamp_device AS timestamp_utc, timestamp_ingested, "
                "current_compressor, vibration_compressor, pressure_low_side, temperature_evaporator, defrost_cycle, "
                "row_number() OVER () AS arrival FROM coming"
            )
        for gone in changes.withdrawn:
            del found[gone.device_id, gone.rule, gone.at]
        found |= {(o.device_id, o.rule, o.at): o for o in changes.new}
        start += step
    engine.close()
    return list(found.values())


def rows_of(table: pa.Table) -> list[Row]:
    names = ("current_compressor", "vibration_compressor", "pressure_low_side", "temperature_evaporator")
    return [
        Row(r["timestamp_device"], r["device_id"], *(r[name] for name in names), r["defrost_cycle"])
        for r in table.to_pylist()
    ]


def test_every_acute_fault_is_found_within_two_minutes_of_meeting_its_rule() -> None:
    simulated = fleet(60, 3, list(RULE_OF))
    found = streamed(simulated, timedelta(minutes=1))
    truth = simulated.ground_truth
    first = {(o.device_id, o.rule): o.at for o in sorted(found, key=lambda o: o.at, reverse=True)}
    assert len(truth) == 24
    rows = rows_of(simulated.readings(START, simulated.end))
    met = naive_onsets(rows, StreamingSettings())
    unseen = []
    for device, fault, onset in zip(truth["device_id"], truth["fault"], truth["onset"], strict=True):
        rule = RULE_OF[fault]
        times = [at for d, r, at in met if (d, r) == (device, rule) and at >= onset]
        if times:
            # A minute's readings come together, so what is found in them is at most a minute old.
            assert abs(first[device, rule] - min(times)) <= timedelta(minutes=1), (device, rule)
        else:
            unseen.append((device, fault))
            defrosts = [r.at for r in rows if r.defrost_cycle and r.device_id == device]
            assert fault == "rapid_pressure_loss", "only a defrost hides a fault, and only this one"
            assert any(abs(at - onset) < timedelta(minutes=6) for at in defrosts)
    assert len(unseen) <= 1
    faulty = set(zip(truth["device_id"], truth["fault"], strict=True)) - set(unseen)
    assert {(o.device_id, o.rule) for o in found} == {(device, RULE_OF[fault]) for device, fault in faulty}


def test_thirty_days_of_a_healthy_fleet_raise_nothing() -> None:
    assert streamed(fleet(3, 24 * 30), timedelta(hours=12)) == []


@pytest.mark.parametrize("fault", ["door_left_open", "intermittent_dropout", "evaporator_icing"])
def test_doors_gaps_and_longer_defrosts_are_no_acute_failures(fault: str) -> None:
    assert streamed(fleet(8, 48, [fault], share=0.5), timedelta(hours=3)) == []


def test_the_backtest_says_what_the_live_stream_said(settings: Settings) -> None:
    simulated = fleet(40, 5, list(RULE_OF))
    registry = settings.root / "device_registry.csv"
    write_fleet(simulated, settings.landing_dir, registry, settings.root / "truth.parquet", rows_per_file=3_000)
    live = settings_of(settings.root, batch_bytes=200_000)
    ever = {"told_within": timedelta(days=36_500)}
    live = live.model_copy(update={"streaming": live.streaming.model_copy(update=ever)})
    stream(live)
    operations = Operations(settings.operations_database)
    with operations.read() as connection:
        columns = device_alerts.c
        stored = connection.execute(sa.select(columns.alert_id, columns.suppressed_because)).all()
        known = [incident_from(row) for row in connection.execute(sa.select(incidents)).mappings()]
        thresholds = thresholds_in_force(connection)
    standing = {onset.evidence_id for incident in known for onset in incident.onsets}
    assert len(standing) > 16

    warehouse = Warehouse.from_settings(settings)
    landing = Landing(settings.landing_dir, operations)
    report = ingest(landing, warehouse, complete_registry(simulated.registry, "registry"), simulated.end, settings)
    assert report.clean > 10_000
    seen = backtest(warehouse, thresholds, START, simulated.end, live)
    found = dict(zip((alert_id_of(o.device_id, o.rule, o.at) for o in seen.onsets), seen.told, strict=True))
    assert found.keys() == standing
    told = {alert for alert, held in stored if alert in standing and held in (None, "part_of_site")}
    assert {alert for alert, is_told in found.items() if is_told} == told
    assert seen.too_late > 0

    second_half = backtest(warehouse, thresholds, START + timedelta(hours=3), simulated.end, live)
    assert [(o.device_id, o.rule, o.at) for o in second_half.onsets] == [
        (o.device_id, o.rule, o.at) for o in seen.onsets if o.at >= START + timedelta(hours=3)
    ]
