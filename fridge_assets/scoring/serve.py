"""Which version scores which devices of a window: one per region, resolved once per run (SPEC 3)."""

from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter

import numpy as np
import pandas as pd

from fridge_assets.features.compute import newest_window_end
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.lifecycle import ModelLifecycle, Serving
from fridge_assets.registry.devices import active_devices
from fridge_assets.scoring.distribution import DistributionVerdict, judge_distribution, trailing_scores
from fridge_assets.scoring.model_input import ModelInput, read_model_input, window_to_score
from fridge_assets.scoring.score import ScoreReport, choose_devices, score_window, versions_of_window
from fridge_assets.settings import MonitoringSettings, Settings
from fridge_assets.stores.warehouse import Warehouse


@dataclass(frozen=True)
class ScoreTarget:
    """What to score.

    Args:
        family: model family.
        devices: only these; empty means every active device.
        window_end: this window, however old; None for the latest closed one.
    """

    family: str
    devices: tuple[str, ...] = ()
    window_end: datetime | None = None


@dataclass(frozen=True)
class ServedScores:
    """What a family said of one window.

    Args:
        reports: one for each version that scored somewhere.
        serving: the versions, in the same order.
    """

    reports: tuple[ScoreReport, ...]
    serving: tuple[Serving, ...]

    @property
    def scores(self) -> pd.DataFrame:
        """MODEL_SCORES rows of all versions."""
        return pd.concat([report.scores for report in self.reports], ignore_index=True)

    @property
    def coverage(self) -> float:
        """Share of the active devices that were scored; 1 when there are none."""
        active = sum(report.active for report in self.reports)
        return sum(len(report.scores) for report in self.reports) / active if active else 1.0

    @property
    def left_out(self) -> dict[str, int]:
        """Devices that were not scored, by reason."""
        total: dict[str, int] = {}
        for report in self.reports:
            for reason, count in report.left_out.items():
                total[reason] = total.get(reason, 0) + count
        return total

    @property
    def versions(self) -> str:
        """The versions in words, such as ``1.0.0`` or ``1.0.0 in north; 1.1.0 in south``."""
        if len(self.reports) == 1:
            return self.reports[0].model_version
        named = (f"{s.version.metadata.version} in {', '.join(sorted(s.regions))}" for s in self.serving)
        return "; ".join(named)

    @property
    def refused(self) -> tuple[str, ...]:
        """Why versions that should have scored did not."""
        return tuple(dict.fromkeys(reason for serving in self.serving for reason in serving.refused))


def score_target(
    target: ScoreTarget,
    models: ModelLifecycle,
    warehouse: Warehouse,
    registry: pd.DataFrame,
    now: datetime,
    settings: Settings,
) -> ServedScores:
    """Score ``target`` with the version that serves each region; nothing is written.

    Some devices of a window that was scored before are scored with the window's own version, so that within one
    window and region a family never has two.

    Args:
        target: what to score.
        models: versions and where they stand.
        warehouse: holds the features.
        registry: DEVICE_REGISTRY rows with ``cohort``.
        now: decides which window is the latest, and is recorded as ``scored_at``.
        settings: all of them.

    Raises:
        FeaturesStale: the newest features are too old to be scored.
        NothingReleased: the family has no release yet.
        ArtifactRefused: no release has its files as training wrote them.
        FridgeError: a wanted device is not an active device.
    """
    devices = choose_devices(active_devices(registry), target.devices)
    with warehouse.read() as connection:
        window_end = target.window_end or window_to_score(newest_window_end(connection, now), now, settings.features)
        given = read_model_input(connection, window_end, devices, settings, FAMILIES[target.family].view)
        already = versions_of_window(connection, target.family, window_end, devices) if target.devices else {}
    serving = models.serving(target.family, sorted(devices["region"].unique()) or [""], already)
    reports = []
    for chosen in serving:
        own = devices.loc[devices["region"].isin(list(chosen.regions)), "device_id"]
        rows = given if len(serving) == 1 else _restricted(given, own)
        started = perf_counter()
        report = score_window(chosen.version, rows, now, settings)
        reports.append(replace(report, seconds=perf_counter() - started))
    return ServedScores(tuple(reports), tuple(serving))


def judge_scores(
    served: ServedScores,
    target: ScoreTarget,
    warehouse: Warehouse,
    resumed_at: datetime | None,
    settings: MonitoringSettings,
) -> DistributionVerdict:
    """Whether scores are distributed as in the good runs before.

    Scores of some devices only are not judged, nor those of an old window: they say nothing about the model now.

    Args:
        served: what was scored.
        target: what was asked for.
        warehouse: holds the earlier scores.
        resumed_at: when somebody accepted a new distribution by resuming the family; None for never.
        settings: the limit, and how many scores and runs it takes.
    """
    window_end = served.reports[0].window_end
    with warehouse.read() as connection:
        newest = connection.execute(
            "SELECT max(window_end) FROM score_runs WHERE family = ?", [target.family]
        ).fetchall()[0][0]
        unjudged = "only some devices were scored" if target.devices else ""
        if newest is not None and newest > window_end:
            unjudged = "a later window has been scored already"
        if unjudged:
            return DistributionVerdict(None, settings.max_kl, anomalous=False, said=unjudged)
        trailing = trailing_scores(connection, target.family, window_end, resumed_at, settings)
    scores = served.scores["anomaly_score"].to_numpy(dtype="float64")
    return judge_distribution(scores[np.isfinite(scores)], trailing, settings)


def _restricted(given: ModelInput, devices: pd.Series) -> ModelInput:
    wanted = set(devices)
    left_out = {reason: [d for d in left if d in wanted] for reason, left in given.left_out.items()}
    return replace(
        given,
        rows=_of(given.rows, devices),
        recent=_of(given.recent, devices),
        active=len(wanted),
        left_out={reason: left for reason, left in left_out.items() if left},
    )


def _of(rows: pd.DataFrame, devices: pd.Series) -> pd.DataFrame:
    found: pd.DataFrame = rows[pd.Index(devices).get_indexer(pd.Index(rows["device_id"])) >= 0]
    return found.reset_index(drop=True)
