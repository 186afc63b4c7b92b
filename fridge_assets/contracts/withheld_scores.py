"""Scores that nobody was alerted by, because their distribution was anomalous (SPEC 4)."""

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.model_scores import MODEL_SCORES

WITHHELD_SCORES = Contract(
    name="withheld_scores",
    description="One model's score of one device in one window that was kept from alerts and status.",
    columns=(
        *MODEL_SCORES.columns,
        Column("reason", "text", "a sentence", nullable=False),
        Column("withheld_at", "timestamp", "when it was withheld", nullable=False),
        Column("run_id", "text", "Dagster run that made it", nullable=False),
    ),
    key=MODEL_SCORES.key,
    ordered=MODEL_SCORES.ordered,
)
