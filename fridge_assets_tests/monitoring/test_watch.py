"""One look at the families over a real folder: what is stored, what is repeated, what the asset says (SPEC 8)."""

from datetime import timedelta

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts import MODEL_MONITORING
from fridge_assets.contracts.validation import validate
from fridge_assets.models.families import FAMILIES, HOURLY_FAMILIES
from fridge_assets.monitoring.assets import model_monitoring
from fridge_assets.monitoring.inputs import current_features, newest_windows, read_scored_window, training_features
from fridge_assets.monitoring.watch import MonitoringReport, watch_models
from fridge_assets.monitoring.wording import WATCHES
from fridge_assets.settings import MonitoringSettings, Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.steps.results import NOT_TOLD
from fridge_assets.stores.frames import query
from fridge_assets.stores.warehouse import Warehouse
from fridge_assets_tests.canary.given import healthy
from fridge_assets_tests.monitoring.conftest import NOW, WINDOW
from fridge_assets_tests.scenarios.small_fleet import DEVICES, TRAINED_HOUR, Place
from fridge_assets_tests.scoring.inputs import change
from fridge_assets_tests.scoring.stored import store_scores

FOREST, BASELINE = HOURLY_FAMILIES
HOUR = timedelta(hours=1)

SMALL = MonitoringSettings(min_rows=10, drift_span=timedelta(hours=1))
"""Limits for a fleet of two dozen devices and a few hours."""


def watch(place: Place, monitoring: MonitoringSettings = SMALL) -> MonitoringReport:
    settings = place.settings.model_copy(update={"monitoring": monitoring})
    return watch_models(place.warehouse, place.models, NOW, settings)


def stored(place: Place) -> pd.DataFrame:
    with place.warehouse.read() as connection:
        return query(connection, "SELECT * FROM model_monitoring ORDER BY family, window_end, metric, subject")


def test_a_look_stores_every_metric_of_every_family_that_scored(scored: Place) -> None:
    report = watch(scored)
    assert validate(MODEL_MONITORING, report.rows).passed
    assert len(stored(scored)) == len(report.rows)
    counts = report.rows.groupby(["family", "metric"]).size()
    for family in HOURLY_FAMILIES:
        features = len(scored.models.require_serving(family).metadata.features)
        assert (counts[family, "psi"], counts[family, "ks"]) == (features, features)
        for metric in ("mean", "p99", "flagged_share", "coverage", "kl_trailing"):
            assert counts[family, metric] == 1
    assert (report.rows["window_end"] == pd.Timestamp(WINDOW)).all()
    agreement = report.rows.set_index("metric").loc["agreement"]
    assert (agreement["family"], agreement["subject"], agreement["rows"]) == (FOREST, BASELINE, DEVICES)


def test_figures_are_those_of_the_stored_scores(scored: Place) -> None:
    found = watch(scored).rows.query("family == @FOREST").set_index("metric")["value"]
    ((mean, median, flagged),) = scored.query(
        "SELECT avg(anomaly_score), median(anomaly_score), avg(anomaly_flag::INT) "
        f"FROM {FOREST}_scores WHERE window_end = ?",
        WINDOW,
    )
    assert found[["mean", "p50", "flagged_share", "coverage"]].tolist() == pytest.approx([mean, median, flagged, 1.0])


def test_looking_again_replaces_the_rows_of_the_window(scored: Place) -> None:
    watch(scored)
    before = stored(scored)
    watch(scored)
    pd.testing.assert_frame_equal(stored(scored), before)
    change(scored, f"UPDATE {FOREST}_scores SET anomaly_score = 0.5")
    watch(scored)
    after = stored(scored)
    assert len(after) == len(before)
    assert after.query("family == @FOREST and metric == 'p50'")["value"].tolist() == [0.5]


def test_of_a_fleet_that_is_too_small_nothing_is_concluded(scored: Place) -> None:
    report = watch(scored, MonitoringSettings())
    assert set(report.rows["verdict"]) == {"not enough data"}


def test_a_sensor_that_moved_drifts_for_both_families(scored: Place) -> None:
    steady = "superheat_mean"
    before = watch(scored).rows.query("metric == 'psi' and subject == @steady")["verdict"]
    assert before.tolist() == ["ok", "ok"]
    change(scored, f"UPDATE device_features SET {steady} = {steady} + 20")
    assert watch(scored).warned("psi").query("subject == @steady")["family"].tolist() == [FOREST, BASELINE]


def test_without_its_training_rows_drift_of_a_version_is_not_judged_and_the_rest_is(scored: Place) -> None:
    for snapshot in (scored.settings.models_dir / "training").iterdir():
        snapshot.unlink()
    verdicts = watch(scored).rows.groupby("metric")["verdict"].agg(set)
    assert verdicts["psi"] == {"not enough data"}
    assert verdicts["coverage"] == {"ok"}


@pytest.mark.parametrize("family", ["dbscan_cohort", "autoencoder"])
def test_a_model_of_days_is_held_against_days(scored: Place, family: str) -> None:
    settings = scored.settings.model_copy(update={"monitoring": SMALL})
    with scored.warehouse.read() as connection:
        sample = current_features(connection, WINDOW, FAMILIES[family].view, settings)
    per_device = 1 if family == "dbscan_cohort" else 4 * TRAINED_HOUR
    assert (len(sample.rows), sample.span) == (DEVICES * per_device, TRAINED_HOUR * HOUR)
    trained = training_features(scored.models.registry, scored.models.require_serving(family), settings.monitoring)
    assert 0 < len(trained.rows) <= settings.monitoring.drift_rows


def test_a_week_and_a_daily_family_are_looked_at_together(warehouse: Warehouse, settings: Settings) -> None:
    for back in range(30, -1, -1):
        store_scores(warehouse, FOREST, WINDOW - back * HOUR, healthy(400, seed=back), seconds=2.0)
    store_scores(warehouse, "autoencoder", WINDOW - 25 * HOUR, healthy(400))
    store_scores(warehouse, "dbscan_cohort", WINDOW - 26 * HOUR, healthy(400))
    with warehouse.read() as connection:
        newest = newest_windows(connection, NOW, settings.staleness)
        assert newest == {FOREST: WINDOW, "autoencoder": WINDOW - 25 * HOUR}
        assert newest_windows(connection, WINDOW - HOUR, settings.staleness)[FOREST] == WINDOW - HOUR
        window = read_scored_window(connection, FOREST, WINDOW, None, settings.monitoring)
        resumed = read_scored_window(connection, FOREST, WINDOW, WINDOW - 5 * HOUR, settings.monitoring)
    assert (window.trailing.runs, window.span.runs, window.seconds, window.flagged) == (24, 30, 2.0, 4)
    assert (resumed.trailing.runs, resumed.span.runs) == (5, 5)
    assert np.array_equal(window.scores, np.sort(healthy(400)))


def test_a_folder_of_an_earlier_release_gains_the_time_that_scoring_took(warehouse: Warehouse) -> None:
    with warehouse.transaction() as connection:
        connection.execute("ALTER TABLE score_runs DROP COLUMN seconds")
        connection.execute("DROP TABLE warehouse_schema")
    store_scores(warehouse, FOREST, WINDOW, healthy(300), seconds=1.5)
    with warehouse.read() as connection:
        assert connection.execute("SELECT seconds FROM score_runs").fetchall() == [(1.5,)]


def test_before_the_first_scores_there_is_nothing_to_watch(trained_template: Place) -> None:
    report = watch_models(trained_template.warehouse, trained_template.models, NOW, trained_template.settings)
    assert report.rows.empty
    assert report.history.empty


def asset_run(place: Place, monitoring: MonitoringSettings) -> dg.ExecuteInProcessResult:
    settings = place.settings.model_copy(update={"monitoring": monitoring})
    return dg.materialize(
        [model_monitoring],
        resources={
            "settings": settings,
            "warehouse": place.warehouse,
            "models": place.models,
            "clock": Clock(warehouse=place.warehouse, settings=settings, as_of=NOW.isoformat()),
        },
    )


def test_the_asset_answers_with_a_check_a_kind_of_limit_and_its_pictures(scored: Place) -> None:
    change(scored, "UPDATE score_runs SET active_devices = 48")
    done = asset_run(scored, SMALL)
    assert done.success
    checks = {each.check_name: each for each in done.get_asset_check_evaluations()}
    assert checks.keys() == {"contract", *(watch.name for watch in WATCHES)}
    coverage = checks["coverage"]
    assert (coverage.passed, coverage.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert coverage.description is not None
    assert coverage.description.startswith(f"{FOREST} in the window ending")
    assert "coverage is 50.00% (limit ≥ 99.00%)" in coverage.description
    (materialization,) = done.asset_materializations_for_node("model_monitoring")
    for name in ("score quantiles", "flagged share", "feature drift", "agreement"):
        assert str(materialization.metadata[name].value).startswith(f"![{name}](data:image/png;base64,")


def test_the_asset_warns_of_nothing_that_it_cannot_judge(scored: Place) -> None:
    checks = asset_run(scored, MonitoringSettings()).get_asset_check_evaluations()
    said = {each.check_name: each.description for each in checks if each.check_name != "contract"}
    assert [each.check_name for each in checks if each.passed] == ["contract"]
    assert all(NOT_TOLD in each.metadata for each in checks if not each.passed)
    assert set(said.values()) == {
        "not made: not enough data of isolation_forest, statistical_baseline",
        "not made: not enough data of isolation_forest, all",
    }
