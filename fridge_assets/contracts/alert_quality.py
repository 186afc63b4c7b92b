"""What the labels say of the alerts, a group of alerts a row (SPEC 6)."""

from fridge_assets.contracts._contract import Column, Contract

QUALITY_GROUPINGS = ("severity", "model", "version", "rule", "source")
"""What alerts are grouped by; a model alert counts for every model and version that flagged it."""

ALERT_QUALITY = Contract(
    name="alert_quality",
    description="How many alerts of one group people were told of, and how many of them were real failures.",
    columns=(
        Column("computed_at", "timestamp", "when it was computed", nullable=False),
        Column("grouping", "text", "what the group is of", nullable=False, allowed=QUALITY_GROUPINGS),
        Column("name", "text", "which severity, model, version, rule or source", nullable=False),
        Column("window_from", "timestamp", "alerts created after it count", nullable=False),
        Column("window_to", "timestamp", "up to this moment", nullable=False),
        Column("told", "integer", "alerts that were not suppressed", nullable=False, minimum=0),
        Column(
            "labelled",
            "integer",
            "verdicts of people on them, each counted once",
            nullable=False,
            minimum=0,
        ),
        Column("confirmed", "integer", "of these verdicts, real failures", nullable=False, minimum=0),
        Column("false_positives", "integer", "and those that were none", nullable=False, minimum=0),
        Column("precision", "double", "confirmed / labelled; null without labels", minimum=0, maximum=1),
        Column("precision_low", "double", "lower end of its 95 % Wilson interval", minimum=0, maximum=1),
        Column("precision_high", "double", "upper end of it", minimum=0, maximum=1),
        Column(
            "hit_rate",
            "double",
            "share of the told that were real: what is not labelled counts as no hit",
            minimum=0,
            maximum=1,
        ),
        Column("threshold", "double", "advised score threshold; null when none is", minimum=0, maximum=1),
        Column("advice", "text", "what to change; empty when nothing", nullable=False),
    ),
    key=("computed_at", "grouping", "name"),
    ordered=(("window_from", "window_to"),),
)
