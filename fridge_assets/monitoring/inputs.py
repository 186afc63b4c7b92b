"""What there is to watch: the newest scores, the features of their day, and the rows of training (SPEC 8)."""

import logging
from datetime import datetime, timedelta

import duckdb
import numpy as np
import pandas as pd

from fridge_assets.contracts.device_features import MODEL_FEATURES
from fridge_assets.core.errors import FridgeError
from fridge_assets.models.base import View
from fridge_assets.models.day_view import day_means
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.registry import ModelRegistry, RegisteredVersion
from fridge_assets.models.snapshot import read_snapshot
from fridge_assets.monitoring.drift import FeatureSample
from fridge_assets.monitoring.levels import ScoredWindow
from fridge_assets.scoring.distribution import sample_scores, scored_windows, trailing_scores
from fridge_assets.scoring.score import scores_table
from fridge_assets.settings import MonitoringSettings, Settings, StalenessSettings
from fridge_assets.stores.frames import query

_LOG = logging.getLogger(__name__)


def newest_windows(
    connection: duckdb.DuckDBPyConnection, now: datetime, settings: StalenessSettings
) -> dict[str, datetime]:
    """Family → end of the newest window that it scored, in the order of FAMILIES.

    A family whose newest scores were older than a daily model's may be when the others scored is not watched: it is
    the tiers that say so.

    Args:
        connection: an open warehouse connection.
        now: windows that end later are not looked at.
        settings: how old a daily model's scores may be.
    """
    newest = query(
        connection,
        "SELECT family, max(window_end) AS window_end FROM score_runs WHERE window_end <= $now GROUP BY family "
        "QUALIFY max(window_end) > max(max(window_end)) OVER () - $memory",
        {"now": now, "memory": settings.daily_expired},
    ).set_index("family")["window_end"]
    return {family: newest[family].to_pydatetime() for family in FAMILIES if family in newest.index}


def read_scored_window(
    connection: duckdb.DuckDBPyConnection,
    family: str,
    window_end: datetime,
    since: datetime | None,
    settings: MonitoringSettings,
) -> ScoredWindow:
    """The scores of a window, and those of the windows before it.

    Args:
        connection: an open warehouse connection.
        family: model family.
        window_end: a window that it scored.
        since: when somebody accepted what it says by resuming it; only what it said since is before. None for never.
        settings: how many runs and rows are read.
    """
    scores = query(
        connection,
        f"SELECT anomaly_score, anomaly_flag FROM {scores_table(family)} WHERE window_end = $window",
        {"window": window_end},
    )
    run = query(
        connection,
        # A run has a row for each version that scored somewhere.
        "SELECT sum(active_devices)::BIGINT AS active, sum(seconds) AS seconds FROM score_runs "
        "WHERE family = $family AND window_end = $window GROUP BY run_id ORDER BY max(scored_at) DESC, run_id LIMIT 1",
        {"family": family, "window": window_end},
    ).iloc[0]
    span = settings.level_span
    before = [
        end for end in scored_windows(connection, family, window_end, since, settings) if end >= window_end - span
    ]
    return ScoredWindow(
        family=family,
        window_end=window_end,
        # Ascending, since the last bit of a mean depends on the order.
        scores=np.sort(scores["anomaly_score"].to_numpy(dtype=np.float64)),
        flagged=int(scores["anomaly_flag"].sum()),
        active=int(run["active"]),
        seconds=None if pd.isna(run["seconds"]) else float(run["seconds"]),
        trailing=trailing_scores(connection, family, window_end, since, settings),
        span=sample_scores(connection, family, before, settings),
    )


def current_features(
    connection: duckdb.DuckDBPyConnection, window_end: datetime, view: View, settings: Settings
) -> FeatureSample:
    """Features of the day up to ``window_end``: of windows, or means of the day, chosen by a hash.

    Args:
        connection: an open warehouse connection.
        window_end: the newest window.
        view: what the model looks at.
        settings: groups ``monitoring``, ``scoring``, ``features`` and, for days, ``dbscan``.

    Returns:
        MODEL_FEATURES of about ``monitoring.drift_rows`` rows that could be scored.
    """
    day = {"until": window_end, "since": window_end - settings.monitoring.drift_day}
    windows = connection.execute(
        "SELECT count(DISTINCT window_end) FROM device_features WHERE window_end > $since AND window_end <= $until", day
    ).fetchall()[0][0]
    span = int(windows) * settings.features.window
    if view == "day":
        ends = _chosen(connection, {**day, "since": window_end - settings.features.window}, (), settings)
        days = day_means(connection, ends, settings)
        return FeatureSample(days.loc[days["windows"] >= settings.dbscan.min_windows, list(MODEL_FEATURES)], span)
    return FeatureSample(_chosen(connection, day, MODEL_FEATURES, settings), span)


def training_features(
    registry: ModelRegistry, version: RegisteredVersion, settings: MonitoringSettings
) -> FeatureSample:
    """Rows that ``version`` was trained on, at most ``monitoring.drift_rows``, the same every time.

    There are none where the snapshot is missing or was changed: that keeps drift from being judged, nothing else.
    """
    record = version.metadata.training
    try:
        rows = read_snapshot(registry.models_dir, record.hash)
    except FridgeError as error:
        _LOG.warning("drift of %s cannot be judged: %s", version.family, error)
        return FeatureSample(pd.DataFrame(), timedelta(0))
    wanted = min(settings.drift_rows, len(rows))
    chosen = np.random.default_rng(record.seed).choice(len(rows), wanted, replace=False)
    return FeatureSample(rows.iloc[np.sort(chosen)], record.window_to - record.window_from)


def _chosen(
    connection: duckdb.DuckDBPyConnection, day: dict[str, datetime], features: tuple[str, ...], settings: Settings
) -> pd.DataFrame:
    usable = "window_end > $since AND window_end <= $until AND sensor_completeness >= $min_completeness"
    parameters = {**day, "min_completeness": settings.scoring.min_completeness}
    counted = connection.execute(f"SELECT count(*) FROM device_features WHERE {usable}", parameters).fetchall()
    every = max(-(-int(counted[0][0]) // settings.monitoring.drift_rows), 1)
    return query(
        connection,
        f"SELECT {', '.join(('device_id', 'window_end', *features))} FROM device_features "
        f"WHERE {usable} AND hash(device_id, window_end) % $every::UBIGINT = 0",
        {**parameters, "every": every},
    )
