"""Files of versions that may still be wanted stay; what a version was stays known for ever (SPEC 3)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fridge_assets.deployment.decide import Proof, Request
from fridge_assets.deployment.state import Action, Decision
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.models.registry import ModelRegistry
from fridge_assets.models.statistical_baseline import StatisticalBaseline
from fridge_assets.models.training import TrainedModel, train
from fridge_assets.models.version import ArtifactRefused
from fridge_assets.settings import Settings
from fridge_assets.upkeep.retention.model_files import Standing, removable
from fridge_assets_tests.models.conftest import first_opening, open_registry, registry_template
from fridge_assets_tests.models.synthetic import NOW as TRAINED_AT
from fridge_assets_tests.models.synthetic import feature_rows, trained_later
from fridge_assets_tests.upkeep.retention.given import Folder, aged

__all__ = ["first_opening", "open_registry", "registry_template"]

FAMILY = "statistical_baseline"
START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=1000)


def history(*decided: tuple[Action, str, str]) -> list[Decision]:
    """Decisions (action, version, from version), a day apart."""
    return [
        Decision(FAMILY, number, action, version, before, (), START + timedelta(days=number), "ann", "")
        for number, (action, version, before) in enumerate(decided, 1)
    ]


def gone(decisions: list[Decision], versions: str, before: datetime = LATER) -> str:
    standings = [Standing(version, START) for version in versions]
    return "".join(removable(FAMILY, standings, decisions, before, 3))


def test_the_last_three_releases_stay_and_drafts_and_older_releases_go() -> None:
    releases = history(*(("promote", version, "") for version in "abcd"))
    assert gone(releases, "abcdx") == "ax"
    assert gone(releases, "abcdx", before=START) == ""


def test_a_version_that_was_decided_about_lately_stays() -> None:
    decisions = history(*(("promote", version, "") for version in "abcd"), ("archive", "x", ""))
    assert gone(decisions, "abcdxy", before=START + timedelta(days=4)) == "ay"
    assert gone(decisions, "abcdxy", before=START + timedelta(days=6)) == "axy"


def test_releases_that_were_rolled_back_count_among_the_last_three_and_so_do_those_that_score_instead() -> None:
    decisions = history(
        *(("promote", version, "") for version in "abcd"), ("roll_back", "c", "d"), ("roll_back", "b", "c")
    )
    assert gone(decisions, "abcd") == ""


@pytest.mark.parametrize("action", ["stage", "pin"])
def test_staged_and_pinned_versions_stay(action: Action) -> None:
    assert gone(history(*(("promote", v, "") for v in "abcd"), (action, "a", "")), "abcd") == ""


def test_a_version_that_scores_in_some_regions_stays() -> None:
    *decided, rollout = history(*(("promote", v, "") for v in "abcde"))
    north = Decision(FAMILY, rollout.number, "promote", "e", "d", ("north",), rollout.occurred_at, "ann", "")
    assert gone([*decided, north], "abcde") == "a"


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    return train(StatisticalBaseline, feature_rows(devices=12, windows=20), Settings(), TRAINED_AT)


def test_files_go_the_entry_stays_and_says_so_and_the_training_rows_go_with_the_last_that_names_them(
    folder: Folder, trained: TrainedModel, open_registry: Callable[[Path], ModelRegistry]
) -> None:
    root = folder.settings.root
    registry = open_registry(root)
    models = folder.models = ModelLifecycle(registry, Deployments(folder.operations))
    long_ago = Request("ann", TRAINED_AT, "because")
    first, draft = (models.introduce(one, long_ago) for one in (trained, trained_later(trained)))
    (snapshot,) = (registry.models_dir / "training").iterdir()
    aged(snapshot, TRAINED_AT)
    torn = aged(registry.models_dir / "training" / "torn.parquet", TRAINED_AT)
    stray = aged(registry.models_dir / "artifacts" / "stray" / "artifacts" / "model.json", TRAINED_AT)
    for parent in (stray.parent, stray.parent.parent):
        aged(parent, TRAINED_AT)
    now = TRAINED_AT + timedelta(days=182)
    folder.heard_from(now)

    looked = folder.sweep(now, dry=True)
    assert registry.folder_of(draft.run_id).exists()
    done = folder.sweep(now)
    assert done["models/artifacts"].problems == []
    assert (looked["models/artifacts"].files, looked["models/artifacts"].bytes) == (
        done["models/artifacts"].files,
        done["models/artifacts"].bytes,
    )
    assert not registry.folder_of(draft.run_id).exists()
    assert not stray.parent.parent.exists()
    assert snapshot.exists(), "the release names it"
    assert not torn.exists()
    assert registry.load(registry.version(FAMILY, first.version)).metadata.version == first.version
    known = registry.version(FAMILY, draft.version)
    assert known.metadata == draft.metadata
    with pytest.raises(ArtifactRefused, match=r"1\.1\.0 are gone: retention removed them on .* after 180 days"):
        registry.load(known)
    with pytest.raises(ArtifactRefused, match="are gone"):
        models.promote(FAMILY, draft.version, long_ago, Proof(passed=True, said="passed"))
    assert not folder.sweep(now)["models/artifacts"].rows, "again removes nothing more"

    registry.remove_files(first, "for this test")
    aged(snapshot, TRAINED_AT)
    assert folder.sweep(now)["models/training"].files == 1
    assert not snapshot.exists()
