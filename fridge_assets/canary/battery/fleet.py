"""The cases that the fleet itself gives: its healthy windows, its labels, and faults put into its windows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb
import numpy as np
import pandas as pd

from fridge_assets.canary.battery.faults import PUT_IN, telling_feature, with_fault
from fridge_assets.canary.battery.rules import Case
from fridge_assets.contracts.device_features import MODEL_FEATURES, OPERATING_STATES, OWN_COMPLETENESS_SQL
from fridge_assets.core.moments import spoken
from fridge_assets.models.base import View
from fridge_assets.models.day_view import day_means
from fridge_assets.models.exclusions import FAILURE, HEALTHY, TOUCHES
from fridge_assets.models.families import FAMILIES
from fridge_assets.models.selection import STATE
from fridge_assets.models.version import ModelVersion
from fridge_assets.scoring.score import held_scores
from fridge_assets.settings import ScoringSettings, Settings
from fridge_assets.stores.frames import query, registered

_OWN, _LABELLED = "the fleet's own windows", "the fleet's labels"
_PUT_IN = f"{_OWN} with it put in"
_AT_WORK = ("running", "cycling", "pull-down")
"""States in which a fault of the machine shows."""


@dataclass(frozen=True)
class _Windows:
    """A case that is not counted yet, and its rows.

    Args:
        case: what will be counted.
        rows: DEVICE_FEATURES columns and ``cohort``; of labels also ``number``, which says whose window it is.
    """

    case: Case
    rows: pd.DataFrame


def fleet_cases(
    connection: duckdb.DuckDBPyConnection,
    candidate: ModelVersion,
    production: ModelVersion,
    devices: pd.DataFrame,
    spans: pd.DataFrame,
    now: datetime,
    settings: Settings,
) -> list[Case]:
    """What both versions flag of windows of the fleet.

    The same stores and settings give the same windows: they are chosen by a hash.

    Args:
        connection: an open warehouse connection.
        candidate: the staged version.
        production: the version that scores now.
        devices: ``device_id`` and ``cohort`` of the active devices.
        spans: of :func:`fridge_assets.models.exclusions.known_spans`; what they say of failures and of work on devices
            is no healthy window.
        now: windows that end later are not looked at.
        settings: groups ``canary``, ``scoring``, ``training`` and, for days, ``dbscan``.
    """
    view = FAMILIES[candidate.metadata.family].view
    with registered(connection, battery_devices=devices[["device_id", "cohort"]], battery_spans=_numbered(spans)):
        healthy = _rows(connection, _healthy_keys(connection, now, settings), view, settings)
        labelled = _rows(connection, _labelled_keys(connection, now, settings), view, settings)
    windows = [
        *_states(healthy, view, settings),
        *_labels(labelled, settings),
        *_faults(healthy, view, settings),
    ]
    return list(_counted(windows, candidate, production, settings))


def flags(version: ModelVersion, rows: pd.DataFrame, settings: ScoringSettings) -> "np.ndarray":
    """Which ``rows`` a version flags, shape (n,); one that it cannot score is not flagged."""
    numbered = rows.assign(row=np.arange(len(rows)))
    complete, _ = version.imputer.apply(numbered)
    flagged = np.zeros(len(rows), dtype=np.bool_)
    if len(complete):
        scores, _ = held_scores(version, complete, settings)
        flagged[complete["row"].to_numpy()] = scores > version.metadata.threshold
    return flagged


def _counted(
    windows: list[_Windows], candidate: ModelVersion, production: ModelVersion, settings: Settings
) -> Iterator[Case]:
    """The cases with what is flagged; all rows are scored together."""
    rows = pd.concat([part.rows for part in windows], ignore_index=True)
    by_candidate, by_production = (flags(version, rows, settings.scoring) for version in (candidate, production))
    ends = np.cumsum([len(part.rows) for part in windows])[:-1]
    parts = zip(windows, np.split(by_candidate, ends), np.split(by_production, ends), strict=True)
    for part, ours, theirs in parts:
        if part.case.missing:
            yield part.case
        elif part.case.unit == "failures":
            found = pd.DataFrame({"ours": ours, "theirs": theirs}).groupby(part.rows["number"].to_numpy()).sum()
            found = found >= settings.canary.battery.found_windows
            yield replace(
                part.case, count=len(found), candidate=int(found["ours"].sum()), production=int(found["theirs"].sum())
            )
        else:
            yield replace(part.case, count=len(ours), candidate=int(ours.sum()), production=int(theirs.sum()))


def _states(healthy: pd.DataFrame, view: View, settings: Settings) -> Iterator[_Windows]:
    if view == "day":
        yield _Windows(Case("quiet", "usual days", _OWN), healthy.head(settings.canary.battery.windows))
        return
    for state in OPERATING_STATES:
        if state != "unknown":
            yield _Windows(Case("quiet", state, _OWN), healthy[healthy[STATE] == state])


def _labels(labelled: pd.DataFrame, settings: Settings) -> Iterator[_Windows]:
    history = spoken(settings.training.history)
    cases = (
        (HEALTHY, Case("quiet", "false alarms", _LABELLED), "alert was labelled a false positive"),
        (FAILURE, Case("fault", "confirmed failures", _LABELLED, unit="failures"), "failure was confirmed"),
    )
    for what, case, said in cases:
        rows = labelled[labelled["what"] == what]
        missing = "" if len(rows) else f"no {said} in the last {history}"
        yield _Windows(replace(case, missing=missing), rows)


def _faults(healthy: pd.DataFrame, view: View, settings: Settings) -> Iterator[_Windows]:
    at_work = healthy if view == "day" else healthy[healthy[STATE].isin(_AT_WORK) | healthy[STATE].isna()]
    for kind in PUT_IN:
        feature = telling_feature(kind)
        telling = at_work[at_work[feature].notna()].head(settings.canary.battery.windows)
        missing = "" if len(telling) else f"no window has {feature}, which tells it"
        yield _Windows(Case("fault", kind.name, _PUT_IN, missing=missing), with_fault(telling, kind))


def _numbered(spans: pd.DataFrame) -> pd.DataFrame:
    return spans.assign(number=np.arange(len(spans)))


def _healthy_keys(connection: duckdb.DuckDBPyConnection, now: datetime, settings: Settings) -> pd.DataFrame:
    """Windows of some devices that nobody knows a failure in, each operating state's in an order of chance."""
    limits = settings.canary.battery
    # The devices come first: among millions of windows a hash of each would take minutes.
    return query(
        connection,
        f"""
WITH chosen AS (SELECT device_id FROM battery_devices ORDER BY md5(device_id), device_id LIMIT $devices)
SELECT device_id, window_end FROM device_features f SEMI JOIN chosen USING (device_id)
WHERE window_end > $since AND window_end <= $now AND {OWN_COMPLETENESS_SQL} >= $min_completeness
  AND NOT EXISTS (FROM battery_spans s WHERE s.what <> '{HEALTHY}' AND {TOUCHES})
QUALIFY row_number() OVER (
  PARTITION BY operating_state ORDER BY md5(device_id || '|' || epoch_us(window_end)), device_id
) <= $windows
""",
        {
            "devices": limits.devices,
            "windows": limits.windows,
            "since": now - limits.history,
            "now": now,
            "min_completeness": settings.training.min_completeness,
        },
    )


def _labelled_keys(connection: duckdb.DuckDBPyConnection, now: datetime, settings: Settings) -> pd.DataFrame:
    """Windows of what people labelled, the newest labels first, and the number of the label."""
    return query(
        connection,
        f"""
SELECT f.device_id, f.window_end, s.number, s.what
FROM device_features f JOIN battery_spans s ON {TOUCHES}
WHERE s.what IN ('{HEALTHY}', '{FAILURE}') AND f.window_end > $since AND f.window_end <= $now
QUALIFY row_number() OVER (PARTITION BY s.what ORDER BY s.since DESC, s.number, f.window_end) <= $windows
""",
        {
            "since": now - settings.training.history,
            "now": now,
            "windows": settings.canary.battery.windows,
        },
    )


def _rows(connection: duckdb.DuckDBPyConnection, keys: pd.DataFrame, view: View, settings: Settings) -> pd.DataFrame:
    """The features of ``keys``, or of the days that end with them; further columns of ``keys`` are kept."""
    with registered(connection, battery_keys=keys):
        rows = query(
            connection,
            "SELECT k.*, f.* EXCLUDE (device_id, window_end), d.cohort FROM battery_keys k "
            "JOIN device_features f USING (device_id, window_end) JOIN battery_devices d USING (device_id) "
            "ORDER BY md5(device_id || '|' || epoch_us(window_end)), device_id",
        )
    if view == "window" or rows.empty:
        return rows
    days = day_means(connection, rows[["device_id", "window_end"]].drop_duplicates(), settings)
    days = days[days["windows"] >= settings.dbscan.min_windows]
    return rows.drop(columns=list(MODEL_FEATURES)).merge(days, on=["device_id", "window_end"])
