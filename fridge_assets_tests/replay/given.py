"""A day of a small fleet, and versions, alerts and labels of it."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from fridge_assets.contracts import DEVICE_ALERTS, LABEL_EVENTS
from fridge_assets.incidents.observing.frames import conform
from fridge_assets.models.metadata import ModelMetadata, TrainingRecord

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def at(hour: float) -> datetime:
    """The moment ``hour`` hours after midnight."""
    return MIDNIGHT + timedelta(hours=hour)


def metadata_of(family: str, window_from: datetime, window_to: datetime) -> ModelMetadata:
    """What version 1.0.0 of ``family`` says about itself."""
    record = TrainingRecord(
        hash="", window_from=window_from, window_to=window_to, rows=1, devices=1, left_out=0, self_cleaned=0,
        calibrated_on="", seed=1, settings={},
    )  # fmt: skip
    return ModelMetadata(
        family=family, major=1, version="1.0.0", granularity="fleet", features=(), threshold=0.6, imputation=(),
        training=record, libraries={}, metrics={}, trained_at=window_to,
    )  # fmt: skip


def told(*alerts: tuple[str, float, str]) -> pd.DataFrame:
    """DEVICE_ALERTS rows of device, hour of the window's end, severity."""
    rows = DEVICE_ALERTS.sample(len(alerts)).assign(
        alert_id=[f"alert {number}" for number in range(len(alerts))],
        device_id=[device for device, _, _ in alerts],
        window_end=[pd.Timestamp(at(hour)) for _, hour, _ in alerts],
        severity=[severity for _, _, severity in alerts],
        title=[f"{device} is unusual" for device, _, _ in alerts],
    )
    return conform([rows], DEVICE_ALERTS)


def labelled(*labels: tuple[str, float, float, str]) -> pd.DataFrame:
    """LABEL_EVENTS rows of device, hours of first detection and of the window's end, label; later ones are newer."""
    if not labels:
        return LABEL_EVENTS.empty()
    rows = LABEL_EVENTS.sample(len(labels)).assign(
        device_id=[device for device, _, _, _ in labels],
        first_detected_at=[pd.Timestamp(at(first)) for _, first, _, _ in labels],
        window_end=[pd.Timestamp(at(end)) for _, _, end, _ in labels],
        label=[label for _, _, _, label in labels],
        labelled_at=[pd.Timestamp(at(100 + number)) for number in range(len(labels))],
    )
    return conform([rows], LABEL_EVENTS)


def truth_of(**onsets: float) -> pd.DataFrame:
    """Ground truth: device → hour at which its leak begins."""
    return pd.DataFrame(
        {
            "device_id": list(onsets),
            "fault": "leak",
            "onset": [pd.Timestamp(at(hour)) for hour in onsets.values()],
        }
    )
