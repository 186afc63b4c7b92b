"""Comparisons in the warehouse (SPEC 1.6)."""

from collections.abc import Sequence

import pandas as pd

from fridge_assets.contracts import CANARY_REPORTS, CANARY_SCORES
from fridge_assets.contracts.validation import enforce
from fridge_assets.deployment.state import Deployment
from fridge_assets.stores.frames import query
from fridge_assets.stores.warehouse import Warehouse


def commit_comparisons(warehouse: Warehouse, reports: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Validate and store comparisons in one transaction, in place of earlier ones of the same versions and window.

    Raises:
        ContractViolation: a row breaks its contract; nothing was written.
    """
    enforce(CANARY_REPORTS, reports)
    enforce(CANARY_SCORES, scores)
    with warehouse.transaction() as connection:
        for contract, rows in ((CANARY_REPORTS, reports), (CANARY_SCORES, scores)):
            connection.register("compared", contract.to_arrow(rows))
            key = ", ".join(contract.key)
            connection.execute(f"DELETE FROM {contract.name} WHERE ({key}) IN (SELECT {key} FROM compared)")
            connection.execute(f"INSERT INTO {contract.name} BY NAME SELECT * FROM compared")
            connection.unregister("compared")


def canary_reports(
    warehouse: Warehouse, family: str | None = None, versions: Sequence[str] = (), limit: int = 1000
) -> pd.DataFrame:
    """CANARY_REPORTS rows, newest window first.

    Args:
        warehouse: the store.
        family: only of this family.
        versions: only of this candidate, or of this candidate and production version.
        limit: at most this many.
    """
    conditions = {"family": family, **dict(zip(("candidate_version", "production_version"), versions, strict=False))}
    chosen = {name: value for name, value in conditions.items() if value is not None}
    where = " AND ".join(f"{name} = ${name}" for name in chosen) or "true"
    with warehouse.read() as connection:
        return query(
            connection,
            f"SELECT * FROM {CANARY_REPORTS.name} WHERE {where} "
            f"ORDER BY window_end DESC, created_at DESC LIMIT {limit}",
            chosen,
        )


def windows_watched(warehouse: Warehouse, state: Deployment) -> int:
    """Windows in which the newest release was held against the one before since it scores."""
    if state.watched_since is None:
        return 0
    reports = canary_reports(warehouse, state.family, tuple(reversed(state.releases[-2:])))
    since = reports[reports["created_at"] >= pd.Timestamp(state.watched_since)]
    return int(since["window_end"].nunique())
