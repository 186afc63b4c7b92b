"""Contract 5: one score of one model for one device and window (SPEC 1.5)."""

from fridge_assets.contracts._contract import Column, Contract

MODEL_SCORES = Contract(
    name="model_scores",
    description="One model's anomaly score of one device in one window.",
    columns=(
        Column("score_id", "text", "UUIDv5 of device, window and model", nullable=False),
        Column("device_id", "text", "device", nullable=False),
        Column("window_start", "timestamp", "start of the scored window", nullable=False),
        Column(
            "window_end",
            "timestamp",
            "end of the scored window; a device that sends more seldom is scored by its last",
            nullable=False,
        ),
        Column("model_id", "text", "family and major version", nullable=False),
        Column("model_version", "text", "semantic version that made the score", nullable=False),
        Column(
            "granularity",
            "text",
            "what the model was fitted on",
            nullable=False,
            allowed=("fleet", "cohort", "device"),
        ),
        Column("anomaly_score", "double", "0 typical … 1 extremely rare", nullable=False, minimum=0, maximum=1),
        Column("anomaly_flag", "boolean", "anomaly_score > threshold_used", nullable=False),
        Column("threshold_used", "double", "threshold of the flag", nullable=False, minimum=0, maximum=1),
        Column(
            "top_contributors",
            "text_list",
            "features behind a flagged score, strongest first",
            nullable=False,
            max_items=5,
        ),
        Column(
            "contributor_scores",
            "double_list",
            "their strengths, in the same order",
            nullable=False,
            max_items=5,
        ),
        Column("scored_at", "timestamp", "when it was scored", nullable=False),
        Column("sensor_completeness", "double", "of the scored window", nullable=False, minimum=0, maximum=1),
    ),
    key=("device_id", "window_end", "model_id"),
    ordered=(("window_start", "window_end"),),
)
