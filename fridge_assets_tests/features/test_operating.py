"""How a machine ran: its states, the runs of its compressor and its defrosts, as a technician would call them."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fridge_assets.features.compute import compute_features
from fridge_assets.readings.ingest import ingest
from fridge_assets.stores.frames import query
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.conftest import landing_of, settings_of
from fridge_assets_tests.readings.deliveries import NO_SENSOR, Row, at, moment, reading, write

Machine = Callable[[int], Row]
"""What a device reads in a minute, beside a healthy reading."""


def operated(folder: Path, rows: list[Row], parts: Iterable[list[int]] | None = None) -> pd.DataFrame:
    """Features of ``rows``, delivered in ``parts`` (numbers of rows) with features computed after each."""
    chosen = settings_of(folder)
    warehouse = Warehouse.from_settings(chosen)
    now = moment(4 * 1440)
    for number, part in enumerate(parts or [list(range(len(rows)))]):
        write(chosen.landing_dir / f"{number}.csv", [rows[i] for i in part])
        ingest(landing_of(chosen), warehouse, None, now, chosen)
        compute_features(warehouse, now, chosen.features)
    with warehouse.read() as connection:
        return query(connection, "SELECT * FROM device_features ORDER BY device_id, window_start")


def rows_of(machine: Machine, minutes: Iterable[int], device: str = "d1") -> list[Row]:
    return [reading(minute, device, **machine(minute)) for minute in minutes]


def display_case(minute: int) -> Row:
    """Runs for 100 minutes, then stands for 20 while the frost of its coil melts; no sensor tells of it."""
    phase = minute % 120
    if phase < 100:
        return {"temperature_evaporator": -3.5, "current_compressor": 8.0, "defrost_cycle": None}
    return {"temperature_evaporator": min(0.2 + 0.5 * (phase - 100), 9.0), "current_compressor": 0.1,
            "defrost_cycle": None}  # fmt: skip


def cycling(current: float, idle: float) -> Machine:
    """Eight minutes on, twelve off, the coil of a freezer between -26 and -16 °C."""

    def read(minute: int) -> Row:
        on = minute % 20 < 8
        coil = -26.0 + 1.2 * (7 - minute % 20) if on else min(-26.0 + 2.5 * (minute % 20 - 7), -16.0)
        return {"current_compressor": current if on else idle, "temperature_evaporator": coil, "defrost_cycle": None}

    return read


@pytest.mark.parametrize(("current", "idle"), [(0.3, 0.02), (1.5, 0.3), (12.0, 0.1), (40.0, 2.0)])
def test_cycling_is_seen_whatever_the_size_of_the_compressor(tmp_path: Path, current: float, idle: float) -> None:
    features = operated(tmp_path, rows_of(cycling(current, idle), range(240)))
    assert set(features["operating_state"]) == {"cycling"}
    assert features["compressor_run_share"].mean() == pytest.approx(0.4)
    # Those that fall on the first reading of a window are in no window.
    assert features["compressor_starts"].sum() == 240 / 20 - 240 / 60
    assert features["longest_run_minutes"].max() == 8
    assert features["defrost_count"].sum() == 0


def test_defrosts_that_no_sensor_tells_of_are_found_to_the_minute(tmp_path: Path) -> None:
    features = operated(tmp_path, rows_of(display_case, range(480)))
    assert features["defrost_minutes"].sum() == 4 * 20
    assert list(features["minutes_since_defrost"].dropna().iloc[:3]) == [0.0, 0.0, 15.0]
    assert set(features["operating_state"]) == {"running", "defrost"}
    in_defrost = features["operating_state"] == "defrost"
    assert list(np.flatnonzero(in_defrost)) == [6, 7, 14, 15, 22, 23, 30, 31]


def test_a_sensor_of_the_defrost_is_believed_before_the_coil(tmp_path: Path) -> None:
    features = operated(
        tmp_path, rows_of(lambda m: {**display_case(m), "defrost_cycle": 100 <= m % 120 < 105}, range(240))
    )
    assert features["defrost_minutes"].sum() == 2 * 5
    assert list(features["operating_state"].iloc[6:8]) == ["defrost", "off"]


def test_a_sensor_that_has_never_told_of_a_defrost_is_not_believed(tmp_path: Path) -> None:
    features = operated(tmp_path, rows_of(lambda m: {**display_case(m), "defrost_cycle": False}, range(480)))
    assert features["defrost_minutes"].sum() == 4 * 20
    assert set(features["operating_state"]) == {"running", "defrost"}


def test_a_sensor_is_believed_from_the_first_defrost_that_it_tells_of_however_the_history_came(tmp_path: Path) -> None:
    def read(minute: int) -> Row:
        told = minute >= 240 and 100 <= minute % 120 < 105
        return {**display_case(minute), "defrost_cycle": told}

    rows = [row | {"timestamp_ingested": at(600)} for row in rows_of(read, range(480))]
    features = operated(tmp_path / "whole", rows)
    assert features["defrost_minutes"].iloc[:16].sum() == 2 * 20
    assert features["defrost_minutes"].iloc[16:].sum() == 2 * 5
    parts = [list(range(300, 480)), list(range(300))]
    pd.testing.assert_frame_equal(operated(tmp_path / "pieces", rows, parts), features, check_exact=True)


def test_a_machine_that_is_switched_off_is_off_then_at_a_standstill_and_not_in_defrost_for_hours(
    tmp_path: Path,
) -> None:
    def read(minute: int) -> Row:
        return display_case(0 if minute < 120 else 119 if minute < 600 else 0)

    states = list(operated(tmp_path, rows_of(read, range(720)))["operating_state"])
    assert states == ["running"] * 8 + ["defrost"] * 4 + ["off"] * 7 + ["standstill"] * 21 + ["running"] * 8


def test_a_warm_coil_that_the_compressor_cools_is_a_pull_down(tmp_path: Path) -> None:
    coil = {minute: max(20.0 - 0.7 * minute, -25.0) for minute in range(150)}
    features = operated(tmp_path, rows_of(lambda m: {"temperature_evaporator": coil[m]}, range(150)))
    assert list(features["operating_state"]) == ["pull-down"] * 4 + ["running"] * 6
    assert features["pull_down_rate"].iloc[0] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("running", "standing"),
    [
        ({"vibration_compressor": 3.0}, {"vibration_compressor": 0.1}),
        (
            {"temperature_discharge": 60.0, "temperature_ambient": 21.0},
            {"temperature_discharge": 31.0, "temperature_ambient": 21.0},
        ),
        (
            {"pressure_high_side": 1780.0, "pressure_low_side": 371.0},
            {"pressure_high_side": 610.0, "pressure_low_side": 600.0},
        ),
    ],
)
def test_without_a_current_sensor_vibration_temperatures_or_pressures_tell(
    tmp_path: Path, running: Row, standing: Row
) -> None:
    features = operated(
        tmp_path,
        rows_of(lambda m: {**NO_SENSOR, "humidity": 40.0, **(running if m % 10 < 4 else standing)}, range(60)),
    )
    assert set(features["operating_state"]) == {"cycling"}
    assert features["compressor_run_share"].mean() == pytest.approx(0.4, abs=0.01)


def test_where_nothing_tells_the_state_is_unknown_and_nothing_is_made_up(tmp_path: Path) -> None:
    features = operated(tmp_path, rows_of(lambda _: {**NO_SENSOR, "temperature_evaporator": 5.0}, range(30)))
    assert set(features["operating_state"]) == {"unknown"}
    columns = ["compressor_run_share", "compressor_starts", "defrost_count", "minutes_since_defrost"]
    assert features[columns].isna().all().all()


def test_five_minutes_apart_readings_stand_for_the_time_between_and_further_apart_for_a_state_only(
    tmp_path: Path,
) -> None:
    five = operated(tmp_path / "five", rows_of(display_case, range(0, 480, 5)))
    assert five["defrost_minutes"].sum() == 4 * 20
    assert five["compressor_run_share"].notna().all()
    for name, first, apart in (("quarter", 10, 15), ("hour", 45, 60)):
        coarse = operated(tmp_path / name, rows_of(display_case, range(first, 480, apart)))
        assert set(coarse["operating_state"]) == {"running", "defrost"}
        times = ["compressor_run_share", "compressor_starts", "longest_run_minutes", "defrost_minutes"]
        assert coarse[times].isna().all(axis=None)


def test_how_the_history_came_in_pieces_changes_no_bit_of_what_depends_on_the_windows_before(tmp_path: Path) -> None:
    def read(minute: int) -> Row:
        # The second day is at rest: only the day before tells what its compressor draws.
        at_rest = 1300 <= minute < 2900
        return {**display_case(119), "current_compressor": 0.5} if at_rest else display_case(minute)

    rows = [
        row | {"timestamp_ingested": at(3 * number + (600 if number % 9 == 0 else 0.5))}
        for number, row in enumerate(rows_of(read, range(0, 3200, 3)))
    ]
    undisturbed = operated(tmp_path / "whole", rows)
    assert {"standstill", "off"} < set(undisturbed["operating_state"])
    rng = np.random.default_rng(3)
    for name in ("days backwards", "hours shuffled", "readings shuffled"):
        pieces = np.arange(len(rows))
        if name == "readings shuffled":
            pieces = rng.permutation(pieces)
        cuts = [int(cut) for cut in np.linspace(0, len(rows), 5)]
        parts = [[int(i) for i in pieces[start:stop]] for start, stop in pairwise(cuts)]
        parts = parts[::-1] if name == "days backwards" else [parts[i] for i in rng.permutation(len(parts))]
        pd.testing.assert_frame_equal(operated(tmp_path / name, rows, parts), undisturbed, check_exact=True)


def test_a_late_reading_of_a_defrost_reaches_every_window_after_it(tmp_path: Path) -> None:
    rows = rows_of(lambda _: {"defrost_cycle": False}, range(600))
    rows.append(reading(20.5, defrost_cycle=True, timestamp_ingested=at(700)))
    late = operated(tmp_path, rows, [list(range(600)), [600]])
    assert list(late["minutes_since_defrost"].iloc[1:4]) == [9.0, 24.0, 39.0]
    assert late["minutes_since_defrost"].iloc[-1] == 600 - 21


def test_late_readings_that_lie_days_apart_reach_the_windows_after_each_of_them(tmp_path: Path) -> None:
    third_day = 2 * 1440
    rows = rows_of(lambda minute: {"defrost_cycle": minute == 3}, [*range(60), *range(third_day, third_day + 90)])
    rows += [reading(m + 20.5, defrost_cycle=True, timestamp_ingested=at(m + 200)) for m in (0, third_day)]
    late = operated(tmp_path, rows, [list(range(150)), [150, 151]])
    assert list(late["minutes_since_defrost"].iloc[-5:]) == [9.0, 24.0, 39.0, 54.0, 69.0]
