"""One family's scores of one window: validated, then committed in one transaction (SPEC 1.5, 2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb
import numpy as np
import pandas as pd

from fridge_assets.contracts import MODEL_SCORES
from fridge_assets.contracts.validation import enforce
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.identity import deterministic_id, deterministic_ids
from fridge_assets.models.selection import COHORT, STATE
from fridge_assets.models.version import ModelVersion
from fridge_assets.scoring.comparisons import compared, no_comparisons, store_comparisons
from fridge_assets.scoring.model_input import ModelInput
from fridge_assets.settings import ScoringSettings, Settings
from fridge_assets.stores.frames import registered
from fridge_assets.stores.warehouse import Warehouse


@dataclass(frozen=True)
class ScoreReport:
    """What one version said of one window: of the whole fleet, or of the regions where it scores."""

    family: str
    model_version: str
    window_end: datetime
    scores: pd.DataFrame
    active: int
    left_out: dict[str, int]
    comparisons: pd.DataFrame = field(default_factory=no_comparisons)
    """What was expected of the contributors of the flagged rows, as :func:`compared` has it."""
    provisional: str = ""
    """What little the version has seen, as its metadata say it."""
    seconds: float | None = None
    """How long scoring and explaining took; None where nobody measured."""

    @property
    def coverage(self) -> float:
        """Share of the active devices that were scored; 1 when there are none."""
        return len(self.scores) / self.active if self.active else 1.0

    @property
    def flagged(self) -> int:
        """Devices flagged."""
        return int(self.scores["anomaly_flag"].sum())


class NothingScored(FridgeError):
    """Not one device could be scored."""

    def __init__(self, reports: Sequence[ScoreReport]) -> None:
        reasons = "; ".join(f"{count} with {reason}" for r in reports for reason, count in r.left_out.items())
        super().__init__(
            f"{reports[0].family} scored none of {sum(r.active for r in reports)} active devices in the window ending "
            f"{reports[0].window_end:%Y-%m-%d %H:%M} UTC: {reasons or 'no device was asked for'}",
            "Nothing was written. Check the readings of that window and the device registry, or name an earlier moment "
            "with --as-of: a recording that ends within a window leaves too little of it.",
        )


def score_window(version: ModelVersion, given: ModelInput, now: datetime, settings: Settings) -> ScoreReport:
    """Score the rows of ``given`` with ``version``.

    Args:
        version: the model version to use.
        given: the rows of one window.
        now: recorded as ``scored_at``.
        settings: number of contributors.

    Returns:
        MODEL_SCORES rows and who was left out, with counts by reason.
    """
    rows, incomplete = version.imputer.apply(given.rows, given.recent)
    metadata = version.metadata
    scores, unknown = held_scores(version, rows, settings.scoring)
    flagged = scores > metadata.threshold
    names, strengths = _contributors(version, rows, flagged, settings.scoring.top_contributors)
    for position in np.flatnonzero(flagged & (unknown != "")):
        names[position] = [unknown[position], *names[position]][: settings.scoring.top_contributors]
        strengths[position] = [max(strengths[position], default=1.0), *strengths[position]][: len(names[position])]
    window = given.window_end.isoformat()
    frame = pd.DataFrame(
        {
            "score_id": deterministic_ids(rows["device_id"], window, metadata.model_id),
            "device_id": rows["device_id"].to_numpy(),
            # Of the run, also where a row of an earlier window speaks for a device that sends seldom.
            "window_start": pd.Timestamp(given.window_end - settings.features.window),
            "window_end": pd.Timestamp(given.window_end),
            "model_id": metadata.model_id,
            "model_version": metadata.version,
            "granularity": metadata.granularity,
            "anomaly_score": scores,
            "anomaly_flag": flagged,
            "threshold_used": metadata.threshold,
            "top_contributors": names,
            "contributor_scores": strengths,
            "scored_at": pd.Timestamp(now),
            "sensor_completeness": rows["sensor_completeness"].to_numpy(),
        }
    )
    left_out = {reason: len(devices) for reason, devices in given.left_out.items()}
    if len(incomplete):
        left_out["a feature that nothing could stand in for"] = len(incomplete)
    comparisons = compared(version, rows[flagged], frame[flagged], settings)
    return ScoreReport(
        metadata.family,
        metadata.version,
        given.window_end,
        frame,
        given.active,
        left_out,
        comparisons,
        metadata.provisional,
    )


def held_scores(version: ModelVersion, rows: pd.DataFrame, settings: ScoringSettings) -> tuple[np.ndarray, np.ndarray]:
    """Scores of complete ``rows``, and what of each the version does not know: its cohort, operating state, or "".

    A cohort's state is unknown where the cohort has hardly shown it, whatever others have. The version cannot tell what
    is usual there, so that such a score is at most ``scoring.unknown_state_score``. Nobody can say
    it of the state of a row whose own is not known, nor of that of a day, nor for a version of an earlier release.
    """
    scores, unknown = version.score(rows), np.full(len(rows), "", dtype=object)
    states, cohorts = version.metadata.operating_states, version.metadata.cohorts
    if states is not None:
        known = rows[STATE].isin(states).to_numpy(dtype=np.bool_)
        if version.metadata.states_of_cohorts is not None:
            shown = [(name, state) for name, own in version.metadata.states_of_cohorts.items() for state in own]
            pairs = pd.MultiIndex.from_arrays([rows[COHORT].astype("str"), rows[STATE].astype("str")])
            known = known & pairs.isin(shown)
        told = rows[STATE].notna() & (rows[STATE] != "unknown")
        unknown[told.to_numpy(dtype=np.bool_) & ~known] = STATE
    if cohorts is not None:
        unknown[~rows[COHORT].isin(cohorts).to_numpy(dtype=np.bool_)] = COHORT
    return np.where(unknown != "", np.minimum(scores, settings.unknown_state_score), scores), unknown


def choose_devices(active: pd.DataFrame, wanted: Sequence[str]) -> pd.DataFrame:
    """The rows of ``active`` that are ``wanted``; all of them when nothing is wanted in particular.

    Raises:
        FridgeError: a wanted device is not an active device of the registry.
    """
    if not wanted:
        return active
    unknown = sorted(set(wanted) - set(active["device_id"]))
    if unknown:
        raise FridgeError(
            f"{', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not among the {len(active)} active devices",
            "Check the spelling, or the status in the device registry.",
        )
    return active[active["device_id"].isin(list(wanted))].reset_index(drop=True)


def scores_table(family: str) -> str:
    """Name of the table of one family's scores."""
    return f"{family}_scores"


def commit_scores(warehouse: Warehouse, reports: Sequence[ScoreReport], run_id: str, *, whole_window: bool) -> bool:
    """Validate the scores of ``reports`` and put them in place of what the family said of the window before.

    Args:
        warehouse: where the scores go.
        reports: scores of one family and window, one report for each version that scores somewhere.
        run_id: Dagster run that made them.
        whole_window: False when only some devices were scored; then only their rows are replaced.

    Returns:
        Whether anything changed: the same version on the same input gives the rows that are already there, and
        these keep their ``scored_at``, so that scoring old data again never makes it look fresh.

    Raises:
        NothingScored: there is not one row.
        ContractViolation: a score is null, NaN or out of range, or the schema is wrong; nothing was written.
    """
    rows = pd.concat([report.scores for report in reports], ignore_index=True)
    if rows.empty:
        raise NothingScored(reports)
    enforce(MODEL_SCORES, rows)
    table = scores_table(reports[0].family)
    scores = MODEL_SCORES.to_arrow(rows)
    which = "window_end = $window"
    if not whole_window:
        which += " AND device_id IN (SELECT device_id FROM new_scores)"
    window = {"window": reports[0].window_end}
    with warehouse.transaction() as connection:
        connection.execute(MODEL_SCORES.create_table_sql(table))
        connection.register("new_scores", scores)
        if _already_there(connection, table, which, window):
            return False
        comparisons = pd.concat([report.comparisons for report in reports], ignore_index=True)
        store_comparisons(connection, comparisons, f"SELECT score_id FROM {table} WHERE {which}", window)
        connection.execute(f"DELETE FROM {table} WHERE {which}", window)
        connection.execute(f"INSERT INTO {table} SELECT * FROM new_scores")
        for report in reports:
            if len(report.scores) and (whole_window or not _amend_run(connection, report, table)):
                _record_run(connection, report, run_id, whole_fleet=whole_window)
    return True


def versions_of_window(
    connection: duckdb.DuckDBPyConnection, family: str, window_end: datetime, devices: pd.DataFrame
) -> dict[str, str]:
    """Region → the version that has scored it in ``window_end``; regions without a score are left out.

    Args:
        connection: an open warehouse connection.
        family: model family.
        window_end: the window.
        devices: ``device_id`` and ``region`` of the fleet.
    """
    table = scores_table(family)
    if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [table]).fetchall():
        return {}
    with registered(connection, devices=devices[["device_id", "region"]]):
        found = connection.execute(
            f"SELECT region, max(model_version) FROM {table} JOIN devices USING (device_id) "
            "WHERE window_end = ? GROUP BY region",
            [window_end],
        ).fetchall()
    return {str(region): str(version) for region, version in found}


def _already_there(connection: duckdb.DuckDBPyConnection, table: str, which: str, window: dict[str, datetime]) -> bool:
    stored = f"SELECT * EXCLUDE (scored_at) FROM {table} WHERE {which}"
    new = "SELECT * EXCLUDE (scored_at) FROM new_scores"
    differing = connection.execute(
        f"SELECT count(*) FROM (({new} EXCEPT {stored}) UNION ALL ({stored} EXCEPT {new}))", window
    ).fetchall()
    return int(differing[0][0]) == 0


def _amend_run(connection: duckdb.DuckDBPyConnection, report: ScoreReport, table: str) -> bool:
    """Note in the window's run that some of its rows were scored again; False when the window has no run yet.

    Its ``scored_at`` stays, since the rest of the fleet was not scored again.
    """
    amended = connection.execute(
        "UPDATE score_runs SET published = false, rows = fresh.rows, flagged = fresh.flagged "
        f"FROM (SELECT count(*) AS rows, count_if(anomaly_flag) AS flagged FROM {table} "
        "WHERE window_end = $window AND model_version = $version) "
        "AS fresh WHERE family = $family AND window_end = $window AND model_version = $version",
        {"family": report.family, "window": report.window_end, "version": report.model_version},
    ).fetchall()
    return int(amended[0][0]) > 0


def _record_run(connection: duckdb.DuckDBPyConnection, report: ScoreReport, run_id: str, *, whole_fleet: bool) -> None:
    values = {
        "score_run_id": deterministic_id(report.family, report.model_version, report.window_end.isoformat(), run_id),
        "family": report.family,
        "model_id": report.scores["model_id"].iloc[0],
        "model_version": report.model_version,
        "window_end": report.window_end,
        "scored_at": report.scores["scored_at"].iloc[0].to_pydatetime(),
        "rows": len(report.scores),
        "flagged": report.flagged,
        "active_devices": report.active,
        "left_out": "; ".join(f"{count} {reason}" for reason, count in sorted(report.left_out.items())),
        "run_id": run_id,
        "published": False,
        "whole_fleet": whole_fleet,
        "seconds": report.seconds,
        "provisional": report.provisional,
        "committed_at": datetime.now(UTC),
    }
    connection.execute("DELETE FROM score_runs WHERE score_run_id = ?", [values["score_run_id"]])
    placeholders = ", ".join(f"${name}" for name in values)
    connection.execute(f"INSERT INTO score_runs ({', '.join(values)}) VALUES ({placeholders})", values)


def _contributors(
    version: ModelVersion, rows: pd.DataFrame, flagged: np.ndarray, top: int
) -> tuple[list[list[str]], list[list[float]]]:
    """Contributors of the flagged rows; empty lists for the others, whose scores need no explanation."""
    names: list[list[str]] = [[] for _ in range(len(rows))]
    strengths: list[list[float]] = [[] for _ in range(len(rows))]
    positions = np.flatnonzero(flagged)
    if len(positions):
        found_names, found_strengths = version.explain(rows.iloc[positions], top)
        for position, found, strength in zip(positions, found_names, found_strengths, strict=True):
            names[position] = found
            strengths[position] = strength
    return names, strengths
