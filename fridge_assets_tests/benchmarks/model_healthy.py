"""How many urgent alerts a healthy fleet gives, beside what the calibration predicts (SPEC 2.2, 6).

20,000 healthy devices. The four families are trained on 49 hours, at most ``training.max_rows`` windows of them, and
then 24 hours are scored: the daily families once, at 03:00 UTC, the hourly ones 24 times, with the daily scores
carried over by the product. Alerts are generated and stored by the product every hour. Features come straight from
the simulator, hour by hour, and readings are never kept (see ``shortcuts``).

The prediction counts scored windows, each with the probability that the calibration's anchors give to a score that
high. A HIGH alert also needs a second family's flag: if families erred independently of each other it would come with
a probability of about 3 %, if they always erred together with certainty; the truth lies between. Repeats can make
alerts fewer than windows, since they are suppressed for four hours, and more, since a score that is carried over for
the day is told again after that.
"""

import resource
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from rich.progress import track
from rich.table import Table

from fridge_assets.incidents.observing.run import raise_alerts
from fridge_assets.models.families import FAMILIES, HOURLY_FAMILIES
from fridge_assets.registry.devices import active_devices, with_cohort
from fridge_assets.scoring.current import FAMILY_SQL
from fridge_assets.settings import Settings
from fridge_assets.simulation import Fleet
from fridge_assets.stores.frames import query
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.benchmarks.hourly import CONSOLE, gib
from fridge_assets_tests.benchmarks.kinds import apart, kind_of, registry_of
from fridge_assets_tests.benchmarks.shortcuts import (
    CYCLE_MINUTE,
    DAILY_FAMILIES,
    DELIVERY,
    HOUR,
    append_hours,
    families_at,
    score_families,
    train_families,
)
from fridge_assets_tests.incidents.observing.stored import stored_alerts

DEVICES = 20_000
TRAINED_ON, RUNS = 49, 24
START = datetime(2026, 3, 2, 1, tzinfo=UTC)
"""So that the first run after training is the one of 03:00."""
MOST_ALERTS = 30
URGENT = ("HIGH", "CRITICAL")


@dataclass(frozen=True)
class Prediction:
    """Expected numbers of scored windows.

    Args:
        critical: that make a CRITICAL alert.
        high_least: that make a HIGH alert if families err independently.
        high_most: that make a HIGH alert if families err together.
    """

    critical: float
    high_least: float
    high_most: float


@dataclass(frozen=True)
class Healthy:
    """What was said of a healthy fleet.

    Args:
        alerts: non-suppressed alerts of HIGH and CRITICAL.
        above: by family, how many scores were above each anchor's score.
        kinds: device → its kind of machine.
    """

    alerts: pd.DataFrame
    above: pd.DataFrame
    kinds: "pd.Series[str]"


def observe(folder: Path, devices: int, seed: int, machines: str) -> Healthy:
    """Simulate, train, score and alert in ``folder``."""
    settings = Settings(data_dir=folder)
    warehouse = Warehouse.from_settings(settings)
    operations = Operations(settings.operations_database)
    registry = with_cohort(registry_of(devices, seed, machines))
    fleet = Fleet(registry, seed, START, START + (TRAINED_ON + RUNS) * HOUR, delivery=DELIVERY)
    training = [START + n * HOUR for n in range(TRAINED_ON)]
    append_hours(warehouse, fleet, track(training, "simulating hours", console=CONSOLE))
    trained_at = START + TRAINED_ON * HOUR
    with CONSOLE.status(f"training on {TRAINED_ON} hours"):
        versions = train_families(warehouse, registry, trained_at, settings)
    active = active_devices(registry)
    for number in track(range(RUNS), "hourly runs", console=CONSOLE):
        start = trained_at + number * HOUR
        append_hours(warehouse, fleet, [start])
        score_families(warehouse, families_at(versions, daily=number == 0), start + HOUR, active, settings)
        raise_alerts(warehouse, operations, registry, start + HOUR + CYCLE_MINUTE, settings)
    alerts = stored_alerts(operations, told=True)
    return Healthy(alerts[alerts["severity"].isin(URGENT)], _above(warehouse, settings), kind_of(registry))


def predict(devices: int, settings: Settings) -> Prediction:
    """What the calibration's anchors let expect of ``devices`` healthy devices in the 24 runs."""
    windows = devices * (len(HOURLY_FAMILIES) * RUNS + len(DAILY_FAMILIES))
    probability = {score: p for p, score in settings.calibration.anchors}
    critical = probability[settings.alerts.critical_score]
    high = windows * (probability[settings.alerts.high_score] - critical)
    another = 1 - (1 - probability[settings.calibration.threshold]) ** (len(FAMILIES) - 1)
    return Prediction(windows * critical, high * another, high)


def misses(alerts: pd.DataFrame) -> list[str]:
    """The target in words, if it was missed."""
    if len(alerts) <= MOST_ALERTS:
        return []
    return [f"{len(alerts)} HIGH and CRITICAL alerts on a healthy fleet, the target is at most {MOST_ALERTS}"]


def report(observed: Healthy, devices: int) -> tuple[dict[str, Any], list[str]]:
    """Print both tables; the results, and the targets that were missed."""
    settings = Settings()
    predicted, count = predict(devices, settings), observed.alerts["severity"].value_counts()
    number = {severity: int(count.get(severity, 0)) for severity in URGENT}
    distinct = observed.alerts.groupby("severity")["device_id"].nunique()
    table = Table(title=f"{devices:,} healthy devices × {RUNS} runs: alerts told")
    for heading in ("severity", "predicted", "observed", "devices"):
        table.add_column(heading, justify="right" if heading != "severity" else "left")
    expected = {
        "HIGH": f"{predicted.high_least:.1f} … {predicted.high_most:.1f}",
        "CRITICAL": f"{predicted.critical:.1f}",
    }
    for severity in URGENT:
        table.add_row(severity, expected[severity], str(number[severity]), str(distinct.get(severity, 0)))
    CONSOLE.print(table)
    for kind, alerts in apart(observed.alerts, observed.kinds):
        CONSOLE.print(f"{len(alerts)} of them on the {(observed.kinds == kind).sum():,} machines that are {kind}.")
    table = Table(title="Scored windows above a score: observed (predicted)")
    table.add_column("family", no_wrap=True)
    for score in observed.above.columns:
        table.add_column(f"> {score:g}", justify="right")
    probability = {score: p for p, score in settings.calibration.anchors}
    for family, row in observed.above.iterrows():
        windows = devices * (RUNS if family in HOURLY_FAMILIES else 1)
        table.add_row(str(family), *(f"{row[score]:,} ({windows * probability[score]:,.1f})" for score in row.index))
    CONSOLE.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    CONSOLE.print(f"Peak memory of the benchmark itself: {gib(peak)}.")
    results = {
        "devices": devices,
        "runs": RUNS,
        "predicted": vars(predicted),
        "observed": number,
        "observed_devices": {severity: int(distinct.get(severity, 0)) for severity in URGENT},
        "alerts_by_highest_model": observed.alerts["model_id"].value_counts().to_dict(),
        "windows_above": {
            family: {f"{s:g}": int(n) for s, n in row.items()} for family, row in observed.above.iterrows()
        },
        "peak_bytes": peak,
    }
    return results, misses(observed.alerts)


def _above(warehouse: Warehouse, settings: Settings) -> pd.DataFrame:
    scores = [score for _, score in settings.calibration.anchors if score > 0]
    counts = ", ".join(f'count_if(anomaly_score > {score}) AS "{score}"' for score in scores)
    with warehouse.read() as connection:
        found = query(connection, f"SELECT {FAMILY_SQL} AS family, {counts} FROM model_scores GROUP BY family")
    return found.set_index("family").set_axis(scores, axis=1).reindex(list(FAMILIES), fill_value=0).astype(int)
