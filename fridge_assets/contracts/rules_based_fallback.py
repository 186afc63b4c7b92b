"""What simple rules say about each device while the models' scores are too old (SPEC 4.1)."""

from fridge_assets.contracts._contract import Column, Contract

RULES_BASED_FALLBACK = Contract(
    name="rules_based_fallback",
    description="Whether fixed limits are crossed by one device in one window; made while the models are silent.",
    columns=(
        Column("device_id", "text", "device", nullable=False),
        Column("window_start", "timestamp", "start of the judged window", nullable=False),
        Column("window_end", "timestamp", "end of the judged window", nullable=False),
        Column("anomaly_flag", "boolean", "whether any condition holds", nullable=False),
        Column("anomaly_score", "double", "always 0: rules only flag", nullable=False, minimum=0, maximum=0),
        Column("conditions", "text_list", "features beyond their limit, furthest first", nullable=False, max_items=4),
        Column("evaluated_at", "timestamp", "when the rules were applied", nullable=False),
        Column("sensor_completeness", "double", "of the judged window", nullable=False, minimum=0, maximum=1),
    ),
    key=("device_id", "window_end"),
    ordered=(("window_start", "window_end"),),
)
