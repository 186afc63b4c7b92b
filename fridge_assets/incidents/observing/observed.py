"""What one run of the models, or of the rules, has observed of the devices (SPEC 6, 6.1)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import pandas as pd

from fridge_assets.contracts import DEVICE_REGISTRY
from fridge_assets.contracts.device_registry import NO_SITE
from fridge_assets.core.identity import deterministic_id
from fridge_assets.diagnosis.causes import Knowledge
from fridge_assets.incidents.observations import Measured, Observed, Quiet, Seen, Span
from fridge_assets.incidents.observing.flagged import gather_evidence
from fridge_assets.incidents.observing.frames import TIMESTAMP, look_up
from fridge_assets.incidents.observing.inputs import AlertInputs
from fridge_assets.incidents.observing.sentences import describe
from fridge_assets.incidents.state import Incident
from fridge_assets.incidents.terms import Severity
from fridge_assets.incidents.windows import is_judged
from fridge_assets.settings import IncidentSettings

RunSource = Literal["models", "rules_fallback"]


def observed_in(
    inputs: AlertInputs,
    source: RunSource,
    known: Mapping[str, Incident],
    registry: pd.DataFrame,
    knowledge: Knowledge,
    settings: IncidentSettings,
    note: str,
) -> list[Observed]:
    """What the scores of one window say of each device: evidence of those that are flagged, quiet windows of others.

    What its incident knows already is left out, and so is a device that has none and is not flagged.

    Args:
        inputs: of the window.
        source: whose verdicts they are.
        known: device → its newest incident.
        registry: DEVICE_REGISTRY rows with ``cohort``.
        knowledge: the causes that may be probable.
        settings: severity limits.
        note: how old the scores are.

    Raises:
        ValueError: the scores are of more than one window.
    """
    windows = inputs.scores["window_end"].unique()
    if len(windows) > 1:
        raise ValueError(f"scores are of {len(windows)} windows; alerts are made of one window")
    inputs = replace(inputs, scores=_still_said(inputs.scores, known))
    evidence = gather_evidence(inputs.scores, source, settings)
    quiet = _quiet(inputs, set(evidence["device_id"]), source, known)
    news = evidence[[not _is_known(row, source, known) for row in evidence.itertuples()]].reset_index(drop=True)
    if news.empty:
        return list(quiet)
    drafts = _located(news, registry).assign(
        first_detected_at=pd.Series(
            [_first_seen(row, known) for row in news.itertuples()], index=news.index, dtype=TIMESTAMP
        )
    )
    told = describe(drafts, inputs.features, inputs.typical, inputs.comparisons, knowledge)
    release, entries = _release(inputs.scores), _entries(registry, news["device_id"])
    seen = [_seen(row, source, release, entries, note) for row in told.itertuples()]
    return [*seen, *quiet]


def _still_said(scores: pd.DataFrame, known: Mapping[str, Incident]) -> pd.DataFrame:
    """``scores`` without what a daily model has said of a window before the device's incident was closed.

    It is carried along for a day, and says nothing of a device that was repaired, replaced or judged since.
    """
    closed = {device: pd.Timestamp(one.closed_at) for device, one in known.items() if one.closed_at is not None}
    over = scores["device_id"].map(closed).astype(TIMESTAMP) >= scores["carried_from"]
    return scores[~over]


def _is_known(row: Any, source: RunSource, known: Mapping[str, Incident]) -> bool:
    incident = known.get(row.device_id)
    if incident is None:
        return False
    return is_judged(incident.windows, row.window_end.to_pydatetime(), source, Severity(row.severity_rank))


def _first_seen(row: Any, known: Mapping[str, Incident]) -> pd.Timestamp:
    """For the words only: should the incident be closed or opened meanwhile, its row says what is right."""
    incident, window_end = known.get(row.device_id), pd.Timestamp(row.window_end)
    if incident is None or not incident.is_open:
        return window_end
    return min(window_end, pd.Timestamp(incident.first_detected_at))


def _located(drafts: pd.DataFrame, registry: pd.DataFrame) -> pd.DataFrame:
    known = registry.drop_duplicates("device_id").set_index("device_id")
    refrigerants = known.get("refrigerant", pd.Series(index=known.index, dtype="str"))
    return drafts.assign(
        site_id=look_up(drafts["device_id"], known["site_id"]).fillna(NO_SITE),
        refrigerant=look_up(drafts["device_id"], refrigerants).fillna(""),
    )


def _release(scores: pd.DataFrame) -> str:
    """Which released models have spoken; the rules have one version."""
    names = [name for name in ("model_id", "model_version") if name in scores]
    return ", ".join(sorted("@".join(map(str, row)) for row in scores[names].drop_duplicates().itertuples(index=False)))


def _entries(registry: pd.DataFrame, devices: pd.Series) -> dict[str, str]:
    """Device → identity of its entry in the registry."""
    columns = [name for name in DEVICE_REGISTRY.column_names if name in registry]
    rows = registry.loc[registry["device_id"].isin(devices), columns]
    return {str(row[0]): deterministic_id(*row) for row in rows[columns].itertuples(index=False)}


def _seen(row: Any, source: RunSource, release: str, entries: Mapping[str, str], note: str) -> Observed:
    window = Span(row.window_start.to_pydatetime(), row.window_end.to_pydatetime())
    length = window.ends_at - window.starts_at
    carried = None if pd.isna(row.carried_from) else row.carried_from.to_pydatetime()
    seen = Seen(
        evidence_id=row.alert_id,
        device_id=row.device_id,
        site_id=row.site_id,
        source=source,
        at=window.ends_at,
        window=window,
        severity=Severity(row.severity_rank),
        sign=row.sign,
        families=int(row.models_flagging),
        score=float(row.anomaly_score),
        cause=row.cause,
        agreeing=int(row.agreeing),
        carried_from=None if carried is None or row.agreeing else Span(carried - length, carried),
        release=release,
        registry_entry=entries.get(row.device_id, ""),
    )
    measured = Measured(
        title=row.title,
        description=row.description,
        model_id=row.model_id,
        anomaly_score=float(row.anomaly_score),
        top_contributors=tuple(row.top_contributors),
        score_ids=tuple(row.score_ids),
        note=note,
        signs_for=row.signs_for,
        signs_against=row.signs_against,
    )
    return Observed(row.device_id, seen, measured)


def _quiet(
    inputs: AlertInputs, flagged: set[str], source: RunSource, known: Mapping[str, Incident]
) -> Iterator[Observed]:
    """Windows after the last evidence of an open incident that were judged and not flagged, oldest first.

    Only a device with a score of the latest window itself is judged: daily models alone say nothing new of it. Earlier
    windows count as they were scored, whether or not a run has looked at them.
    """
    quiet = {device for device, incident in known.items() if incident.is_open} - flagged
    scores, before = (frame[frame["device_id"].isin(quiet)] for frame in (inputs.scores, inputs.previous_scores))
    judged = scores[scores["carried_from"].isna()].groupby("device_id")["window_end"].max()
    earlier = before[~before["flagged"].astype(bool)].groupby("device_id")["window_end"].agg(list)
    for device, window_end in judged.items():
        for end in sorted([*earlier.get(device, []), window_end]):
            yield Observed(str(device), Quiet(source, end.to_pydatetime()))
