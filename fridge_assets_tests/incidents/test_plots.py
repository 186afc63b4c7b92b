"""The picture of the open alerts."""

from datetime import UTC, datetime

import pandas as pd

from fridge_assets.incidents.plots import highest_alerts

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_name_with_dollar_signs_is_drawn_and_not_computed() -> None:
    alert = {
        "device_id": r"d$\frac{$",
        "site_id": "s$1$",
        "title": "High $x^$",
        "severity": "HIGH",
        "anomaly_score": 0.9,
    }
    assert highest_alerts(pd.DataFrame([alert]), NOW).startswith(b"\x89PNG")
