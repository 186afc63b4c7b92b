"""What a second replay may do otherwise, and what is refused before anything is replayed."""

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.deployment import decide
from fridge_assets.deployment.decide import Proof, Request
from fridge_assets.deployment.state import Deployment
from fridge_assets.replay.change import Change, changed_settings, parse_pairs, require_versions
from fridge_assets.settings import Settings
from fridge_assets_tests.replay.given import MIDNIGHT

FOREST = "isolation_forest"
RELEASED = Deployment(FOREST).after(
    decide.promote(Deployment(FOREST), "1.0.0", Request("ann", MIDNIGHT, ""), Proof(passed=True, said=""))
)
PAUSED = RELEASED.after(decide.pause(RELEASED, Request("ann", MIDNIGHT, "noisy")))


def test_settings_are_changed_by_their_names_and_the_others_stay(settings: Settings) -> None:
    texts = {"alerts.medium_score": "0.8", "alerts.reopen_within": "PT6H", "scoring.min_completeness": "0.6"}
    changed = changed_settings(settings, Change(settings=texts))
    assert changed.alerts.medium_score == 0.8
    assert changed.alerts.reopen_within.total_seconds() == 6 * 3600
    assert changed.scoring.min_completeness == 0.6
    assert changed.alerts.high_score == settings.alerts.high_score
    assert changed.data_dir == settings.data_dir


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("training.history", "P1D", "training.history is no setting that a replay depends on"),
        ("alerts", "1", "there is no setting 'alerts'. Did you mean"),
        ("alerts.medium_scor", "1", "there is no setting 'alerts.medium_scor'. Did you mean alerts.medium_score?"),
        ("alerts.operators", "[ann", "alerts.operators cannot be '[ann': it is no JSON"),
        ("alerts.medium_score", "much", "alerts.medium_score cannot be 'much': Input should be a valid number"),
        ("alerts.site_devices", "1", "alerts.site_devices cannot be '1': Input should be greater than or equal to 2"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(settings: Settings, name: str, value: str, said: str) -> None:
    with pytest.raises(FridgeError) as refusal:
        changed_settings(settings, Change(settings={name: value}))
    assert said in str(refusal.value)


def test_pairs_are_read_and_anything_else_is_refused() -> None:
    assert parse_pairs(["a=1", "b=x=y"], "--compare-setting", "NAME=VALUE") == {"a": "1", "b": "x=y"}
    for text in ("a", "=1", "a="):
        with pytest.raises(FridgeError, match="Write it as --compare-version FAMILY=VERSION"):
            parse_pairs([text], "--compare-version", "FAMILY=VERSION")


@pytest.mark.parametrize(
    ("family", "version", "state", "said"),
    [
        ("crystal_ball", "1.0.0", RELEASED, "there is no model family 'crystal_ball'. Choose one of isolation_forest"),
        (FOREST, "1.0.0", RELEASED, "isolation_forest 1.0.0 is what scores now"),
        (FOREST, "1.1.0", PAUSED, "isolation_forest is paused and says nothing in a replay"),
        (FOREST, "1.1.0", Deployment(FOREST), "isolation_forest has no release to compare with"),
    ],
)
def test_a_version_that_would_show_no_difference_is_refused(
    family: str, version: str, state: Deployment, said: str
) -> None:
    with pytest.raises(FridgeError) as refusal:
        require_versions(Change(versions={family: version}), {FOREST: state})
    assert said in str(refusal.value)


def test_a_change_is_said_in_words() -> None:
    assert Change().said == "as it is now"
    both = Change({FOREST: "1.1.0"}, {"alerts.medium_score": "0.8"})
    assert both.said == "isolation_forest 1.1.0, alerts.medium_score=0.8"
    require_versions(both, {FOREST: RELEASED})
