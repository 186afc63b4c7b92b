"""What the comparison of a staged version with production found (SPEC 1.6, 3.1)."""

from collections.abc import Iterator

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.device_alerts import SEVERITIES

CANARY_VERDICTS = ("pass", "inconclusive", "investigate", "review", "block")
"""From best to worst: what a comparison says about the candidate is the worst of its metrics."""

CANARY_METRICS = ("score_difference", "flagged_share", "top_overlap", "kl_divergence")
"""The metrics of SPEC 3.1, in its order."""

_MEANINGS = (
    "mean absolute difference of the scores",
    "how far the share of flagged devices moved",
    "share of the highest devices that both name",
    "KL divergence of the candidate's score distribution from production's",
)


def _of_metric(name: str, meaning: str) -> Iterator[Column]:
    yield Column(name, "double", f"{meaning}; null when an input was unusable", minimum=0)
    yield Column(f"{name}_noise", "double", "the same of production under another seed; null without it", minimum=0)
    yield Column(f"{name}_limit", "double", "what it is held against; null when an input was unusable", minimum=0)
    yield Column(f"{name}_verdict", "text", "what follows from it alone", nullable=False, allowed=CANARY_VERDICTS)


def _alerts_of(role: str) -> Iterator[Column]:
    for severity in reversed(SEVERITIES):
        yield Column(
            f"{role}_{severity.lower()}_per_day",
            "double",
            f"flagged rows whose score falls under the mark of {severity} × runs a day, before agreement of families "
            "and deduplication; null when an input was unusable",
            minimum=0,
        )


CANARY_REPORTS = Contract(
    name="canary_reports",
    description="One comparison of a candidate version with production in one window.",
    columns=(
        Column("report_id", "text", "UUIDv5 of family, versions and window", nullable=False),
        Column("family", "text", "model family", nullable=False),
        Column("candidate_version", "text", "staged version", nullable=False),
        Column("production_version", "text", "released version it is compared with", nullable=False),
        Column("window_end", "timestamp", "end of the compared window", nullable=False),
        Column("devices", "integer", "devices that were compared", nullable=False, minimum=0),
        *(
            column
            for name, meaning in zip(CANARY_METRICS, _MEANINGS, strict=True)
            for column in _of_metric(name, meaning)
        ),
        Column("verdict", "text", "worst of the metrics and of the input", nullable=False, allowed=CANARY_VERDICTS),
        Column("reason", "text", "a sentence", nullable=False),
        Column("entered_top", "text_list", "devices among the candidate's highest only, highest first", nullable=False),
        Column("left_top", "text_list", "devices among production's highest only, highest first", nullable=False),
        Column("candidate_flagged", "double", "share that the candidate flags", minimum=0, maximum=1),
        Column("production_flagged", "double", "share that production flags", minimum=0, maximum=1),
        *_alerts_of("candidate"),
        *_alerts_of("production"),
        Column("created_at", "timestamp", "when it was compared", nullable=False),
        # The last ones, as in data folders of earlier releases, where they were added to the table.
        Column(
            "alert_budget",
            "integer",
            "alerts of MEDIUM or higher that operators can look into in a day; null in reports of earlier releases",
            minimum=1,
        ),
        Column(
            "battery_verdict",
            "text",
            "whether healthy states stayed quiet and known faults were found; null where that was not tried",
            allowed=CANARY_VERDICTS,
        ),
        Column("battery", "text_list", "what came of each of these states and faults, a line each"),
    ),
    key=("report_id",),
)
