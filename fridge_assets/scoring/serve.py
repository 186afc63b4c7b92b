"""Which version scores which devices of a window: one per region, resolved once per run (SPEC 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from fridge_assets.models.lifecycle import ModelLifecycle, Serving
from fridge_assets.scoring.model_input import ModelInput
from fridge_assets.scoring.score import ScoreReport, score_window
from fridge_assets.settings import Settings


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


def score_regions(
    models: ModelLifecycle,
    family: str,
    given: ModelInput,
    devices: pd.DataFrame,
    already: Mapping[str, str],
    now: datetime,
    settings: Settings,
) -> ServedScores:
    """Score ``given`` with the version that serves each region.

    Args:
        models: versions and where they stand.
        family: model family.
        given: the rows of one window.
        devices: ``device_id`` and ``region`` of the devices to be scored.
        already: region → the version that this window is bound to, when only some of its devices are scored.
        now: recorded as ``scored_at``.
        settings: number of contributors.

    Raises:
        NothingReleased: the family has no release yet.
        ArtifactRefused: no release has its files as training wrote them.
    """
    serving = models.serving(family, sorted(devices["region"].unique()) or [""], already)
    reports = []
    for chosen in serving:
        own = devices.loc[devices["region"].isin(list(chosen.regions)), "device_id"]
        rows = given if len(serving) == 1 else _restricted(given, own)
        reports.append(score_window(chosen.version, rows, now, settings))
    return ServedScores(tuple(reports), tuple(serving))


def _restricted(given: ModelInput, devices: pd.Series) -> ModelInput:
    wanted = set(devices)
    left_out = {reason: [d for d in left if d in wanted] for reason, left in given.left_out.items()}
    return replace(
        given,
        rows=given.rows[given.rows["device_id"].isin(wanted)].reset_index(drop=True),
        recent=given.recent[given.recent["device_id"].isin(wanted)].reset_index(drop=True),
        active=len(wanted),
        left_out={reason: left for reason, left in left_out.items() if left},
    )
