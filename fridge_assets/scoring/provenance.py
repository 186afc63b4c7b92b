"""Which version said what about a device at a moment (SPEC 3)."""

from datetime import UTC, datetime

import pandas as pd

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import parse_moment
from fridge_assets.deployment.store import Deployments
from fridge_assets.models.families import FAMILY_SQL
from fridge_assets.stores.frames import query
from fridge_assets.stores.warehouse import Warehouse


class NeverScored(FridgeError):
    """A device has no score that old."""


def provenance(warehouse: Warehouse, deployments: Deployments, device_id: str, at: str) -> pd.DataFrame:
    """The newest score of each family that there was of a device at a moment.

    Args:
        warehouse: holds the scores.
        deployments: who released what.
        device_id: the device.
        at: ISO 8601 moment; empty means now.

    Returns:
        ``family``, ``version``, ``window_end``, ``score``, ``flagged``, ``scored_at``, ``released_at``,
        ``released_by`` (the last decision in favour of that version; null when there is none).

    Raises:
        NeverScored: the device has no score that old.
        FridgeError: ``at`` is no moment.
    """
    moment = parse_moment(at, "--at") if at else datetime.now(UTC)
    with warehouse.read() as connection:
        scores = query(
            connection,
            f"SELECT {FAMILY_SQL} AS family, model_version AS version, window_end, "
            "anomaly_score AS score, anomaly_flag AS flagged, scored_at FROM model_scores "
            "WHERE device_id = $device AND window_end <= $at "
            "QUALIFY row_number() OVER (PARTITION BY family ORDER BY window_end DESC) = 1 ORDER BY family",
            {"device": device_id, "at": moment},
        )
    if scores.empty:
        raise NeverScored(
            f"{device_id} has no score of a window that ended by {moment:%Y-%m-%d %H:%M} UTC",
            "Give a later --at.",
        )
    decisions = [
        next(
            (
                past
                for past in reversed(deployments.history(family))
                if past.version == version and past.action in ("promote", "roll_back", "pin", "unpin")
            ),
            None,
        )
        for family, version in zip(scores["family"], scores["version"], strict=True)
    ]
    scores["released_at"] = pd.Series([past and past.occurred_at for past in decisions], dtype="datetime64[us, UTC]")
    scores["released_by"] = pd.Series([past and past.actor for past in decisions], dtype="str")
    return scores
