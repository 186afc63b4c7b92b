"""How assets answer Dagster: failing checks with sample rows, failures in a sentence, tables and pictures."""

import base64
from collections.abc import Iterator

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from fridge_assets.asset_results import (
    AssetEvent,
    contract_check_spec,
    contract_kept,
    counts_table,
    guarded,
    markdown_table,
    picture,
)
from fridge_assets.contracts import DEVICE_REGISTRY, MODEL_SCORES
from fridge_assets.contracts.validation import enforce
from fridge_assets.errors import FridgeError
from fridge_assets.fleet.registry import complete_registry

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


def materialize(work: object, *, contract: str = MODEL_SCORES.name) -> dg.ExecuteInProcessResult:
    """Run an asset 'scores' that stores the contract and does ``work``."""

    @dg.asset(check_specs=[contract_check_spec(MODEL_SCORES, "scores")])
    def scores() -> Iterator[AssetEvent]:
        yield from guarded(work, {contract: "scores"})

    return dg.materialize([scores], raise_on_error=False)


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def test_kept_contracts_materialize_with_a_passed_check() -> None:
    def work() -> Iterator[AssetEvent]:
        yield dg.MaterializeResult(check_results=[contract_kept(2, "scores")])

    result = materialize(work)
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.metadata["rows"].value) == (True, 2)


def test_a_broken_contract_fails_its_check_with_sample_rows_and_the_step_with_a_sentence() -> None:
    def work() -> Iterator[AssetEvent]:
        enforce(MODEL_SCORES, SCORES)
        yield dg.MaterializeResult()

    result = materialize(work)
    assert not result.success
    assert result.asset_materializations_for_node("scores") == []
    (check,) = result.get_asset_check_evaluations()
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
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert "status must be one of active, retired" in check.description
    assert "foo" in check.metadata["sample rows"].value
    assert "device_registry breaks its contract" in failure_of(result)


def test_a_known_error_fails_the_step_with_its_sentence_and_leaves_the_check_unsaid() -> None:
    def work() -> Iterator[AssetEvent]:
        raise FridgeError("the door is open", "Close it.")
        yield dg.MaterializeResult()

    result = materialize(work)
    assert failure_of(result) == "the door is open. Close it."
    assert result.get_asset_check_evaluations() == []


def test_a_known_error_is_not_tried_again() -> None:
    def work() -> Iterator[AssetEvent]:
        raise FridgeError("the door is open", "Close it.")
        yield dg.MaterializeResult()

    with pytest.raises(dg.Failure) as caught:
        list(guarded(work, {}))
    assert caught.value.allow_retries is False


def test_a_full_disk_fails_the_step_with_a_sentence_whichever_library_met_it() -> None:
    def work() -> Iterator[AssetEvent]:
        with open("/dev/full", "w") as full:
            full.write("x" * 100_000)
        yield dg.MaterializeResult()

    with pytest.raises(dg.Failure, match=r" cannot be written: its disk is full.*Free some space there") as e:
        list(guarded(work, {}))
    assert e.value.metadata["kind of error"].value == "DiskFull"


def test_a_bug_stays_a_traceback() -> None:
    def work() -> Iterator[AssetEvent]:
        raise ZeroDivisionError("a bug")
        yield dg.MaterializeResult()

    with pytest.raises(ZeroDivisionError):
        list(guarded(work, {}))


def test_tables_survive_pipes_newlines_and_emptiness() -> None:
    frame = pd.DataFrame({"text": ["a|b\nc"], "number": [0.123456]})
    assert markdown_table(frame) == "| text | number |\n| --- | --- |\n| a\\|b c | 0.123 |"
    assert markdown_table(frame.head(0)) == "none"
    assert counts_table({"few": 1, "many": 9}, "flag").value.splitlines()[2:] == ["| many | 9 |", "| few | 1 |"]


def test_pictures_are_shown_from_within_their_metadata() -> None:
    shown = picture(b"\x89PNG bytes", "scores").value
    assert shown.startswith("![scores](data:image/png;base64,")
    assert base64.b64decode(shown.split("base64,")[1].rstrip(")")) == b"\x89PNG bytes"
