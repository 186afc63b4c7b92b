"""A machine that cycles, rests and defrosts is learned from whole, however seldom it sends and whatever it lacks."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from fridge_assets.features.compute import compute_features
from fridge_assets.models.autoencoder import CohortAutoencoder
from fridge_assets.models.selection import select_training_rows
from fridge_assets.models.statistical_baseline import StatisticalBaseline
from fridge_assets.models.training import train
from fridge_assets.readings.ingest import ingest
from fridge_assets.registry.devices import effective_registry, with_cohort
from fridge_assets.scoring.score import held_scores
from fridge_assets.settings import Settings
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.conftest import landing_of, settings_of
from fridge_assets_tests.readings.deliveries import Row, at, moment, write

HOURS = 40
SIX = ("temperature_evaporator", "temperature_condenser", "temperature_ambient", "pressure_low_side",
       "pressure_high_side", "current_compressor")  # fmt: skip


def display_case(every: int, sensors: tuple[str, ...] = ()) -> list[Row]:
    """A reading every so many minutes: 8 min running, 12 min at rest, a defrost of 20 min every 5 h.

    At rest and in defrosts condenser, discharge, pressures and subcooling are out of their plausible range.
    """
    rng, rows = np.random.default_rng(3), []
    for minute in range(0, HOURS * 60, every):
        defrost = minute % 300 < 20
        runs = not defrost and minute % 20 < 8
        values = {
            "temperature_evaporator": 9.0 if defrost else -4.0 if runs else -2.0,
            "temperature_condenser": 36.0 if runs else -3.0 if defrost else 14.0,
            "temperature_ambient": 23.0,
            "temperature_discharge": 60.0 if runs else 26.0,
            "temperature_suction": 9.0,
            "pressure_low_side": 260.0 if runs else 460.0,
            "pressure_high_side": 1300.0 if runs else 470.0,
            "current_compressor": 9.0 if runs else 0.1,
            "superheat": 15.0 if runs else 12.0,
            "subcooling": 2.0 if runs else -22.0,
        }
        noisy = {name: round(value + float(rng.normal(0, 0.05)), 3) for name, value in values.items()}
        row = {**noisy, "defrost_cycle": defrost}
        kept = {name: value for name, value in row.items() if not sensors or name in sensors}
        rows.append({"device_id": "case", "timestamp": at(minute), **kept})
    return rows


def stored(folder: Path, rows: list[Row]) -> tuple[Settings, datetime]:
    """A data folder with features of ``rows``, and a moment after them."""
    settings, now = settings_of(folder), moment(HOURS * 60 + 20)
    write(settings.landing_dir / "a.csv", rows)
    warehouse = Warehouse.from_settings(settings)
    ingest(landing_of(settings), warehouse, None, now, settings)
    compute_features(warehouse, now, settings.features)
    return settings, now


@pytest.mark.parametrize(("every", "sensors"), [(1, ()), (5, ()), (15, ()), (60, ()), (1, SIX), (15, SIX)])
def test_every_window_is_learned_from_with_defaults(every: int, sensors: tuple[str, ...], tmp_path: Path) -> None:
    settings, now = stored(tmp_path, display_case(every, sensors))
    warehouse = Warehouse.from_settings(settings)
    devices = with_cohort(effective_registry(settings.root, warehouse))
    with warehouse.read() as connection:
        rows = select_training_rows(connection, devices, now, settings, "window")
    assert len(rows) == HOURS * 60 // max(every, 15)
    assert rows["temp_condenser_mean"].min() < 0
    version = train(StatisticalBaseline, rows, settings, now).version
    complete, left_out = version.imputer.apply(rows)
    assert left_out.empty
    assert np.isfinite(version.score(complete)).all()
    assert not any(name.startswith("vibration") for name in version.metadata.features)


@pytest.mark.parametrize("every", [1, 5])
def test_fourteen_hours_of_a_machine_whose_defrosts_no_sensor_tells_do_not_flag_the_next_day(
    every: int, tmp_path: Path
) -> None:
    told = display_case(every)
    untold = [{name: value for name, value in row.items() if name != "defrost_cycle"} for row in told]
    settings, now = stored(tmp_path, untold)
    warehouse = Warehouse.from_settings(settings)
    devices = with_cohort(effective_registry(settings.root, warehouse))
    with warehouse.read() as connection:
        rows = select_training_rows(connection, devices, now, settings, "window")
    assert (rows["operating_state"] == "defrost").sum() > 10
    first = rows["window_end"] <= rows["window_end"].min() + timedelta(hours=14)
    for family in (StatisticalBaseline, CohortAutoencoder):
        version = train(family, rows[first], settings, now).version
        assert version.metadata.provisional == "trained on 14 h 15 min of one device"
        scores, _ = held_scores(version, rows[~first], settings.scoring)
        assert (scores > version.metadata.threshold).mean() < 0.02
        assert scores.max() < 0.70


def test_a_window_with_half_of_what_its_device_sends_is_not(tmp_path: Path) -> None:
    rows = display_case(1, SIX)
    first_half = [row for number, row in enumerate(rows) if not (number // 15 == 9 and number % 15 >= 7)]
    settings, now = stored(tmp_path, first_half)
    warehouse = Warehouse.from_settings(settings)
    devices = with_cohort(effective_registry(settings.root, warehouse))
    with warehouse.read() as connection:
        selected = select_training_rows(connection, devices, now, settings, "window")
    assert len(selected) == HOURS * 4 - 1
