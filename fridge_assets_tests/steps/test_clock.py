"""What time it is for a run (SPEC 9, ``--as-of``)."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.warehouse import Warehouse

MOMENT = datetime(2026, 1, 31, 13, 45, tzinfo=UTC)


def clock(warehouse: Warehouse, settings: Settings, as_of: str) -> Clock:
    return Clock(warehouse=warehouse, settings=settings, as_of=as_of)


def test_a_given_moment_is_the_time_of_the_run(warehouse: Warehouse, settings: Settings) -> None:
    assert clock(warehouse, settings, "2026-01-31T13:45:00Z").now() == MOMENT


@pytest.mark.parametrize("before", [timedelta(seconds=1), timedelta(minutes=14), timedelta(minutes=15)])
def test_latest_is_when_the_window_of_the_newest_reading_is_closed(
    before: timedelta, warehouse: Warehouse, settings: Settings
) -> None:
    with warehouse.transaction() as connection:
        for device, age in (("a", before), ("b", timedelta(hours=1))):
            connection.execute(
                "INSERT INTO device_last_seen BY NAME SELECT ? AS device_id, ?::TIMESTAMPTZ AS last_reading_at",
                [device, MOMENT - age],
            )
    assert clock(warehouse, settings, "latest").now() == MOMENT + settings.readings.allowed_lateness


def test_latest_without_readings_says_how_to_bring_some(warehouse: Warehouse, settings: Settings) -> None:
    with pytest.raises(FridgeError, match=r"no readings yet.*fridge-assets ingest FILE"):
        clock(warehouse, settings, "latest").now()


def test_all_steps_of_a_run_share_the_moment_it_started(warehouse: Warehouse, settings: Settings) -> None:
    seen = []

    @dg.op
    def look(clock: Clock) -> None:
        seen.append(clock.now())

    @dg.job(resource_defs={"clock": clock(warehouse, settings, "")})
    def twice() -> None:
        look()
        look()

    with dg.DagsterInstance.ephemeral() as instance:
        run = twice.execute_in_process(instance=instance)
        started = instance.get_run_record_by_id(run.run_id).start_time
    assert seen == [datetime.fromtimestamp(started, UTC)] * 2


def test_outside_a_run_it_is_now(warehouse: Warehouse, settings: Settings) -> None:
    before = datetime.now(UTC)
    assert before <= clock(warehouse, settings, "").now() <= datetime.now(UTC)
