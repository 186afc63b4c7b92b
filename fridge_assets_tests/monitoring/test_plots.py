import pytest

from fridge_assets.contracts import MODEL_MONITORING
from fridge_assets.monitoring.plots import agreement_matrix, feature_drift, flagged_shares, score_quantiles
from fridge_assets_tests.monitoring.given import FOUR, drifted, history


@pytest.mark.parametrize("families", [(), FOUR[:1], FOUR[:2], FOUR], ids=["none", "one", "two", "four"])
def test_every_report_has_its_pictures(families: tuple[str, ...]) -> None:
    past = history(families, hours=30) if families else MODEL_MONITORING.empty()
    now = drifted(families) if families else MODEL_MONITORING.empty()
    pictures = [score_quantiles(past, 0.6), flagged_shares(past), feature_drift(now), agreement_matrix(now)]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
