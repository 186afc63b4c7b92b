"""What was expected of the contributors of a flagged score, kept beside it: an alert tells what was judged (SPEC 6)."""

from collections.abc import Collection
from datetime import datetime

import duckdb
import numpy as np
import pandas as pd

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.contracts.device_features import SENSOR_FEATURES
from fridge_assets.models.version import ModelVersion
from fridge_assets.settings import Settings
from fridge_assets.stores.frames import query, registered

_COLUMNS = {
    "score_id": "str",
    "window_end": "datetime64[us, UTC]",
    "feature": "str",
    "measured_from": "datetime64[us, UTC]",
    "measured": "float64",
    "expected": "float64",
    "spread": "float64",
    "deviation": "float64",
    "basis": "str",
}


_POSSIBLE = {
    feature.name: (feature.sensor.possible_minimum, feature.sensor.possible_maximum)
    for feature in SENSOR_FEATURES
    if feature.aggregation not in ("std", "slope")
}


def no_comparisons() -> pd.DataFrame:
    """A frame of comparisons without rows."""
    return pd.DataFrame({name: pd.Series(dtype=type_) for name, type_ in _COLUMNS.items()})


def compared(version: ModelVersion, rows: pd.DataFrame, scores: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """What ``version`` expected of the contributors of flagged rows.

    Args:
        version: the model version that scored them.
        rows: the flagged rows, as the version saw them.
        scores: their MODEL_SCORES rows, in the same order.
        settings: length of a window and of a day.

    Returns:
        ``score_id``, ``window_end`` and ``measured_from`` (end and start of what was measured, a window or a day),
        ``feature``, ``measured``, ``expected``, ``spread`` and ``deviation`` as of
        :class:`fridge_assets.models.base.Comparison`, and ``basis``, one row per score and contributor.
    """
    if rows.empty:
        return no_comparisons()
    found = version.compare(rows)
    contributors = scores["top_contributors"].reset_index(drop=True).explode()
    row = contributors.index.to_numpy()
    column = pd.Index(found.features).get_indexer(pd.Index(contributors))
    is_feature = column >= 0  # what the model does not know, such as the operating state, is held against nothing
    contributors, row, column = contributors[is_feature], row[is_feature], column[is_feature]
    ends = rows["window_end"].iloc[row].reset_index(drop=True)
    span = settings.dbscan.day if version.model.view == "day" else settings.features.window
    values = {"measured": found.measured, "expected": found.expected, "spread": found.spread}
    frame = pd.DataFrame(
        {
            "score_id": scores["score_id"].to_numpy()[row],
            "window_end": ends,
            "feature": contributors.to_numpy(),
            "measured_from": ends - span,
            **{name: matrix[row, column] for name, matrix in {**values, "deviation": found.deviation}.items()},
            "basis": version.model.basis,
        }
    )
    known = np.isfinite(frame[[*values, "deviation"]].to_numpy()).all(axis=1) & _possible(frame)
    kept: pd.DataFrame = frame[known].astype(_COLUMNS).reset_index(drop=True)
    return kept


def _possible(frame: pd.DataFrame) -> np.ndarray:
    """Whether the sensor could have read what was expected; a model that was fitted on too little may expect more."""
    columns = [DEVICE_FEATURES.column(name) for name in frame["feature"]]
    ranges = [_POSSIBLE.get(column.name, (column.minimum, column.maximum)) for column in columns]
    low = np.array([-np.inf if least is None else least for least, _ in ranges])
    high = np.array([np.inf if most is None else most for _, most in ranges])
    expected = frame["expected"].to_numpy()
    possible: np.ndarray = (expected >= low) & (expected <= high)
    return possible


def store_comparisons(
    connection: duckdb.DuckDBPyConnection, comparisons: pd.DataFrame, replaced: str, parameters: dict[str, datetime]
) -> None:
    """Put ``comparisons`` in place of those of the scores that are replaced, in the transaction of ``connection``.

    Args:
        connection: of a transaction of the warehouse.
        comparisons: from :func:`compared`.
        replaced: query of the ids of the scores that are replaced.
        parameters: of that query.
    """
    with registered(connection, comparisons=comparisons):
        connection.execute(f"DELETE FROM score_comparisons WHERE score_id IN ({replaced})", parameters)
        connection.execute(f"INSERT INTO score_comparisons SELECT {', '.join(_COLUMNS)} FROM comparisons")


def comparisons_of(connection: duckdb.DuckDBPyConnection, score_ids: Collection[str]) -> pd.DataFrame:
    """What was expected of the contributors of these scores, as :func:`compared` has it; scores may lack it."""
    with registered(connection, wanted=pd.DataFrame({"score_id": pd.Series(list(score_ids), dtype="str")})):
        return query(connection, "SELECT c.* FROM score_comparisons c SEMI JOIN wanted USING (score_id) ORDER BY ALL")
