"""Publishing: whatever models succeeded goes from their own tables into ``model_scores`` (SPEC 2)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pandas as pd

from fridge_assets.contracts import MODEL_SCORES
from fridge_assets.models.families import FAMILY_SQL, SPEAKING_SQL
from fridge_assets.scoring.score import scores_table
from fridge_assets.stores.frames import query
from fridge_assets.stores.warehouse import Warehouse


@dataclass(frozen=True)
class PublishReport:
    """What one publication did: rows by family and window."""

    published: pd.DataFrame

    @property
    def rows(self) -> int:
        """Rows now in ``model_scores`` for the published windows."""
        return int(self.published["rows"].sum())


def publish_scores(warehouse: Warehouse) -> PublishReport:
    """Copy every scored and not yet published window of every family into ``model_scores``, in one transaction.

    Publishing again changes nothing: a window's rows are replaced by the same rows.
    """
    with warehouse.transaction() as connection:
        pending = query(
            connection,
            "SELECT family, model_id, window_end FROM score_runs WHERE NOT published GROUP BY ALL ORDER BY ALL",
        )
        rows = [
            _publish(connection, family, window_end.to_pydatetime())
            for family, window_end in zip(pending["family"], pending["window_end"], strict=True)
        ]
        connection.execute("UPDATE score_runs SET published = true WHERE NOT published")
    return PublishReport(pending.assign(rows=rows))


def latest_scored_window(
    connection: duckdb.DuckDBPyConnection, now: datetime, paused: Collection[str] = ()
) -> datetime | None:
    """End of the newest window in ``model_scores`` at ``now`` by families that are not ``paused``, None without one."""
    row = connection.execute(
        f"SELECT max(window_end) FROM model_scores WHERE window_end <= $now AND {SPEAKING_SQL}",
        {"now": now, "paused": sorted(paused)},
    ).fetchall()
    newest = row[0][0]
    return None if newest is None else newest.astimezone(UTC)


def _publish(connection: duckdb.DuckDBPyConnection, family: str, window_end: datetime) -> int:
    table = scores_table(family)
    columns = ", ".join(MODEL_SCORES.column_names)
    parameters = {"window": window_end}
    connection.execute(
        f"DELETE FROM model_scores WHERE window_end = $window AND {FAMILY_SQL} = $family",
        {**parameters, "family": family},
    )
    connection.execute(f"INSERT INTO model_scores SELECT {columns} FROM {table} WHERE window_end = $window", parameters)
    counted = connection.execute(f"SELECT count(*) FROM {table} WHERE window_end = $window", parameters).fetchall()
    return int(counted[0][0])
