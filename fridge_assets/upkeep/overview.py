"""How the fleet and its pipeline stand: what `status` prints (SPEC 9)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pandas as pd

from fridge_assets.core.moments import parse_moment, spoken
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.settings import Settings
from fridge_assets.staleness.ages import newest_scores, serving_tier
from fridge_assets.staleness.tiers import Tier, daily_tier_of, tier_of
from fridge_assets.status.compute import refreshed_status
from fridge_assets.status.refresh import open_incidents
from fridge_assets.stores.frames import query
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.operations import Operations
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets.streaming.status import look, statuses


@dataclass(frozen=True)
class Overview:
    """The state of a data folder.

    Args:
        now: the moment that ages are judged at.
        newest_reading: when any device was last heard from.
        newest_features: end of the newest window with features.
        tier: age of the scores of the fleet, and so who raises the alerts.
        paused: families that are silenced, and why.
        provisional: families whose version has seen little, and how little; their alerts are MEDIUM at most.
        scores: per family its version, window, age, tier and coverage.
        health: devices by health, as of ``now``.
        open_alerts: devices by the severity of their open incidents.
        files: landing files by status.
        stream: how the streaming process is, in one line.
    """

    now: datetime
    newest_reading: datetime | None
    newest_features: datetime | None
    tier: Tier
    paused: dict[str, str]
    provisional: dict[str, str]
    scores: pd.DataFrame
    health: pd.DataFrame
    open_alerts: pd.DataFrame
    files: pd.DataFrame
    stream: str

    def as_dict(self) -> dict[str, Any]:
        """For programs: frames become lists of records."""
        return {
            name: value.to_dict(orient="records") if isinstance(value, pd.DataFrame) else value
            for name, value in vars(self).items()
        }


def fleet_overview(
    warehouse: Warehouse, operations: Operations, landing: Landing, as_of: str, settings: Settings
) -> Overview:
    """Gather the state of a data folder.

    Args:
        warehouse: holds readings, features, scores and status.
        operations: holds incidents.
        landing: the landing folder and its ledger.
        as_of: ISO 8601 moment to judge ages at; empty for now. The stream has no other time than the actual one.
        settings: staleness tiers, and how long the stream may be silent.
    """
    now = parse_moment(as_of, "--as-of") if as_of else datetime.now(UTC)
    with warehouse.read() as connection:
        newest_reading = _moment(connection, "SELECT max(last_reading_at) FROM device_last_seen")
        newest_features = _moment(connection, "SELECT max(window_end) FROM device_features")
        scores = _scores(connection, now, settings)
        ages = newest_scores(connection, now, settings.features)
        devices = query(connection, "SELECT * FROM device_status")
    with operations.read() as connection:
        open_alerts = open_incidents(connection)
        stream = look(statuses(connection), datetime.now(UTC), settings.streaming)
    deployments = Deployments(operations)
    pauses = [deployments.of(family).pause for family in sorted(deployments.paused())]
    paused = {pause.family: f"{pause.reason} ({pause.actor})" for pause in pauses if pause is not None}
    # As of now: what was judged healthy long ago, by scores that have expired since, is not known to be healthy.
    health = refreshed_status(devices, open_alerts, now, settings.staleness)["health_status"]
    ledger = [entry.status for entry in landing.ledger().values()]
    return Overview(
        now,
        newest_reading,
        newest_features,
        serving_tier(ages, paused, now, settings.staleness),
        paused,
        _provisional(scores),
        scores.drop(columns="provisional"),
        health.value_counts().sort_index().rename_axis("health").reset_index(name="devices"),
        open_alerts["worst_severity"].value_counts().rename_axis("severity").reset_index(name="devices"),
        pd.Series(ledger, dtype="str").value_counts().rename_axis("status").reset_index(name="files"),
        stream.line,
    )


def _scores(connection: duckdb.DuckDBPyConnection, now: datetime, settings: Settings) -> pd.DataFrame:
    runs = query(
        connection,
        # A run has a row for each version that scored somewhere.
        "SELECT family, string_agg(model_version, ', ' ORDER BY model_version) AS version, window_end, "
        "max(scored_at) AS scored_at, sum(rows)::BIGINT AS devices, "
        "sum(rows) / nullif(sum(active_devices), 0) AS coverage, sum(flagged)::BIGINT AS flagged, "
        "string_agg(left_out, '; ' ORDER BY model_version) FILTER (left_out <> '') AS left_out, "
        "string_agg(DISTINCT provisional, '; ' ORDER BY provisional) FILTER (provisional <> '') AS provisional "
        "FROM score_runs WHERE whole_fleet AND scored_at <= window_end + $max_age GROUP BY family, window_end, run_id "
        "QUALIFY row_number() OVER (PARTITION BY family ORDER BY window_end DESC, max(scored_at) DESC) = 1 "
        "ORDER BY family",
        {"max_age": settings.features.max_age},
    ).fillna({"left_out": "", "provisional": ""})
    ages = [now - moment.to_pydatetime() for moment in runs["scored_at"]]
    runs.insert(4, "age", [spoken(age) for age in ages])
    tiers = [
        (tier_of if family in HOURLY_FAMILIES else daily_tier_of)(moment.to_pydatetime(), now, settings.staleness)
        for family, moment in zip(runs["family"], runs["scored_at"], strict=True)
    ]
    runs.insert(5, "tier", tiers)
    return runs


def _provisional(scores: pd.DataFrame) -> dict[str, str]:
    said = scores[scores["provisional"] != ""]
    return dict(zip(said["family"], said["provisional"], strict=True))


def _moment(connection: duckdb.DuckDBPyConnection, sql: str) -> datetime | None:
    newest = connection.execute(sql).fetchall()[0][0]
    return None if newest is None else newest.astimezone(UTC)
