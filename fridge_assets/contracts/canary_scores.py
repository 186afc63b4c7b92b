"""A staged version's scores beside production's (SPEC 1.6)."""

from fridge_assets.contracts._contract import Column, Contract

CANARY_SCORES = Contract(
    name="canary_scores",
    description="One device in one window, scored by a candidate version and by production; nobody is alerted by it.",
    columns=(
        Column("device_id", "text", "device", nullable=False),
        Column("window_end", "timestamp", "end of the scored window", nullable=False),
        Column("family", "text", "model family", nullable=False),
        Column("candidate_version", "text", "staged version", nullable=False),
        Column("production_version", "text", "released version it is compared with", nullable=False),
        Column("candidate_score", "double", "the candidate's anomaly score", nullable=False, minimum=0, maximum=1),
        Column("production_score", "double", "production's anomaly score", nullable=False, minimum=0, maximum=1),
        Column("candidate_flag", "boolean", "candidate_score > the candidate's threshold", nullable=False),
        Column("production_flag", "boolean", "production_score > production's threshold", nullable=False),
        Column("score_diff", "double", "candidate_score − production_score", nullable=False, minimum=-1, maximum=1),
    ),
    key=("device_id", "window_end", "family", "candidate_version"),
)
