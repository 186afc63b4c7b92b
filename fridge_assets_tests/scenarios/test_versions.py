"""Versions in the running pipeline: the next run follows a decision, and no window ever mixes versions (SPEC 3)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice

import dagster as dg
import pandas as pd
import pytest

from fridge_assets.automation.cycles import one_model_cycle, run_canary
from fridge_assets.canary.promotion import promote, proof_of
from fridge_assets.canary.run import due_pairs
from fridge_assets.canary.store import canary_reports, commit_comparisons
from fridge_assets.contracts import CANARY_REPORTS, CANARY_SCORES
from fridge_assets.core.names import UnknownName
from fridge_assets.definitions import load_job
from fridge_assets.deployment import decide
from fridge_assets.deployment.decide import Proof, Request
from fridge_assets.deployment.state import Decision, Deployment
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.selection import select_training_rows
from fridge_assets.models.training import train
from fridge_assets.registry.devices import read_registry, with_cohort
from fridge_assets.running.outcomes import outcome_of
from fridge_assets.scoring.provenance import provenance
from fridge_assets.scoring.score import commit_scores
from fridge_assets.scoring.serve import ScoreTarget, score_target
from fridge_assets_tests.cli.typed import typed
from fridge_assets_tests.scenarios.fixtures import FIRST_HOUR
from fridge_assets_tests.scenarios.small_fleet import DEVICES, Place, cycle_time, graph_of, hour
from fridge_assets_tests.scoring.inputs import fleet_of

FAMILY = "statistical_baseline"
PASSED = Proof(passed=True, said="the test says so")
WINDOW = hour(FIRST_HOUR)


def ann(why: str = "because") -> Request:
    return Request("ann", datetime.now(UTC), why)


def another_version(place: Place) -> str:
    """Train a draft of FAMILY that scores otherwise: on the first half of the devices."""
    devices = fleet_of(place)
    with place.warehouse.read() as connection:
        rows = select_training_rows(connection, devices, WINDOW, place.settings, FAMILIES[FAMILY].view)
    half = rows[rows["device_id"] < f"device-{DEVICES // 2:06}"]
    return place.models.introduce(train(FAMILIES[FAMILY], half, place.settings, WINDOW), ann()).version


def versions_of(place: Place, window: datetime = WINDOW) -> dict[str, set[str]]:
    """Region → the versions on the rows of FAMILY in a window."""
    registry = read_registry(place.root)
    assert registry is not None
    rows = place.query(f"SELECT device_id, model_version FROM {FAMILY}_scores WHERE window_end = ?", window)
    scored = pd.DataFrame(rows, columns=["device_id", "version"]).merge(registry, on="device_id")
    assert len(scored) == DEVICES
    return {str(region): set(versions) for region, versions in scored.groupby("region")["version"]}


def score(place: Place, *devices: str) -> None:
    """Score FAMILY as its asset does."""
    registry = read_registry(place.root)
    assert registry is not None
    target = ScoreTarget(FAMILY, devices)
    served = score_target(
        target, place.models, place.warehouse, with_cohort(registry), cycle_time(FIRST_HOUR), place.settings
    )
    commit_scores(place.warehouse, served.reports, "run", whole_window=not devices)


def test_the_next_run_scores_with_what_was_promoted_rolled_back_or_pinned(cycled: Place) -> None:
    regions = versions_of(cycled)
    new = another_version(cycled)
    assert new == "1.1.0"
    assert versions_of(cycled) == regions
    for act, expected in (
        (lambda: cycled.models.promote(FAMILY, new, ann(), PASSED), "1.1.0"),
        (lambda: cycled.models.roll_back(FAMILY, ann()), "1.0.0"),
        (lambda: cycled.models.pin(FAMILY, "1.0.0", ann()), "1.0.0"),
        (lambda: cycled.models.promote(FAMILY, new, ann(), PASSED), "1.0.0"),
        (lambda: cycled.models.unpin(FAMILY, ann()), "1.1.0"),
    ):
        act()
        score(cycled)
        assert versions_of(cycled) == {region: {expected} for region in regions}


def test_a_rollout_scores_its_regions_and_devices_scored_again_keep_their_windows_version(cycled: Place) -> None:
    regions = sorted(versions_of(cycled))
    first, *others = regions
    new = another_version(cycled)
    promote(cycled.models, cycled.warehouse, FAMILY, new, ann(), cycled.settings, regions=[first], override=True)
    with pytest.raises(UnknownName, match="atlantis"):
        promote(
            cycled.models, cycled.warehouse, FAMILY, new, ann(), cycled.settings, regions=["atlantis"], override=True
        )
    score(cycled)
    mixed = {first: {new}, **{region: {"1.0.0"} for region in others}}
    assert versions_of(cycled) == mixed
    runs = cycled.query("SELECT model_version, rows FROM score_runs WHERE family = ? ORDER BY 1", FAMILY)
    assert sum(int(str(rows)) for version, rows in runs) >= 2 * DEVICES  # the first run, and one for each version

    cycled.models.promote(FAMILY, new, ann(), PASSED)
    score(cycled, *fleet_of(cycled)["device_id"].head(3))
    assert versions_of(cycled) == mixed
    score(cycled)
    assert versions_of(cycled) == {region: {new} for region in regions}


def test_a_tampered_release_is_refused_the_one_before_scores_and_the_reason_is_shown(cycled: Place) -> None:
    cycled.models.promote(FAMILY, another_version(cycled), ann(), PASSED)
    tampered = cycled.artifact(FAMILY, "calibration.json")
    tampered.write_bytes(tampered.read_bytes() + b" ")
    with graph_of(cycled.settings) as instance:
        outcome = one_model_cycle(instance, FAMILY, [], "", cycle_time(FIRST_HOUR))
        key = dg.AssetCheckKey(dg.AssetKey(f"{FAMILY}_scores"), "artifact_unchanged")
        (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert outcome.success
    assert set().union(*versions_of(cycled).values()) == {"1.0.0"}
    assert record.event is not None
    assert record.event.dagster_event is not None
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert not evaluation.passed
    assert "1.1.0 was refused: calibration.json" in str(evaluation.description)


def test_two_hundred_swaps_during_continuous_scoring_mix_no_window(cycled: Place) -> None:
    new = another_version(cycled)
    cycled.models.promote(FAMILY, new, ann(), PASSED)
    seen: list[set[str]] = []
    with swapping(cycled, "1.0.0", new, times=200) as swaps:
        while swaps.is_alive():
            score(cycled)
            seen.append(set().union(*versions_of(cycled).values()))
    assert len(seen) > 2
    assert all(len(versions) == 1 for versions in seen)
    assert set().union(*seen) == {"1.0.0", new}
    assert len(cycled.models.deployments.history(FAMILY)) == 202


@contextmanager
def swapping(place: Place, *versions: str, times: int) -> Iterator[threading.Thread]:
    """Another thread that promotes ``versions`` in turns."""
    failures: list[BaseException] = []
    deployments = Deployments(place.operations)

    def promoting(version: str, state: Deployment, _: list[Decision]) -> Decision:
        return decide.promote(state, version, ann(), PASSED)

    def swap() -> None:
        try:
            for version in islice(cycle(versions), times):
                deployments.decide(FAMILY, partial(promoting, version))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=swap)
    thread.start()
    yield thread
    thread.join(timeout=120)
    assert not failures


def test_a_candidate_is_compared_reported_and_kept_back_without_proof(cycled: Place) -> None:
    new = another_version(cycled)
    cycled.models.stage(FAMILY, new, ann())
    with graph_of(cycled.settings) as instance:
        outcome = run_canary(instance, cycle_time(FIRST_HOUR), in_process=True)
    assert outcome.success, outcome.failures
    (report,) = canary_reports(cycled.warehouse, FAMILY).to_dict(orient="records")
    assert (report["candidate_version"], report["production_version"], report["devices"]) == (new, "1.0.0", DEVICES)
    assert report["verdict"] == "inconclusive"  # on so few devices nothing can be said
    assert "fewer than 200" in report["reason"]
    assert cycled.query("SELECT count(*) FROM canary_scores") == [(DEVICES,)]
    shown = outcome.metadata["canary_reports"]
    name = f"{FAMILY} {new} with 1.0.0"
    assert shown[f"{name}: picture"].startswith(f"![{name}](data:image/png;base64,iVBOR")
    assert "| KL divergence |" in shown[f"{name}: inconclusive"]
    assert not proof_of(cycled.models, cycled.warehouse, FAMILY, new, cycled.settings.canary).passed
    # a canary reaches neither scores nor alerts
    assert set().union(*versions_of(cycled).values()) == {"1.0.0"}


def test_a_new_release_is_watched_for_three_windows(cycled: Place) -> None:
    new = another_version(cycled)
    cycled.models.promote(FAMILY, new, ann(), PASSED)
    for number in range(3):
        (pair,) = due_pairs(cycled.models, cycled.warehouse, cycled.settings.canary)
        assert (pair.candidate, pair.production, pair.purpose) == (new, "1.0.0", "new release")
        report = CANARY_REPORTS.sample(1).assign(
            report_id=f"{number}", family=FAMILY, candidate_version=new, production_version="1.0.0",
            window_end=hour(FIRST_HOUR + number), created_at=datetime.now(UTC),
        )  # fmt: skip
        commit_comparisons(cycled.warehouse, report, CANARY_SCORES.empty())
    assert due_pairs(cycled.models, cycled.warehouse, cycled.settings.canary) == []
    cycled.models.roll_back(FAMILY, ann())
    assert due_pairs(cycled.models, cycled.warehouse, cycled.settings.canary) == []


def test_decisions_are_the_same_as_commands_and_as_jobs(cycled: Place) -> None:
    new = another_version(cycled)
    with graph_of(cycled.settings) as instance:
        config = {"family": FAMILY, "version": new, "reason": "looks good", "override": True}
        job = load_job("action_promote_model")
        refused = job.execute_in_process({**config, "override": False}, instance=instance, raise_on_error=False)
        done = job.execute_in_process(config, instance=instance)
    outcome = outcome_of(job.name, refused.run_id, refused.all_events)
    assert "may not be promoted" in outcome.failures["promote_model"]
    assert done.success
    code, said, error = typed(cycled.root, "models", "rollback", FAMILY, "--reason", "too many alerts")
    assert (code, error) == (0, "")
    assert said.strip() == f"{FAMILY} 1.0.0 is the release again instead of {new}, from the next run on."
    code, _, error = typed(cycled.root, "models", "rollback", FAMILY)
    assert code == 1
    assert "no release before 1.0.0" in error
    history = cycled.models.deployments.history(FAMILY)
    assert [(d.action, d.version, d.reason) for d in history[1:]] == [
        ("promote", new, "looks good"),
        ("roll_back", "1.0.0", "too many alerts"),
    ]


def test_who_scored_a_device_at_a_moment_is_one_question(cycled: Place) -> None:
    found = provenance(cycled.warehouse, cycled.models.deployments, "device-000003", WINDOW.isoformat())
    assert found[["family", "version"]].to_numpy().tolist() == [
        ["isolation_forest", "1.0.0"], ["statistical_baseline", "1.0.0"],
    ]  # fmt: skip
    assert found["released_by"].str.startswith("Dagster run").all()
    code, said, _ = typed(cycled.root, "models", "scored", "device-000003", "--at", WINDOW.isoformat())
    assert code == 0
    assert "1.0.0" in said
    code, _, error = typed(cycled.root, "models", "scored", "device-000003", "--at", hour(0).isoformat())
    assert code == 1
    assert "no score of a window that ended by" in error
