"""The cycles that the command line runs, each through the same jobs as schedules and the UI."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg

from fridge_assets.automation.jobs import (
    CANARY,
    SCORE_DAILY,
    SCORE_HOURLY,
    SCORE_ONE,
    TAKE_IN_READINGS,
    TRAIN,
    UP_TO_DATE_FEATURES,
)
from fridge_assets.automation.launch import clock_config, run_cycle, run_job
from fridge_assets.core.moments import parse_moment
from fridge_assets.models.assets import model_name
from fridge_assets.models.families import FAMILIES, require_family
from fridge_assets.models.training import NotEnoughTrainingRows
from fridge_assets.running.outcomes import CycleOutcome, RunOutcome
from fridge_assets.scoring.score import scores_table


def train_models(
    instance: dg.DagsterInstance,
    families: Sequence[str] | None,
    as_of: str | datetime | None,
    *,
    in_process: bool = False,
) -> RunOutcome:
    """Features up to date, then a new version of each of ``families`` (all when none is named).

    Raises:
        FridgeError: there is no such family.
    """
    chosen = list(families or FAMILIES)
    for family in chosen:
        require_family(family)
    assets = [*UP_TO_DATE_FEATURES, *(model_name(family) for family in chosen)]
    return run_job(instance, TRAIN.name, clock_config(as_of), assets=assets, in_process=in_process)


def untrained_yet(outcome: RunOutcome) -> dict[str, str]:
    """Families that a training of all refused for want of history (family → the step that says why).

    Empty where nothing was trained or anything else went wrong: then the training has failed.
    """
    steps = {model_name(family): family for family in FAMILIES}
    refused = {
        steps[step]: step
        for step, error in outcome.errors.items()
        if step in steps and error == NotEnoughTrainingRows.__name__
    }
    trained = outcome.metadata.keys() & steps.keys()
    return refused if trained and len(refused) == len(outcome.failures) else {}


def take_in_readings(
    instance: dg.DagsterInstance, as_of: str | datetime | None, *, in_process: bool = False
) -> RunOutcome:
    """Readings that have landed to features, at ``as_of``; nothing is scored."""
    return run_job(instance, TAKE_IN_READINGS.name, clock_config(as_of), in_process=in_process)


def hourly_cycle(
    instance: dg.DagsterInstance, as_of: str | datetime | None, *, in_process: bool = False
) -> CycleOutcome:
    """Readings to features to scores, then alerts and status, at ``as_of``."""
    return run_cycle(instance, SCORE_HOURLY.name, clock_config(as_of), in_process=in_process)


def daily_cycle(
    instance: dg.DagsterInstance, as_of: str | datetime | None, *, in_process: bool = False
) -> CycleOutcome:
    """The hourly cycle with all models, at ``as_of``."""
    return run_cycle(instance, SCORE_DAILY.name, clock_config(as_of), in_process=in_process)


def run_canary(instance: dg.DagsterInstance, as_of: str | datetime | None, *, in_process: bool = False) -> RunOutcome:
    """Every candidate held against the version before on the latest window at ``as_of``."""
    return run_job(instance, CANARY.name, clock_config(as_of), in_process=in_process)


def one_model_cycle(
    instance: dg.DagsterInstance,
    family: str,
    devices: Sequence[str],
    window_end: str,
    as_of: str | datetime | None,
) -> CycleOutcome:
    """Scores of one family for ``devices`` (all when empty) and ``window_end`` (latest when empty), then alerts.

    Raises:
        FridgeError: there is no such family, or ``window_end`` or ``as_of`` is not a moment.
    """
    require_family(family)
    if window_end:
        parse_moment(window_end, "--window-end")
    config = {"config": {"devices": list(devices), "window_end": window_end}}
    run_config = {**clock_config(as_of), "ops": {scores_table(family): config}}
    return run_cycle(instance, SCORE_ONE[family].name, run_config)


def replay_hours(instance: dg.DagsterInstance, moments: Sequence[datetime]) -> Iterator[CycleOutcome]:
    """The hourly cycle at each of ``moments``, in this process, one outcome at a time."""
    for moment in moments:
        yield hourly_cycle(instance, moment, in_process=True)
