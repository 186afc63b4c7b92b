"""Which alerts are told and which are repeats kept for audit only (SPEC 6, deduplication)."""

import pandas as pd

from fridge_assets.alerting.frames import look_up
from fridge_assets.alerting.severity import BELOW_ALL
from fridge_assets.settings import AlertSettings


def told_in_span(known: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Those of ``known`` that were told and whose deduplication span is not over yet."""
    return known[~known["suppressed"] & (known["dedup_until"] > now)]


def suppress_repeats(
    drafts: pd.DataFrame, known: pd.DataFrame, now: pd.Timestamp, settings: AlertSettings
) -> pd.DataFrame:
    """Add ``suppressed`` and ``dedup_until`` to ``drafts``.

    A span belongs to one problem (device and dominant contributor), begins with the first alert told about it
    and lasts a fixed time: an alert told in between because its severity rose does not prolong it. Within the
    span a draft is told only when its severity is above everything told in that span.
    """
    told = told_in_span(known, now).groupby("problem")
    told_rank = look_up(drafts["problem"], told["severity_rank"].max()).fillna(BELOW_ALL)
    span_end = look_up(drafts["problem"], told["dedup_until"].max())
    return drafts.assign(
        suppressed=drafts["severity_rank"] <= told_rank,
        dedup_until=span_end.fillna(now + settings.dedup),
    )
