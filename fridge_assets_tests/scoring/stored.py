"""Made-up scores of a family, stored as a scoring run leaves them."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.contracts import MODEL_SCORES
from fridge_assets.scoring.score import ScoreReport, scores_table
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse

WINDOW = timedelta(minutes=15)


def device_names(number: int) -> list[str]:
    return [f"device-{position:06d}" for position in range(number)]


def score_frame(family: str, window_end: datetime, scores: NDArray[np.float64]) -> pd.DataFrame:
    """MODEL_SCORES rows of the first devices, scored three minutes after their window."""
    number = len(scores)
    return pd.DataFrame(
        {
            "score_id": [f"{family}-{window_end:%d%H%M}-{position}" for position in range(number)],
            "device_id": device_names(number),
            "window_start": pd.Timestamp(window_end - WINDOW),
            "window_end": pd.Timestamp(window_end),
            "model_id": f"{family}_v1",
            "model_version": "1.0.0",
            "granularity": "fleet",
            "anomaly_score": scores,
            "anomaly_flag": scores > 0.6,
            "threshold_used": 0.6,
            "top_contributors": [[]] * number,
            "contributor_scores": [[]] * number,
            "scored_at": pd.Timestamp(window_end + timedelta(minutes=3)),
            "sensor_completeness": 1.0,
        }
    )


def score_report(family: str, window_end: datetime, scores: NDArray[np.float64]) -> ScoreReport:
    return ScoreReport(family, "1.0.0", window_end, score_frame(family, window_end, scores), len(scores), {})


def store_scores(
    warehouse: Warehouse,
    family: str,
    window_end: datetime,
    scores: NDArray[np.float64],
    active: int | None = None,
    seconds: float | None = None,
    committed_at: datetime | None = None,
) -> None:
    """One committed scoring of a window, without the contract's check, which takes most of the time.

    It was committed three minutes after the end of the window unless ``committed_at`` says otherwise.
    """
    rows = MODEL_SCORES.to_arrow(score_frame(family, window_end, scores))
    run = {
        "family": family,
        "window": window_end,
        "scored_at": window_end + timedelta(minutes=3),
        "rows": len(scores),
        "flagged": int((scores > 0.6).sum()),
        "active": len(scores) if active is None else active,
        "seconds": seconds,
        "run": f"run of {window_end:%d %H:%M}",
        "committed_at": committed_at or window_end + timedelta(minutes=3),
    }
    with warehouse.transaction() as connection, registered(connection, stored=rows):
        connection.execute(MODEL_SCORES.create_table_sql(scores_table(family)))
        connection.execute(f"INSERT INTO {scores_table(family)} SELECT * FROM stored")
        connection.execute(
            "INSERT INTO score_runs BY NAME SELECT $family || $run AS score_run_id, $family AS family, "
            "$family || '_v1' AS model_id, '1.0.0' AS model_version, $window AS window_end, $scored_at AS scored_at, "
            "$rows AS rows, $flagged AS flagged, $active AS active_devices, '' AS left_out, $run AS run_id, "
            "true AS published, $seconds AS seconds, $committed_at AS committed_at",
            run,
        )
