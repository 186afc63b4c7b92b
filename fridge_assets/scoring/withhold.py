"""Scores that are kept for whoever looks into them, and from everything else (SPEC 4)."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from fridge_assets.contracts import WITHHELD_SCORES
from fridge_assets.contracts.validation import enforce
from fridge_assets.models.families import FAMILY_SQL
from fridge_assets.scoring.score import ScoreReport
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse


def withhold(warehouse: Warehouse, reports: Sequence[ScoreReport], run_id: str, reason: str, now: datetime) -> int:
    """Store the scores of ``reports`` as withheld, in place of what was withheld of the same family and window.

    Args:
        warehouse: where they go; the family's own scores are not touched.
        reports: scores of one family and window, one report for each version that scored somewhere.
        run_id: Dagster run that made them.
        reason: why they are withheld, a sentence.
        now: recorded as ``withheld_at``.

    Returns:
        How many were stored.

    Raises:
        ContractViolation: a score breaks its contract; nothing was written.
    """
    rows = pd.concat([report.scores for report in reports], ignore_index=True).assign(
        reason=reason, withheld_at=pd.Timestamp(now), run_id=run_id
    )
    enforce(WITHHELD_SCORES, rows)
    columns = ", ".join(WITHHELD_SCORES.column_names)
    with warehouse.transaction() as connection, registered(connection, withheld=WITHHELD_SCORES.to_arrow(rows)):
        connection.execute(
            f"DELETE FROM {WITHHELD_SCORES.name} WHERE window_end = $window AND {FAMILY_SQL} = $family",
            {"window": reports[0].window_end, "family": reports[0].family},
        )
        connection.execute(f"INSERT INTO {WITHHELD_SCORES.name} SELECT {columns} FROM withheld")
    return len(rows)
