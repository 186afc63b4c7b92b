"""Which versions are compared now, and their comparison on the rows of one window (SPEC 3, 3.1)."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

import pandas as pd

from fridge_assets.canary.battery.run import battery_of
from fridge_assets.canary.inputs import CanaryInput, canary_scores_frame
from fridge_assets.canary.report import CanaryReport, compare
from fridge_assets.canary.store import windows_watched
from fridge_assets.deployment.state import Deployment
from fridge_assets.features.compute import newest_window_end
from fridge_assets.models.families import FAMILIES, RUNS_PER_DAY
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.reproduce import twin_of
from fridge_assets.models.version import ModelVersion
from fridge_assets.scoring.model_input import ModelInput, read_model_input, window_to_score
from fridge_assets.scoring.score import held_scores
from fridge_assets.settings import CanarySettings, ScoringSettings, Settings
from fridge_assets.stores.warehouse import Warehouse

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """Two versions to be compared.

    Args:
        family: model family.
        candidate: the version that is judged.
        production: the version it is held against.
        purpose: a candidate before its release, or a release that is still being watched.
    """

    family: str
    candidate: str
    production: str
    purpose: Literal["candidate", "new release"]


@dataclass(frozen=True)
class Comparison:
    """A pair with what came out.

    Args:
        pair: the versions.
        given: scores of one window by both and by production's twin.
        report: what they say.
        scores: CANARY_SCORES rows.
    """

    pair: Pair
    given: CanaryInput
    report: CanaryReport
    scores: pd.DataFrame


def pairs_to_compare(state: Deployment, windows_watched: int, settings: CanarySettings) -> list[Pair]:
    """What there is to compare of one family.

    Args:
        state: where its versions stand.
        windows_watched: windows in which the newest release was held against the one before, since its release.
        settings: for how many windows a release is watched.
    """
    pairs = []
    if state.production and state.candidate and state.candidate != state.production:
        pairs.append(Pair(state.family, state.candidate, state.production, "candidate"))
    if state.watched_since and len(state.releases) > 1 and windows_watched < settings.watched_runs:
        pairs.append(Pair(state.family, state.releases[-1], state.releases[-2], "new release"))
    return pairs


def due_pairs(models: ModelLifecycle, warehouse: Warehouse, settings: CanarySettings) -> list[Pair]:
    """What there is to compare of all families."""
    pairs = []
    for family in FAMILIES:
        state = models.deployments.of(family)
        pairs.extend(pairs_to_compare(state, windows_watched(warehouse, state), settings))
    return pairs


def compare_pairs(
    pairs: Sequence[Pair],
    models: ModelLifecycle,
    warehouse: Warehouse,
    devices: pd.DataFrame,
    spans: pd.DataFrame,
    now: datetime,
    compared_at: datetime,
    settings: Settings,
) -> Iterator[Comparison]:
    """Score the latest closed window with both versions of each pair, and with production's twin.

    A candidate is also tried on healthy states and known faults; a release that is watched has passed that.

    Args:
        pairs: what to compare.
        models: the versions.
        warehouse: holds the features.
        devices: active devices with ``device_id`` and ``cohort``.
        spans: what people know of their past, see :func:`fridge_assets.models.exclusions.known_spans`.
        now: decides which window is the latest.
        compared_at: the actual time, which the report records.
        settings: all of them.

    Raises:
        FeaturesStale: the newest features are too old to be scored.
    """
    for pair in pairs:
        with warehouse.read() as connection:
            window_end = window_to_score(newest_window_end(connection, now), now, settings.features)
            rows = read_model_input(connection, window_end, devices, settings, FAMILIES[pair.family].view)
        candidate, production = (
            models.registry.version(pair.family, version) for version in (pair.candidate, pair.production)
        )
        given = CanaryInput(
            family=pair.family,
            candidate_version=pair.candidate,
            production_version=pair.production,
            window_end=window_end,
            candidate=_scores(partial(models.registry.load, candidate), rows, settings.scoring),
            production=_scores(partial(models.registry.load, production), rows, settings.scoring),
            twin=_scores(partial(twin_of, models.registry, production, settings), rows, settings.scoring),
            candidate_threshold=candidate.metadata.threshold,
            production_threshold=production.metadata.threshold,
            runs_per_day=RUNS_PER_DAY[pair.family],
            now=compared_at,
        )
        battery = None
        if pair.purpose == "candidate":
            versions = (candidate, production)
            battery = battery_of(models, warehouse, versions, devices, spans, now, settings)
        yield Comparison(pair, given, compare(given, settings, battery), canary_scores_frame(given))


def _scores(obtain: Callable[[], ModelVersion], rows: ModelInput, settings: ScoringSettings) -> pd.DataFrame:
    """``device_id`` and ``score`` of every row; none where the version fails, which the report then says.

    A candidate that fails has spoken against itself, and one family's failure must not hide what others do.
    """
    try:
        version = obtain()
        complete, _ = version.imputer.apply(rows.rows, rows.recent)
        scores, _ = held_scores(version, complete, settings)
        return pd.DataFrame({"device_id": complete["device_id"].to_numpy(), "score": scores})
    except Exception:
        _LOG.exception("a version could not score window %s", rows.window_end)
        return pd.DataFrame({"device_id": pd.Series(dtype="str"), "score": pd.Series(dtype="float64")})
