"""`demo`: from nothing to alerts beside the truth, in a minute or two (SPEC 9)."""

import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime, timedelta
from itertools import chain
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING

from fridge_assets.cli.console import progress, say, say_json, working
from fridge_assets.cli.context import Workplace
from fridge_assets.cli.nulls import frame_records
from fridge_assets.cli.simulate import last_full_hour
from fridge_assets.cli.tables import say_table
from fridge_assets.core.errors import FridgeError
from fridge_assets.running.processes import end_with_parent
from fridge_assets.running.stopping import Stopped
from fridge_assets.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from fridge_assets.simulation import WrittenFleet

DEVICES = 120
SEED = 7
TRAINING = timedelta(hours=48)
WATCHED = timedelta(hours=3)
FAULTS = (
    "refrigerant_leak=0.017",
    "condenser_fouling=0.017",
    "evaporator_icing=0.017",
    "bearing_wear=0.017",
    "valve_leak=0.017",
    "drifting_sensor=0.017",
)


def run_demo(place: Workplace, as_json: bool) -> None:
    """Simulate, train, score the last hours one by one, and print faults beside alerts.

    Raises:
        FridgeError: the data folder holds readings already, or a run failed.
    """
    from fridge_assets.automation.cycles import daily_cycle, replay_hours, train_models  # noqa: PLC0415

    if any(place.landing.files()):
        raise FridgeError(
            f"{place.settings.root} holds readings already",
            "Name an empty folder: fridge-assets --data-dir FOLDER demo.",
        )
    end = last_full_hour()
    truth = _simulate(place, end, as_json)
    with place.instance() as instance:
        trained_at = end - WATCHED
        with working("training on the first 48 hours", as_json):
            training = train_models(instance, None, trained_at, in_process=True)
        _stop_on(training.failures)
        hours = [trained_at + timedelta(hours=n, minutes=3) for n in range(1, int(WATCHED / timedelta(hours=1)) + 1)]
        with progress("scoring hour by hour", as_json) as bar:
            daily = daily_cycle(instance, hours[0], in_process=True)
            for done, cycle in enumerate(chain([daily], replay_hours(instance, hours[1:])), start=1):
                _stop_on(cycle.score.failures | cycle.publish.failures)
                bar.update(bar.task_ids[0], completed=done, total=len(hours))
    found = _compare(place, truth)
    healthy = _healthy_alerted(place, truth)
    if as_json:
        say_json({"faults": frame_records(found), "healthy_devices_alerted": healthy})
        return
    say_table("Injected faults beside the alerts they raised", found)
    say(
        f"{healthy} of {DEVICES - len(truth)} healthy devices got an alert of MEDIUM or higher "
        f"in the {WATCHED / timedelta(hours=1):.0f} hours watched."
    )
    say(
        "\nNext:\n"
        f"  {place.command('status')}   what the fleet looks like now\n"
        f"  {place.command('incidents list')}   what needs attention\n"
        f"  {place.command('ui')}   the asset graph in the Dagster UI"
    )


def _simulate(place: Workplace, end: datetime, as_json: bool) -> "pd.DataFrame":
    with (
        working(f"simulating {DEVICES} devices", as_json),
        ProcessPoolExecutor(
            max_workers=1, mp_context=get_context("spawn"), initializer=end_with_parent, initargs=(os.getpid(),)
        ) as pool,
    ):
        simulation = pool.submit(_write_fleet, place.settings, end)
        try:
            # Meanwhile the other core imports what training and scoring need.
            import fridge_assets.preload  # noqa: F401, PLC0415

            summary, truth = simulation.result()
        except Stopped:
            for child in active_children():  # the pool would wait until it has simulated everything
                child.kill()
            raise
        except BrokenProcessPool as error:
            raise FridgeError(
                "the simulation's process was killed", "Free some memory and run this again in an empty folder."
            ) from error
    if not as_json:
        say(
            f"Simulated {summary.devices} devices in {summary.sites} sites for "
            f"{(TRAINING + WATCHED) / timedelta(hours=1):.0f} hours: {summary.readings:,} readings, "
            f"{summary.faulty_devices} devices with a fault."
        )
    return truth


def _write_fleet(settings: Settings, end: datetime) -> "tuple[WrittenFleet, pd.DataFrame]":
    from fridge_assets.simulation import FaultTiming, Fleet, parse_fault_share, simulate_registry, write_fleet  # noqa: PLC0415

    faults = [parse_fault_share(text) for text in FAULTS]
    # Late faults, so that the models learn from a fleet that is still mostly well.
    timing = FaultTiming(earliest_onset=0.5, full_from=0.85, full_to=1.0)
    fleet = Fleet(simulate_registry(DEVICES, SEED), SEED, end - TRAINING - WATCHED, end, faults, timing)
    root = settings.root
    summary = write_fleet(fleet, settings.landing_dir, root / "device_registry.csv", root / "ground_truth.parquet")
    return summary, fleet.ground_truth


def _compare(place: Workplace, truth: "pd.DataFrame") -> "pd.DataFrame":
    """One row per fault: when it began, and the first and worst alert its device got since."""
    import pandas as pd  # noqa: PLC0415

    alerts = _told_alerts(place)
    rows = []
    for fault in truth.sort_values("onset").itertuples():
        mine = alerts[(alerts["device_id"] == fault.device_id) & (alerts["window_end"] >= fault.onset)]
        worst = mine.nlargest(1, "anomaly_score").iloc[0] if len(mine) else None
        rows.append(
            {
                "device": fault.device_id,
                "fault": fault.fault,
                "onset": fault.onset,
                "full severity": fault.full_severity_at,
                "first alert": mine["window_end"].min() if len(mine) else None,
                "severity": None if worst is None else worst["severity"],
                "what the alert says": None if worst is None else worst["title"],
            }
        )
    return pd.DataFrame(rows)


def _healthy_alerted(place: Workplace, truth: "pd.DataFrame") -> int:
    alerts = _told_alerts(place)
    serious = alerts[alerts["severity"] != "LOW"]
    return int(serious.loc[~serious["device_id"].isin(truth["device_id"]), "device_id"].nunique())


def _told_alerts(place: Workplace) -> "pd.DataFrame":
    from fridge_assets.incidents.told import told_alerts  # noqa: PLC0415

    with place.operations.read() as connection:
        return told_alerts(connection)


def _stop_on(failures: dict[str, str]) -> None:
    for step, reason in failures.items():
        raise FridgeError(f"{step} failed: {reason.rstrip('.')}", "See the run in the Dagster UI: fridge-assets ui.")
