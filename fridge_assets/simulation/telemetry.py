"""How cycling machines report: when, with how many digits, and when their logger repeats itself (SPEC 10)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fridge_assets.contracts.sensor_readings import NUMERIC_SENSORS, SENSORS
from fridge_assets.simulation.conditions import MinuteArray
from fridge_assets.simulation.equipment import EquipmentModel
from fridge_assets.simulation.physics import Switches, Values
from fridge_assets.simulation.seeding import Stream, chances

DAY = 24 * 60
COARSE = {"pressure_high_side": 10.0, "pressure_low_side": 10.0, "humidity": 1.0}
"""Steps of an old logger where they are not 0.1: pressures come as 0.1 bar."""
FLAT_MINUTES = (30, 6 * 60)
LONGEST_FLAT = FLAT_MINUTES[1]
TICKS = 6
"""Readings a minute of the fastest logger."""
TICK_MICROSECONDS = 60_000_000 // TICKS


@dataclass(frozen=True)
class Loggers:
    """How each machine reports; every field has one value (or row) a machine.

    Args:
        number: position in the fleet's registry.
        ticks: readings a minute, 6 or 1.
        every: minutes between readings.
        phase: minute of ``every`` at which it reports.
        irregular: whether it skips minutes and reports at any second.
        coarse: whether its steps are those of an old logger.
        signals_defrost: whether ``defrost_cycle`` is ever set.
        missing: by sensor in the order of ``SENSORS``, whether the machine has none, machines × 14.
        flat_lines_a_day: chance of a flat line on a day.
    """

    number: npt.NDArray[np.int64]
    ticks: npt.NDArray[np.int64]
    every: npt.NDArray[np.int64]
    phase: npt.NDArray[np.int64]
    irregular: npt.NDArray[np.bool_]
    coarse: npt.NDArray[np.bool_]
    signals_defrost: npt.NDArray[np.bool_]
    missing: npt.NDArray[np.bool_]
    flat_lines_a_day: npt.NDArray[np.float64]

    @classmethod
    def of(cls, models: list[EquipmentModel], number: npt.NDArray[np.int64]) -> "Loggers":
        """The loggers of machines of these models."""
        reports = [model.telemetry for model in models]
        every = np.array([max(own.interval_seconds // 60, 1) for own in reports], np.int64)
        return cls(
            number=number.astype(np.int64),
            ticks=np.array([TICKS if own.interval_seconds < 60 else 1 for own in reports], np.int64),
            every=every,
            phase=number % every,
            irregular=np.array([own.irregular for own in reports], np.bool_),
            coarse=np.array([own.coarse for own in reports], np.bool_),
            signals_defrost=np.array([own.signals_defrost for own in reports], np.bool_),
            missing=np.array([[s.name in own.missing for s in SENSORS] for own in reports], np.bool_).reshape(
                len(models), len(SENSORS)
            ),
            flat_lines_a_day=np.array([own.flat_lines_a_day for own in reports], np.float64),
        )

    def silent(self, minutes: MinuteArray, seed: int) -> npt.NDArray[np.bool_]:
        """Minutes without a reading, minutes × machines."""
        silent: npt.NDArray[np.bool_] = (minutes[:, None] - self.phase) % self.every != 0
        if self.irregular.any():
            skipped = chances(seed, Stream.REPORTS, self.number, minutes[:, None]) < 0.5
            silent |= self.irregular & skipped
        return silent

    def seconds(self, usual: npt.NDArray[np.int64], minutes: MinuteArray, seed: int) -> npt.NDArray[np.int64]:
        """µs into the minute at which each reading is made, minutes × machines; ``usual`` is each machine's own."""
        drawn = chances(seed, Stream.REPORTS, self.number, minutes[:, None], np.array([1]))
        at_random = (drawn * 55_000_000).astype(np.int64)
        return np.where(self.irregular, at_random, np.where(self.ticks > 1, usual % TICK_MICROSECONDS, usual))

    def digitise(self, values: Values) -> None:
        """Round the readings of coarse loggers, in place."""
        for name, readings in values.items():
            step = COARSE.get(name, 0.1)
            readings[:, self.coarse] = np.round(readings[:, self.coarse] / step) * step

    def leave_out(self, values: Values, switches: Switches) -> npt.NDArray[np.int64]:
        """Remove what machines have no sensor for, in place.

        Returns:
            Positions (minute by minute, machine by machine) and sensor numbers of the switches that are missing.
        """
        positions = []
        for number, sensor in enumerate(SENSORS):
            absent = np.flatnonzero(self.missing[:, number])
            if not sensor.is_boolean:
                values[sensor.name][:, absent] = np.nan
                continue
            rows, machines = switches[sensor.name].shape
            where = (np.arange(rows)[:, None] * machines + absent).ravel()
            positions.append(np.stack([where, np.full(len(where), number)]))
        return np.concatenate(positions, axis=1)


class FlatLines:
    """Sensors that repeat what they read when their logger got stuck; spans are asked for one after another."""

    def __init__(self, loggers: Loggers, seed: int) -> None:
        self._loggers = loggers
        self._seed = seed
        self._held: dict[tuple[int, int], float] = {}

    def hold(self, minutes: MinuteArray, values: Values, machines: npt.NDArray[np.intp]) -> None:
        """Repeat values where a flat line is on, in place; ``values`` are those of ``machines``, by position."""
        for day in range(int(minutes[0]) // DAY - 1, int(minutes[-1]) // DAY + 1):
            begins, ends, sensors = self._of(day)
            on = np.flatnonzero((begins < ends) & (begins <= minutes[-1]) & (ends > minutes[0]))
            for machine in np.intersect1d(on, machines):
                column = int(np.searchsorted(machines, machine))
                readings = values[NUMERIC_SENSORS[sensors[machine]].name]
                flat = (minutes >= begins[machine]) & (minutes < ends[machine])
                key = (int(machine), day)
                if begins[machine] >= minutes[0] and key not in self._held:
                    self._held[key] = float(readings[int(begins[machine] - minutes[0]), column])
                # Only a run-up can meet a flat line whose beginning it has not seen.
                readings[flat, column] = self._held.get(key, np.nan)
        self._held = {key: held for key, held in self._held.items() if key[1] >= int(minutes[0]) // DAY - 1}

    def _of(self, day: int) -> tuple[MinuteArray, MinuteArray, npt.NDArray[np.int64]]:
        """First and last minute and sensor of the flat lines that begin on ``day``, one a machine."""
        happens, when, how_long, which = (
            chances(self._seed, Stream.FLAT_LINES, self._loggers.number, np.array([day]), np.array([draw]))
            for draw in range(4)
        )
        shortest, longest = FLAT_MINUTES
        begins = day * DAY + (when * DAY).astype(np.int64)
        lasts = np.where(happens < self._loggers.flat_lines_a_day, shortest + how_long * (longest - shortest), 0)
        return begins, begins + lasts.astype(np.int64), (which * len(NUMERIC_SENSORS)).astype(np.int64)
