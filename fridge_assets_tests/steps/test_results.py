"""How assets answer Dagster: failing checks with sample rows, failures in a sentence, tables and pictures."""

import asyncio
import base64
from collections.abc import Callable, Iterator

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from dagster._core.loader import LoadingContextForTest

from fridge_assets.contracts import DEVICE_REGISTRY, MODEL_SCORES
from fridge_assets.contracts.validation import enforce
from fridge_assets.core.errors import FridgeError
from fridge_assets.registry.devices import complete_registry
from fridge_assets.running.outcomes import outcome_of
from fridge_assets.steps.results import (
    AssetEvent,
    contract_check_spec,
    contract_kept,
    counts_table,
    guarded,
    markdown_table,
    not_made,
    observed,
    picture,
)
from fridge_assets.steps.skipped_checks import keep_assets, skip_checks

SCORES = pd.DataFrame(
    {
        "score_id": ["a", "b"],
        "device_id": ["device-1", "device-2"],
        "window_start": pd.Timestamp("2026-01-01T00:00Z"),
        "window_end": pd.Timestamp("2026-01-01T00:15Z"),
        "model_id": "isolation_forest_v1",
        "model_version": "1.0.0",
        "granularity": "fleet",
        "anomaly_score": [0.5, np.nan],
        "anomaly_flag": False,
        "threshold_used": 0.6,
        "top_contributors": [[], []],
        "contributor_scores": [[], []],
        "scored_at": pd.Timestamp("2026-01-01T00:18Z"),
        "sensor_completeness": 1.0,
    }
)


COVERAGE = dg.AssetCheckKey(dg.AssetKey("scores"), "coverage")
CONTRACT = dg.AssetCheckKey(dg.AssetKey("scores"), "contract")
BELOW = dg.AssetCheckKey(dg.AssetKey("alerts"), "budget")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as opened:
        yield opened


def materialize(
    work: Callable[[], Iterator[AssetEvent]], instance: dg.DagsterInstance | None = None
) -> dg.ExecuteInProcessResult:
    """Run 'readings', then 'scores' that stores the contract and does ``work``, then 'alerts' that need it."""

    @dg.asset
    @guarded({})
    def readings(context: dg.AssetExecutionContext) -> Iterator[AssetEvent]:
        yield observed(context, dg.MaterializeResult())

    @dg.asset(
        deps=[readings],
        check_specs=[contract_check_spec(MODEL_SCORES, "scores"), dg.AssetCheckSpec("coverage", asset="scores")],
    )
    @guarded({MODEL_SCORES.name: "scores"})
    def scores(context: dg.AssetExecutionContext) -> Iterator[AssetEvent]:
        assert context.run.run_id
        yield from work()

    @dg.asset(deps=[scores], check_specs=[dg.AssetCheckSpec("budget", asset="alerts")])
    @guarded({})
    def alerts(context: dg.AssetExecutionContext) -> Iterator[AssetEvent]:
        assert context.run.run_id
        yield dg.MaterializeResult(
            check_results=[dg.AssetCheckResult(passed=True, asset_key="alerts", check_name="budget")]
        )

    return dg.materialize([readings, scores, alerts], instance=instance, raise_on_error=False)


def shown(instance: dg.DagsterInstance, *checks: dg.AssetCheckKey) -> list[str]:
    """What the Dagster UI says of the newest execution of each check."""
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    loading = LoadingContextForTest(instance)
    return [asyncio.run(newest[check].resolve_status(loading)).value for check in checks]


def blamed(instance: dg.DagsterInstance, *assets: str) -> list[bool]:
    """Whether the Dagster UI shows each asset as failed by its latest run."""
    records = {
        r.asset_entry.asset_key.to_user_string(): r for r in instance.get_asset_records(list(map(dg.AssetKey, assets)))
    }
    runs = [instance.get_run_by_id(records[asset].asset_entry.last_run_id) for asset in assets]
    return [run is not None and run.is_failure for run in runs]


def kept(rows: int) -> dg.MaterializeResult:
    covered = dg.AssetCheckResult(passed=True, asset_key="scores", check_name="coverage")
    return dg.MaterializeResult(asset_key="scores", check_results=[contract_kept(rows, "scores"), covered])


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def test_kept_contracts_materialize_with_a_passed_check() -> None:
    def work() -> Iterator[AssetEvent]:
        yield kept(2)

    result = materialize(work)
    assert result.success
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "contract"]
    assert (check.passed, check.metadata["rows"].value) == (True, 2)


def test_a_broken_contract_fails_its_check_with_sample_rows_and_the_step_with_a_sentence() -> None:
    def work() -> Iterator[AssetEvent]:
        enforce(MODEL_SCORES, SCORES)
        yield dg.MaterializeResult()

    result = materialize(work)
    assert not result.success
    assert result.asset_materializations_for_node("scores") == []
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "contract"]
    assert (check.passed, check.asset_key, check.check_name) == (False, dg.AssetKey("scores"), "contract")
    assert check.metadata["rows"].value == 2
    sample = check.metadata["sample rows"].value
    assert "**anomaly_score must not be null**: 1 rows" in sample
    assert "device-2" in sample
    assert "device-1" not in sample
    sentence = "anomaly_score must not be null (1 of 2 rows do not)"
    assert sentence in check.description
    assert failure_of(result).startswith("model_scores breaks its contract: ")
    assert sentence in failure_of(result)


def test_an_input_that_breaks_its_contract_fails_the_checks_of_all_that_was_to_be_made_of_it() -> None:
    registry = pd.DataFrame({"device_id": ["device-1"], "site_id": ["site-1"], "status": ["foo"]})

    def work() -> Iterator[AssetEvent]:
        complete_registry(registry, DEVICE_REGISTRY.name)
        yield dg.MaterializeResult()

    result = materialize(work)
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "contract"]
    assert not check.passed
    assert "status must be one of active, retired" in check.description
    assert "foo" in check.metadata["sample rows"].value
    assert "device_registry breaks its contract" in failure_of(result)


def failing(error: Exception) -> Callable[[], Iterator[AssetEvent]]:
    def work() -> Iterator[AssetEvent]:
        raise error
        yield dg.MaterializeResult()

    return work


OPEN = FridgeError("the door is open", "Close it.")


@pytest.mark.parametrize("error", [OPEN, ZeroDivisionError("a bug")], ids=["known", "bug"])
def test_what_was_not_made_because_a_step_failed_is_shown_as_skipped(
    error: Exception, instance: dg.DagsterInstance
) -> None:
    result = materialize(failing(error), instance)
    assert shown(instance, CONTRACT, COVERAGE, BELOW) == ["SKIPPED", "SKIPPED", "SKIPPED"]
    assert blamed(instance, "readings", "scores", "alerts") == [False, True, False]
    said = {check.check_name: check.description for check in result.get_asset_check_evaluations()}
    assert said == {"contract": f"not made: {error}", "coverage": f"not made: {error}"}


def test_a_check_of_a_run_that_failed_elsewhere_keeps_what_it_said(instance: dg.DagsterInstance) -> None:
    def work() -> Iterator[AssetEvent]:
        enforce(MODEL_SCORES, SCORES)
        yield dg.MaterializeResult()

    materialize(work, instance)
    assert shown(instance, CONTRACT, COVERAGE) == ["FAILED", "SKIPPED"]


def test_the_next_run_shows_what_it_made(instance: dg.DagsterInstance) -> None:
    def work() -> Iterator[AssetEvent]:
        yield kept(2)

    materialize(failing(OPEN), instance)
    assert materialize(work, instance).success
    assert shown(instance, CONTRACT, COVERAGE, BELOW) == ["SUCCEEDED"] * 3
    assert blamed(instance, "readings", "scores", "alerts") == [False] * 3


def test_a_check_that_a_step_does_not_make_is_skipped_and_nobody_is_told(instance: dg.DagsterInstance) -> None:
    def work() -> Iterator[AssetEvent]:
        unmade = not_made("scores", "coverage", "nobody was asked for")
        yield dg.MaterializeResult(asset_key="scores", check_results=[contract_kept(2, "scores"), unmade])

    result = materialize(work, instance)
    assert result.success
    assert shown(instance, CONTRACT, COVERAGE) == ["SUCCEEDED", "SKIPPED"]
    outcome = outcome_of("job", result.run_id, result.all_events)
    assert {check.name: check.told for check in outcome.checks}["coverage"] is False


def test_a_later_run_that_has_planned_a_check_again_is_not_hidden(instance: dg.DagsterInstance) -> None:
    def work() -> Iterator[AssetEvent]:
        yield kept(2)

    earlier = materialize(failing(OPEN), instance).run_id
    materialize(work, instance)
    skip_checks(instance, earlier, [CONTRACT])
    keep_assets(instance, earlier, [dg.AssetKey("scores")])
    assert shown(instance, CONTRACT) == ["SUCCEEDED"]


def test_a_known_error_fails_the_step_with_its_sentence_and_is_not_tried_again() -> None:
    result = materialize(failing(OPEN))
    assert failure_of(result) == "the door is open. Close it."
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data.metadata["kind of error"].value == "FridgeError"


def test_a_full_disk_fails_the_step_with_a_sentence_whichever_library_met_it() -> None:
    def work() -> Iterator[AssetEvent]:
        with open("/dev/full", "w") as full:
            full.write("x" * 100_000)
        yield dg.MaterializeResult()

    result = materialize(work)
    assert not result.success
    assert " cannot be written: its disk is full" in failure_of(result)
    assert "Free some space there" in failure_of(result)


def test_a_bug_stays_a_traceback() -> None:
    (event,) = [event for event in materialize(failing(ZeroDivisionError("a bug"))).all_events if event.is_step_failure]
    assert event.step_failure_data.user_failure_data is None
    assert "ZeroDivisionError" in event.step_failure_data.error.to_string()


def test_tables_survive_pipes_newlines_and_emptiness() -> None:
    frame = pd.DataFrame({"text": ["a|b\nc"], "number": [0.123456]})
    assert markdown_table(frame) == "| text | number |\n| --- | --- |\n| a\\|b c | 0.123 |"
    assert markdown_table(frame.head(0)) == "none"
    assert counts_table({"few": 1, "many": 9}, "flag").value.splitlines()[2:] == ["| many | 9 |", "| few | 1 |"]


def test_names_in_tables_are_shown_as_they_are() -> None:
    frame = pd.DataFrame({"device": ["<img src=x> ![a](b) *c* _d_ e_f-1"]})
    assert markdown_table(frame).splitlines()[2] == r"| \<img src=x\> !\[a\](b) \*c\* \_d\_ e_f-1 |"


def test_pictures_are_shown_from_within_their_metadata() -> None:
    shown = picture(b"\x89PNG bytes", "scores").value
    assert shown.startswith("![scores](data:image/png;base64,")
    assert base64.b64decode(shown.split("base64,")[1].rstrip(")")) == b"\x89PNG bytes"
