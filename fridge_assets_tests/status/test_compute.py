"""What operators look at: tiers, blanking, trend and health of each device and site (SPEC 1.8)."""

from collections.abc import Collection
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts import DEVICE_FEATURES, DEVICE_REGISTRY, DEVICE_STATUS, MODEL_SCORES, SITE_STATUS
from fridge_assets.contracts.validation import enforce
from fridge_assets.registry.devices import complete_registry
from fridge_assets.settings import Settings, StalenessSettings
from fridge_assets.status.compute import device_activity, device_scores, device_status, refreshed_status, site_status
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.readings.deliveries import moment

NOW = moment(0)
MINUTE = timedelta(minutes=1)
REGISTRY = complete_registry(
    pd.DataFrame({"device_id": ["d1", "d2"], "site_id": ["s1", "s2"], "region": ["north", "south"]}), "registry.csv"
)
NO_ALERTS = pd.DataFrame({"device_id": [], "open_alerts": [], "worst_severity": []}).astype(
    {"device_id": "str", "open_alerts": "int64", "worst_severity": "str"}
)


def utc(values: object) -> pd.Series:
    return pd.Series(pd.to_datetime(values, utc=True)).astype("datetime64[us, UTC]")


def activity_of(age: timedelta = MINUTE, device: str = "d1") -> pd.DataFrame:
    """A device that was heard from ``age`` ago."""
    return pd.DataFrame({
        "device_id": [device], "last_reading_at": utc([NOW - age]), "temp_evaporator_mean_24h": [-25.0],
        "current_compressor_mean_24h": [12.0], "reading_count_24h": [1440],
    })  # fmt: skip


def scores_of(
    age: timedelta = MINUTE, score: float = 0.7, change: float | None = None, device: str = "d1"
) -> pd.DataFrame:
    """A device whose newest scores were made ``age`` ago."""
    return pd.DataFrame({
        "device_id": [device], "latest_anomaly_score": [score], "scored_at": utc([NOW - age]),
        "score_change": pd.Series([change], dtype="float64"),
    })  # fmt: skip


def alerts_of(severity: str, count: int = 1, device: str = "d1") -> pd.DataFrame:
    return pd.DataFrame({"device_id": [device], "open_alerts": [count], "worst_severity": [severity]})


def status_of(
    activity: pd.DataFrame | None = None,
    scores: pd.DataFrame | None = None,
    alerts: pd.DataFrame = NO_ALERTS,
    registry: pd.DataFrame = REGISTRY,
    judged_by_rules: Collection[str] = (),
) -> pd.DataFrame:
    activity = activity_of() if activity is None else activity
    scores = scores_of() if scores is None else scores
    return device_status(registry, activity, scores, alerts, NOW, Settings(), judged_by_rules)


@pytest.mark.parametrize(
    ("age", "tier", "shown"),
    [
        (timedelta(hours=1) - MINUTE, "fresh", True),
        (timedelta(hours=1), "stale", True),
        (timedelta(hours=2), "very_stale", True),
        (timedelta(hours=4) - MINUTE, "very_stale", True),
        (timedelta(hours=4), "expired", False),
    ],
)
def test_scores_show_their_tier_and_are_blanked_at_four_hours(age: timedelta, tier: str, shown: bool) -> None:
    row = status_of(scores=scores_of(age, change=0.5)).iloc[0]
    assert row["score_status"] == tier
    assert row["scored_at"] == NOW - age
    blank = [pd.isna(row[name]) for name in ("latest_anomaly_score", "score_source", "anomaly_trend")]
    assert blank == [not shown] * 3
    if shown:
        assert (row["latest_anomaly_score"], row["score_source"]) == (0.7, "models")


def test_device_that_was_never_scored_is_expired_and_blank() -> None:
    row = status_of().iloc[1]
    assert (row["device_id"], row["score_status"]) == ("d2", "expired")
    assert pd.isna(row[["latest_anomaly_score", "scored_at", "score_source"]]).all()


@pytest.mark.parametrize(
    ("change", "trend"),
    [(0.11, "increasing"), (0.10, "stable"), (0.0, "stable"), (-0.10, "stable"), (-0.11, "decreasing"), (None, None)],
)
def test_trend_is_a_change_of_more_than_a_tenth_over_a_day(change: float | None, trend: str | None) -> None:
    shown = status_of(scores=scores_of(change=change)).iloc[0]["anomaly_trend"]
    assert (None if pd.isna(shown) else shown) == trend


@pytest.mark.parametrize(
    ("severity", "health"),
    [("LOW", "warning"), ("MEDIUM", "warning"), ("HIGH", "critical"), ("CRITICAL", "critical"), (None, "healthy")],
)
def test_health_follows_the_worst_open_alert(severity: str | None, health: str) -> None:
    row = status_of(alerts=alerts_of(severity, 2) if severity else NO_ALERTS).iloc[0]
    assert row["health_status"] == health
    assert row["open_alerts"] == (2 if severity else 0)


NEVER_SCORED = scores_of(device="somebody else")


@pytest.mark.parametrize(
    ("scores", "health"),
    [
        (NEVER_SCORED, "unknown"),
        (scores_of(), "healthy"),
        (scores_of(timedelta(hours=4) - MINUTE), "healthy"),
        (scores_of(timedelta(hours=4)), "unknown"),
    ],
    ids=["never scored", "scored", "scored long ago", "scores blanked"],
)
def test_what_nobody_judges_is_unknown_and_not_healthy(scores: pd.DataFrame, health: str) -> None:
    assert status_of(scores=scores).loc[0, "health_status"] == health
    assert site_status(status_of(scores=scores)).loc[0, "health_status"] == health


@pytest.mark.parametrize("scores", [NEVER_SCORED, scores_of(timedelta(hours=4))], ids=["never", "long ago"])
def test_what_the_rules_judge_is_healthy_without_scores(scores: pd.DataFrame) -> None:
    row = status_of(scores=scores, judged_by_rules=["d1"]).iloc[0]
    assert (row["health_status"], row["score_source"]) == ("healthy", "rules_fallback")


def test_an_alert_counts_for_a_device_that_was_never_scored() -> None:
    assert status_of(scores=NEVER_SCORED, alerts=alerts_of("CRITICAL")).loc[0, "health_status"] == "critical"


def test_a_device_whose_scores_are_blanked_between_two_runs_is_unknown_from_then_on() -> None:
    hours = [
        refreshed_status(status_of(), NO_ALERTS, NOW + timedelta(hours=after), StalenessSettings())["health_status"][0]
        for after in (3, 4)
    ]
    assert hours == ["healthy", "unknown"]


@pytest.mark.parametrize(("age", "offline"), [(timedelta(hours=1), False), (timedelta(hours=1) + MINUTE, True)])
def test_device_silent_for_more_than_an_hour_is_offline_whatever_its_alerts(age: timedelta, offline: bool) -> None:
    row = status_of(activity_of(age), alerts=alerts_of("CRITICAL")).iloc[0]
    assert row["health_status"] == ("offline" if offline else "critical")


def test_device_that_was_never_heard_is_offline_with_no_readings() -> None:
    row = status_of().iloc[1]
    assert (row["health_status"], row["reading_count_24h"]) == ("offline", 0)
    assert pd.isna(row["last_reading_at"])


def test_every_registered_device_has_a_row_that_keeps_the_contract() -> None:
    status = status_of(alerts=alerts_of("HIGH"))
    assert status["device_id"].tolist() == ["d1", "d2"]
    assert tuple(status.columns) == DEVICE_STATUS.column_names
    taken_over = [name for name in DEVICE_REGISTRY.column_names if name in DEVICE_STATUS.column_names]
    assert status[taken_over].equals(REGISTRY[taken_over])
    enforce(DEVICE_STATUS, status)
    enforce(SITE_STATUS, site_status(status))


def test_a_device_that_is_overloaded_or_too_warm_all_day_keeps_the_contract() -> None:
    """One device out of its plausible range must not keep the status of the fleet from being published."""
    unusual = activity_of().assign(temp_evaporator_mean_24h=38.0, current_compressor_mean_24h=58.0)
    enforce(DEVICE_STATUS, status_of(unusual))


# --- sites


def devices_of(*rows: tuple[str, str, str, int, float | None]) -> pd.DataFrame:
    """DEVICE_STATUS rows from (site, status, health, open alerts, score)."""
    status = DEVICE_STATUS.sample(len(rows))
    for position, name in enumerate(("site_id", "status", "health_status", "open_alerts", "latest_anomaly_score")):
        status[name] = [row[position] for row in rows]
    status["latest_anomaly_score"] = status["latest_anomaly_score"].astype("float64")
    return status.assign(region="north")


def test_site_has_its_counts_scores_and_worst_health() -> None:
    sites = site_status(devices_of(
        ("s1", "active", "healthy", 0, 0.2), ("s1", "active", "critical", 2, 0.9), ("s1", "active", "offline", 0, None),
        ("s1", "retired", "critical", 5, 1.0), ("s2", "active", "offline", 1, None),
        ("s2", "active", "offline", 0, None),
        ("s3", "active", "warning", 1, 0.6), ("s3", "active", "offline", 0, None), ("s4", "retired", "healthy", 0, 0.1),
        ("s5", "active", "healthy", 0, 0.1), ("s5", "active", "unknown", 0, None), ("s5", "active", "offline", 0, None),
    ))  # fmt: skip
    shown = [
        (r.site_id, r.device_count, r.devices_in_alert, r.mean_anomaly_score, r.max_anomaly_score, r.health_status)
        for r in sites.itertuples()
    ]
    assert shown[0] == ("s1", 3, 1, pytest.approx(0.55), 0.9, "critical")
    assert shown[1][:3] == ("s2", 2, 1)
    assert pd.isna(shown[1][3])
    assert shown[1][5] == "offline"
    assert shown[2] == ("s3", 2, 1, 0.6, 0.6, "warning")
    assert shown[3][5] == "unknown"
    assert len(shown) == 4
    assert set(sites["region"]) == {"north"}


def test_empty_fleet_has_no_devices_and_no_sites(settings: Settings, warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        activity, scores = device_activity(connection, NOW, settings.fleet), device_scores(connection, NOW, settings)
    devices = device_status(DEVICE_REGISTRY.empty(), activity, scores, NO_ALERTS, NOW, settings)
    sites = site_status(devices)
    assert (tuple(devices.columns), len(devices)) == (DEVICE_STATUS.column_names, 0)
    assert (tuple(sites.columns), len(sites)) == (SITE_STATUS.column_names, 0)
    DEVICE_STATUS.to_arrow(devices)
    SITE_STATUS.to_arrow(sites)


def test_fleet_that_sent_nothing_yet_is_offline(settings: Settings, warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        activity, scores = device_activity(connection, NOW, settings.fleet), device_scores(connection, NOW, settings)
    devices = device_status(REGISTRY, activity, scores, NO_ALERTS, NOW, settings)
    assert devices["health_status"].tolist() == ["offline", "offline"]
    enforce(DEVICE_STATUS, devices)


# --- from the warehouse


def put(warehouse: Warehouse, contract, rows: pd.DataFrame) -> None:
    with warehouse.transaction() as connection:
        connection.register("rows", contract.to_arrow(rows))
        connection.execute(f"INSERT INTO {contract.name} SELECT * FROM rows")


FOREST = "isolation_forest_v1"


def score_rows(*rows: tuple[str, float, str, float]) -> pd.DataFrame:
    """MODEL_SCORES rows from (device, minutes of window end from now, model, score)."""
    frame = MODEL_SCORES.sample(len(rows))
    frame["device_id"], frame["model_id"] = [row[0] for row in rows], [row[2] for row in rows]
    frame["window_end"] = utc([moment(row[1]) for row in rows])
    frame["scored_at"] = frame["window_end"] + timedelta(minutes=3)
    return frame.assign(anomaly_score=[row[3] for row in rows])


def test_score_of_a_device_is_the_highest_over_models_of_its_newest_window(
    settings: Settings, warehouse: Warehouse
) -> None:
    put(warehouse, MODEL_SCORES, score_rows(
        ("d1", -75, FOREST, 0.9), ("d1", -15, FOREST, 0.4), ("d1", -15, "statistical_baseline_v1", 0.6),
        ("d1", 45, FOREST, 1.0), ("d2", -24 * 60 - 1, FOREST, 0.8),
    ))  # fmt: skip
    with warehouse.read() as connection:
        scores = device_scores(connection, NOW, settings)
    assert scores[["device_id", "latest_anomaly_score", "scored_at"]].to_numpy().tolist() == [["d1", 0.6, moment(-12)]]
    assert scores["score_change"].isna().all()


def test_a_daily_model_counts_in_the_score_of_a_device_for_a_day_and_makes_no_trend(
    settings: Settings, warehouse: Warehouse
) -> None:
    put(warehouse, MODEL_SCORES, score_rows(
        ("d1", -15, FOREST, 0.4), ("d1", -25 * 60, "autoencoder_v1", 0.8), ("d1", -5 * 60, "dbscan_cohort_v1", 0.7),
        ("d2", -15, FOREST, 0.4), ("d2", -27 * 60, "autoencoder_v1", 0.9), ("d2", -75, FOREST, 0.3),
    ))  # fmt: skip
    with warehouse.read() as connection:
        scores = device_scores(connection, NOW, settings).set_index("device_id")
    assert scores["latest_anomaly_score"].to_dict() == {"d1": 0.8, "d2": 0.4}
    assert (scores["scored_at"] == moment(-12)).all()
    assert scores["score_change"].isna().all()


def test_change_of_the_score_is_its_slope_over_a_day(settings: Settings, warehouse: Warehouse) -> None:
    values = [0.1, 0.25, 0.2, 0.5]
    put(warehouse, MODEL_SCORES, score_rows(*(("d1", -60 * (4 - i), FOREST, v) for i, v in enumerate(values))))
    with warehouse.read() as connection:
        change = device_scores(connection, NOW, settings)["score_change"].iloc[0]
    assert change == pytest.approx(np.polyfit(range(4), values, 1)[0] * 24)


def test_change_of_the_score_is_the_same_bits_in_any_order_of_the_scores(
    settings: Settings, warehouse: Warehouse
) -> None:
    rng = np.random.default_rng(3)
    rows = [(device, -15 * i - 1, FOREST, rng.random()) for device in ("d1", "d2") for i in range(90)]
    changes = []
    for _ in range(4):
        with warehouse.transaction() as connection:
            connection.execute(f"DELETE FROM {MODEL_SCORES.name}")
        put(warehouse, MODEL_SCORES, score_rows(*(rows[i] for i in rng.permutation(len(rows)))))
        with warehouse.read() as connection:
            found = device_scores(connection, NOW, settings).set_index("device_id")["score_change"]
        changes.append(found.sort_index().to_numpy().tobytes())
    assert len(set(changes)) == 1


def test_activity_is_the_means_and_counts_of_a_day_up_to_now(settings: Settings, warehouse: Warehouse) -> None:
    windows = DEVICE_FEATURES.sample(4).assign(
        device_id="d1", window_end=utc([moment(m) for m in (-24 * 60, -30, -15, 15)]), reading_count=[15, 10, 5, 15],
        temp_evaporator_mean=[0.0, -20.0, -26.0, 10.0], current_compressor_mean=[1.0, 12.0, np.nan, 1.0],
    )  # fmt: skip
    put(warehouse, DEVICE_FEATURES, windows)
    with warehouse.transaction() as connection:
        connection.execute(
            "INSERT INTO device_last_seen (device_id, last_reading_at) VALUES ('d1', $d1), ('d2', $d2)",
            {"d1": moment(14), "d2": moment(-3000)},
        )
    with warehouse.read() as connection:
        activity = device_activity(connection, NOW, settings.fleet).set_index("device_id")
    # Its newest reading lies after now: as of now only the newest window is known.
    assert activity.loc["d1", "last_reading_at"] == moment(-15)
    assert activity.loc["d1", "temp_evaporator_mean_24h"] == pytest.approx(-22)
    assert activity.loc["d1", "current_compressor_mean_24h"] == pytest.approx(12)
    assert activity.loc["d1", "reading_count_24h"] == 15
    assert activity.loc["d2", "last_reading_at"] == moment(-3000)
    assert pd.isna(activity.loc["d2", "reading_count_24h"])


def late(rows: pd.DataFrame, minutes: float) -> pd.DataFrame:
    """The same scores, made that long after the end of their window."""
    return rows.assign(scored_at=rows["window_end"] + timedelta(minutes=minutes))


def test_only_hourly_models_decide_how_old_the_scores_of_a_device_are(settings: Settings, warehouse: Warehouse) -> None:
    put(warehouse, MODEL_SCORES, score_rows(("d1", -75, FOREST, 0.4), ("d1", -15, "autoencoder_v1", 0.8)))
    with warehouse.read() as connection:
        scores = device_scores(connection, NOW, settings)
    assert scores[["latest_anomaly_score", "scored_at"]].to_numpy().tolist() == [[0.8, moment(-72)]]


def test_an_old_window_that_was_scored_again_neither_is_shown_nor_makes_the_scores_younger(
    settings: Settings, warehouse: Warehouse
) -> None:
    put(warehouse, MODEL_SCORES, score_rows(("d1", -120, FOREST, 0.4)))
    put(warehouse, MODEL_SCORES, late(score_rows(("d1", -60, FOREST, 0.9), ("d2", -60, FOREST, 0.9)), 46))
    with warehouse.read() as connection:
        scores = device_scores(connection, NOW, settings).set_index("device_id")
    assert scores.loc["d1", "latest_anomaly_score"] == 0.4
    assert scores.loc["d1", "scored_at"] == moment(-117)
    assert scores.loc["d2", ["latest_anomaly_score", "scored_at"]].isna().all()


def test_a_model_that_scores_its_last_window_again_late_does_not_silence_the_other(
    settings: Settings, warehouse: Warehouse
) -> None:
    put(warehouse, MODEL_SCORES, score_rows(("d1", -60, "statistical_baseline_v1", 0.5)))
    put(warehouse, MODEL_SCORES, late(score_rows(("d1", -60, FOREST, 0.6)), 50))
    with warehouse.read() as connection:
        scores = device_scores(connection, NOW, settings)
    assert scores[["latest_anomaly_score", "scored_at"]].to_numpy().tolist() == [[0.6, moment(-57)]]
