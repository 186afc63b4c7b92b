import pytest

from fridge_assets.canary.inputs import Scores
from fridge_assets.canary.plots import canary_picture
from fridge_assets.canary.report import compare
from fridge_assets.settings import Settings
from fridge_assets_tests.canary.given import frame, given, healthy


@pytest.mark.parametrize(
    "candidate", [healthy(), 1 - healthy(), frame([]), frame(["a", None])], ids=["good", "bad", "empty", "broken"]
)
def test_every_comparison_has_a_picture(candidate: Scores) -> None:
    scores = given(candidate)
    assert canary_picture(compare(scores, Settings()), scores).startswith(b"\x89PNG")
