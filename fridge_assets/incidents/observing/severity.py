"""How urgent an anomaly is (SPEC 6)."""

import numpy as np
import pandas as pd

from fridge_assets.incidents.terms import Severity
from fridge_assets.settings import IncidentSettings

LOW, MEDIUM, HIGH, CRITICAL = Severity

BELOW_ALL = -1
"""A rank below every severity."""


def severity_rank(max_score: pd.Series, families: pd.Series, settings: IncidentSettings) -> pd.Series:
    """Rank of the severity that the models agree on: the first line of SPEC 6 that holds.

    Args:
        max_score: highest score of the flagging families, 0…1, one row per device.
        families: number of distinct families that flag, same index.
        settings: the limits; a score must be above its limit, equal is not enough.
    """
    conditions = [
        max_score > settings.critical_score,
        (max_score > settings.high_score) & (families >= settings.high_families),
        (max_score > settings.medium_score) | (families >= settings.medium_families),
    ]
    return pd.Series(np.select(conditions, [CRITICAL, HIGH, MEDIUM], LOW), index=max_score.index, dtype="int64")


def with_provisional(by_all: pd.Series, by_established: pd.Series) -> pd.Series:
    """Rank where some of the flagging versions are provisional: what these say counts as MEDIUM at most.

    Args:
        by_all: rank of what all flagging families say, one row per device.
        by_established: rank of what those with an established version say, :data:`BELOW_ALL` where there is none; same
            index.
    """
    held = by_all.clip(upper=MEDIUM)
    return by_established.where(by_established > held, held).astype("int64")


def fallback_severity_rank(conditions: pd.Series, settings: IncidentSettings) -> pd.Series:
    """Rank of what the rules say while the models are silent: MEDIUM, or HIGH when several conditions hold (SPEC 6).

    Args:
        conditions: lists of the conditions that hold, one row per flagged device.
        settings: how many make it HIGH.
    """
    many = conditions.map(len) >= settings.high_conditions
    return pd.Series(np.where(many, HIGH, MEDIUM), index=conditions.index, dtype="int64")
