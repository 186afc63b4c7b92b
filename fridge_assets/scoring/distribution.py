"""Whether scores are distributed as they were before: the divergence, and the rule that pauses a model (SPEC 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
from numpy.typing import NDArray

from fridge_assets.scoring.score import scores_table
from fridge_assets.settings import MonitoringSettings
from fridge_assets.stores.frames import query

Values = NDArray[np.float64]


@dataclass(frozen=True)
class TrailingScores:
    """Committed scores of earlier windows of one family; what was withheld is never among them.

    Args:
        scores: shape (n,), ascending; of some devices only when there are more than can be looked at.
        runs: windows they are of.
    """

    scores: Values
    runs: int


@dataclass(frozen=True)
class DistributionVerdict:
    """What the distribution of one run's scores says.

    Args:
        kl: divergence from the runs before, in nat; None when there was not enough to compare.
        limit: what it is held against.
        anomalous: whether the scores must be withheld.
        said: the verdict as a sentence without a full stop.
    """

    kl: float | None
    limit: float
    anomalous: bool
    said: str


def judge_distribution(scores: Values, trailing: TrailingScores, settings: MonitoringSettings) -> DistributionVerdict:
    """Hold the scores of a run against those of the good runs before it.

    Args:
        scores: of this run, shape (n,), each in [0, 1].
        trailing: of the runs before.
        settings: the limit, and how many scores and runs it takes to conclude anything.
    """
    limit = settings.max_kl
    lacking = []
    if len(scores) < settings.min_rows:
        lacking.append(f"{len(scores):,} scores now, fewer than {settings.min_rows}")
    if trailing.runs < settings.min_runs:
        lacking.append(f"{trailing.runs} runs before, fewer than {settings.min_runs}")
    if lacking:
        return DistributionVerdict(None, limit, anomalous=False, said=f"not enough data: {' and '.join(lacking)}")
    kl = kl_divergence(scores, trailing.scores, settings.bins, settings.smoothing)
    relation = "over" if kl > limit else "not over"
    said = (
        f"KL divergence {kl:.2g} of {len(scores):,} scores from those of the {trailing.runs} runs before, "
        f"{relation} {limit:g}"
    )
    return DistributionVerdict(kl, limit, anomalous=kl > limit, said=said)


def trailing_scores(
    connection: duckdb.DuckDBPyConnection,
    family: str,
    before: datetime,
    since: datetime | None,
    settings: MonitoringSettings,
) -> TrailingScores:
    """Scores of the family's last ``monitoring.trailing_runs`` windows that ended before ``before``.

    Args:
        connection: an open warehouse connection.
        family: model family.
        before: end of the window that is judged, exclusive.
        since: only of windows committed after this moment, at which somebody accepted the new distribution.
        settings: how many windows and rows count.
    """
    windows = scored_windows(connection, family, before, since, settings)
    return sample_scores(connection, family, windows[: settings.trailing_runs], settings)


def scored_windows(
    connection: duckdb.DuckDBPyConnection,
    family: str,
    before: datetime,
    since: datetime | None,
    settings: MonitoringSettings,
) -> list[datetime]:
    """Ends of the windows that ``family`` has scored, newest first.

    A window of which only some devices were scored, fewer than ``monitoring.min_rows``, is none.

    Args:
        connection: an open warehouse connection.
        family: model family.
        before: the windows ended before.
        since: they were committed after, by the actual time; None for whenever.
        settings: how many rows make a window.
    """
    ends = query(
        connection,
        "SELECT window_end FROM score_runs WHERE family = $family AND window_end < $before "
        "AND ($since::TIMESTAMPTZ IS NULL OR committed_at > $since) "
        "GROUP BY window_end HAVING sum(rows) >= $min_rows ORDER BY window_end DESC",
        {"family": family, "before": before, "since": since, "min_rows": settings.min_rows},
    )["window_end"]
    return [end.to_pydatetime() for end in ends]


def sample_scores(
    connection: duckdb.DuckDBPyConnection, family: str, windows: Sequence[datetime], settings: MonitoringSettings
) -> TrailingScores:
    """Scores of ``windows``: of all devices, or of those that a hash chooses.

    Args:
        connection: an open warehouse connection.
        family: model family.
        windows: ends of windows that the family has scored.
        settings: ``monitoring.max_rows`` scores are about the most that are read.
    """
    if not windows:
        return TrailingScores(np.empty(0), 0)
    table = scores_table(family)
    # The range lets DuckDB skip all that is older; by a list alone it reads the whole table.
    of_windows = "window_end BETWEEN $first AND $last AND window_end IN (SELECT unnest($windows::TIMESTAMPTZ[]))"
    parameters = {"windows": list(windows), "first": min(windows), "last": max(windows)}
    counted = connection.execute(f"SELECT count(*) FROM {table} WHERE {of_windows}", parameters).fetchall()
    every = -(-int(counted[0][0]) // settings.max_rows)
    # Without its type the parameter would turn hashes into 128-bit numbers, at ten times the time.
    scores = query(
        connection,
        f"SELECT anomaly_score FROM {table} WHERE {of_windows} AND hash(device_id) % $every::UBIGINT = 0",
        {**parameters, "every": max(every, 1)},
    )["anomaly_score"]
    return TrailingScores(np.sort(scores.to_numpy(dtype=np.float64)), len(windows))


def kl_divergence(ours: Values, reference: Values, bins: int, smoothing: float) -> float:
    """Kullback-Leibler divergence of the distribution of ``ours`` from that of ``reference``, >= 0, in nat.

    Args:
        ours: shape (n,).
        reference: shape (m,), m >= 1; the bins are between its quantiles, see :func:`bin_edges`.
        bins: how many, about equally full of ``reference``.
        smoothing: rows added to each bin, so that none is empty.
    """
    edges = bin_edges(reference, bins)
    p, q = (shares(values, edges, smoothing) for values in (ours, reference))
    return float(max((p * np.log(p / q)).sum(), 0.0))  # rounding may leave it a hair below


def bin_edges(reference: Values, bins: int) -> Values:
    """Ascending edges of ``bins`` bins between quantiles of ``reference``.

    What is below its lowest value or above its highest has a bin of its own, and so has a value that many rows share:
    a bin that merely began there would take in whatever lies above it.
    """
    quantiles = np.quantile(reference, np.linspace(0.0, 1.0, bins + 1), method="inverted_cdf")
    edges, times = np.unique(quantiles, return_counts=True)
    shared = edges[(times > 1) | (edges == edges[-1])]
    return np.union1d(edges, np.nextafter(shared, np.inf))


def shares(values: Values, edges: Values, smoothing: float) -> Values:
    """Share of ``values`` in each bin between ``edges`` and beyond, shape (len(edges) + 1,); smoothed."""
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) + smoothing
    found: Values = counts / counts.sum()
    return found
