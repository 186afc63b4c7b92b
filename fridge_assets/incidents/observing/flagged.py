"""What the models say about each device: one row per flagged device, ready to become an alert (SPEC 6)."""

from itertools import groupby
from operator import itemgetter
from typing import Final

import pandas as pd

from fridge_assets.core.identity import deterministic_id
from fridge_assets.incidents.observing.severity import (
    BELOW_ALL,
    LOW,
    fallback_severity_rank,
    severity_rank,
    with_provisional,
)
from fridge_assets.models.selection import COHORT, STATE
from fridge_assets.settings import IncidentSettings

MODELS: Final = "models"
"""Source of what the models see."""

FALLBACK: Final = "rules_fallback"
"""Source of what the rules see while the models are silent."""


def gather_evidence(scores: pd.DataFrame, source: str, settings: IncidentSettings) -> pd.DataFrame:
    """One row per device that any model flags, in order of device.

    Args:
        scores: MODEL_SCORES rows of one window with ``carried_from`` and ``provisional``, flagged or not; of the
            fallback the conditions that hold are the contributors.
        source: what raises the alerts.
        settings: the severity limits.

    Returns:
        ``device_id``, ``window_start``, ``window_end``; of the flagging model with the highest score
        ``model_id``, ``anomaly_score``, ``top_contributors`` and ``provisional``; ``score_ids`` of all flagged rows,
        strongest first; ``models_flagging`` and ``models_scored`` in distinct families; ``carried_from``: window
        of the latest daily model among the flagging ones, null when all are of this window; ``agreeing``: families that
        flag this window itself and know what the device does; ``severity_rank``; ``alert_id``; ``source``.
    """
    flagged = scores[scores["anomaly_flag"].astype(bool)]
    flagged = flagged.sort_values(["device_id", "anomaly_score", "model_id"], ascending=[True, False, True])
    by_device = flagged.groupby("device_id", sort=True)
    evidence = flagged.drop_duplicates("device_id").set_index("device_id")[
        ["window_start", "window_end", "model_id", "anomaly_score", "top_contributors", "provisional"]
    ]
    ids = zip(flagged["device_id"], flagged["score_id"], strict=True)
    evidence["score_ids"] = [[score for _, score in own] for _, own in groupby(ids, key=itemgetter(0))]
    evidence["carried_from"] = by_device["carried_from"].max()
    evidence["models_flagging"] = _families(flagged)
    of_window = _families(flagged[flagged["carried_from"].isna() & ~_is_unknown(flagged)])
    evidence["agreeing"] = of_window.reindex(evidence.index, fill_value=0)
    evidence["models_scored"] = _families(scores[scores["device_id"].isin(evidence.index)])
    evidence["severity_rank"] = (
        fallback_severity_rank(evidence["top_contributors"], settings)
        if source == FALLBACK
        else with_provisional(
            _rank(flagged, settings).reindex(evidence.index),
            _rank(flagged[flagged["provisional"] == ""], settings).reindex(evidence.index, fill_value=BELOW_ALL),
        )
    )
    evidence["source"] = source
    evidence = evidence.reset_index()
    windows = [moment.isoformat() for moment in evidence["window_end"].dt.tz_convert("UTC")]
    identities = [deterministic_id(*key, source) for key in zip(evidence["device_id"], windows, strict=True)]
    return evidence.assign(alert_id=pd.Series(identities, index=evidence.index, dtype="str"))


def _rank(flagged: pd.DataFrame, settings: IncidentSettings) -> pd.Series:
    """Severity by device of what the ``flagged`` scores say together.

    A version that does not know a device's operating state or cohort, which it names first, cannot tell what is usual
    there: it counts for LOW, and not as one that agrees.
    """
    known = flagged[~_is_unknown(flagged)]
    rank = severity_rank(known.groupby("device_id")["anomaly_score"].max(), _families(known), settings)
    return rank.reindex(flagged["device_id"].unique(), fill_value=LOW)


def _is_unknown(flagged: pd.DataFrame) -> pd.Series:
    """Whether the version of each score does not know the operating state or the cohort, which it then names first."""
    return flagged["top_contributors"].str[0].isin((STATE, COHORT)).astype(bool)


def _families(scores: pd.DataFrame) -> pd.Series:
    # model_id is the family and its major version, as isolation_forest_v2.
    families = scores["model_id"].astype("str").str.replace(r"_v\d+$", "", regex=True)
    return families.groupby(scores["device_id"]).nunique()
