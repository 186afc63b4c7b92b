"""What each look at the models found, a metric a row (SPEC 8)."""

from fridge_assets.contracts._contract import Column, Contract

MONITORING_METRICS = (
    "mean",
    "std",
    "p50",
    "p90",
    "p95",
    "p99",
    "flagged_share",
    "coverage",
    "kl_trailing",
    "throughput",
    "agreement",
    "unanimous_agreement",
    "psi",
    "ks",
)
"""In the order they are shown."""

MONITORING_VERDICTS = ("ok", "warn", "not enough data")

MODEL_MONITORING = Contract(
    name="model_monitoring",
    description="One metric of one model family in the newest window that it scored, with what it is held against.",
    columns=(
        Column("family", "text", "model family; all for what is of all of them", nullable=False),
        Column("window_end", "timestamp", "end of the scored window", nullable=False),
        Column("metric", "text", "which figure", nullable=False, allowed=MONITORING_METRICS),
        Column("subject", "text", "feature of psi and ks, other family of agreement, else empty", nullable=False),
        Column("value", "double", "the figure; null when it cannot be computed"),
        Column("reference", "double", "what it should be near, where there is such a figure"),
        Column("limit_low", "double", "smallest value that is ok; null without one"),
        Column("limit_high", "double", "largest value that is ok; null without one"),
        Column("verdict", "text", "what follows; ok without limits", nullable=False, allowed=MONITORING_VERDICTS),
        Column("rows", "integer", "rows that the figure is of", nullable=False, minimum=0),
        Column("computed_at", "timestamp", "when it was computed", nullable=False),
    ),
    key=("family", "window_end", "metric", "subject"),
)
