"""`alerts show`: one piece of evidence, from the readings to what each model said (SPEC 6)."""

import math
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fridge_assets.cli.charts import Cells, bars, cells
from fridge_assets.cli.console import moment, out, say, say_json, styled, time_of_day, told_here
from fridge_assets.cli.context import Workplace, reading
from fridge_assets.cli.nulls import frame_records
from fridge_assets.cli.tables import Wide, say_rows
from fridge_assets.core.identity import SHORT_ID

if TYPE_CHECKING:  # pandas takes half of the time of a command that only lists
    import pandas as pd

    from fridge_assets.incidents.trace import Trace

_WIDTH = 60
_NARROWEST = 30
_LABEL = 10
"""Room for the numbers beside a chart."""
_HEIGHT = 5
WHY_NOT_TOLD = {
    "repeat": "it says nothing new",
    "being_worked_on": "somebody sees to the device, and it says nothing new",
    "unconfirmed": "it waits for evidence in another window",
    "silenced": "the device or its site is silenced",
    "known_benign": "a person has called the same a false positive",
    "part_of_site": "many devices are told of as one",
}
"""Why people were not told of evidence, in words."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: fridge-assets alerts show 4f1c9a2e")(show)


def show(
    context: typer.Context,
    alert: Annotated[str, typer.Argument(help="Alert id, or its beginning.")],
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """One alert: what was measured, and what each model said. What people did is in `incidents show`."""
    from fridge_assets.incidents.evidence_lists import find_alert  # noqa: PLC0415
    from fridge_assets.incidents.trace import trace  # noqa: PLC0415

    place = reading(context)
    with place.operations.read() as connection:
        found = find_alert(connection, alert)
    now = datetime.now(UTC)
    told = trace(place.warehouse, found, place.settings, now)
    threshold = threshold_of(place, found)
    if as_json:
        say_json(found | trace_document(told, threshold))
        return
    _say_header(told)
    say_trace(told, threshold, wide)
    name = found["incident_id"][:SHORT_ID]
    say(f"Next: {place.command(f'incidents show {name}')}")


def threshold_of(place: Workplace, alert: Mapping[str, Any]) -> "pd.DataFrame":
    """Of an alert of the stream its rule and the threshold that was in force."""
    from fridge_assets.streaming.observed import SOURCE  # noqa: PLC0415
    from fridge_assets.streaming.thresholds import thresholds_of  # noqa: PLC0415

    with place.operations.read() as connection:
        thresholds = thresholds_of(connection, alert["device_id"], alert["first_detected_at"])
    own: pd.DataFrame = thresholds[alert["model_id"] == SOURCE + "_" + thresholds["rule"]]
    return own.reset_index(drop=True)


def trace_document(told: "Trace", threshold: "pd.DataFrame") -> dict[str, Any]:
    """What is behind an alert, for programs; but for the alert itself."""
    import pandas as pd  # noqa: PLC0415

    parts = {field.name: getattr(told, field.name) for field in fields(told) if field.name != "alert"}
    parts["threshold"] = threshold
    return {name: frame_records(part) if isinstance(part, pd.DataFrame) else part for name, part in parts.items()}


def say_trace(told: "Trace", threshold: "pd.DataFrame", wide: bool) -> None:
    """Print the charts of what was measured, and what each model said."""
    _say_charts(told)
    _say_verdicts(told, threshold, wide)
    for sentence in told.missing:
        say(styled(told_here(sentence, datetime.now(UTC)), "yellow"))


def _say_header(told: "Trace") -> None:
    alert = told.alert
    say(styled(f"{alert['severity']}: {alert['title']}", "bold"))
    say(told_here(alert["description"], alert["window_end"]))
    say(f"\nalert {alert['alert_id']} on {alert['device_id']} at {alert['site_id']}, {alert['alert_type']}")
    say(f"of incident {alert['incident_id']}, {alert['status']}")
    say(f"not told: {WHY_NOT_TOLD[alert['suppressed_because']]}" if alert["suppressed"] else "told")
    say(f"first seen {moment(alert['first_detected_at'])}, window ending {moment(alert['window_end'])}")
    say(f"score {alert['anomaly_score']:.3f} by {alert['model_id']}{_families(alert['models_flagging'])}")
    if alert["note"]:
        say(told_here(f"{alert['note']}.", datetime.now(UTC)))


def _families(count: int) -> str:
    if not count:
        return ""
    return "; 1 model family flags it" if count == 1 else f"; {count} model families flag it"


def _say_charts(told: "Trace") -> None:
    from fridge_assets.contracts.sensor_readings import SENSORS  # noqa: PLC0415
    from fridge_assets.incidents.trace.measured import READINGS_SPAN, WINDOWS_SPAN  # noqa: PLC0415

    end = told.alert["window_end"]
    sensors = {s.name: s for s in SENSORS}
    width = max(min(_WIDTH, out.width - _LABEL), _NARROWEST)
    for name in told.readings.columns.drop("timestamp_utc"):
        shown = _spread(told.readings, "timestamp_utc", name, end - READINGS_SPAN, end, width)
        if any(value is not None for value in shown):
            unit = f", {sensors[name].unit}" if sensors[name].unit else ""
            say(styled(f"\n{sensors[name].label.capitalize()}{unit}", "bold"))
            _say_axes(shown, (end - READINGS_SPAN, end))
    _say_contributors(told, end - WINDOWS_SPAN, end)


def _say_axes(shown: Cells, span: tuple[datetime, datetime]) -> None:
    from fridge_assets.incidents.observing.wording import number  # noqa: PLC0415

    known = [value for value in shown if value is not None]
    labels = [number(max(known)), *[""] * (_HEIGHT - 2), number(min(known))]
    room = max(map(len, labels))
    for label, line in zip(labels, bars(shown, _HEIGHT), strict=True):
        say(f"{label:>{room}} ┤{line}".rstrip())
    begin, end = map(time_of_day, span)
    say(f"{'':>{room}}  {begin}{end:>{len(shown) - len(begin)}}")


def _say_contributors(told: "Trace", begin: datetime, end: datetime) -> None:
    from fridge_assets.incidents.observing.wording import number, words_for  # noqa: PLC0415

    rows = []
    for name in told.windows.columns.drop("window_end"):
        values = told.windows[name].dropna().astype("float64")
        if len(values):
            words, usual = words_for(name), told.usual.get(name)
            kind = "" if words.kind in ("derived", "door", "defrost") else f" {words.kind}"
            label = f"{words.label}{kind}" + (f", {words.unit}" if words.unit else "")
            spread = f"{number(values.min())} … {number(values.max())}"
            rows.append((label, spread, number(values.iloc[-1]), "–" if usual is None else number(usual), name))
    if not rows:
        return
    heads = ("over the last 24 h", "from … to", "last", "usual")
    room = [max(len(row[n]) for row in (*rows, heads)) for n in range(4)]
    width = max(min(_WIDTH, out.width - sum(room) - 2 * len(room)), _NARROWEST // 3)
    say(styled("\nStrongest contributors", "bold"))
    say(styled(_aligned(heads, room), "dim"))
    for *texts, name in rows:
        chart = bars(_spread(told.windows, "window_end", name, begin, end, width))[0]
        say(f"{_aligned(tuple(texts), room)}  {chart}".rstrip())


def _aligned(texts: tuple[str, ...], room: list[int]) -> str:
    label, *numbers = texts
    return "  ".join([f"{label:<{room[0]}}", *(f"{t:>{n}}" for t, n in zip(numbers, room[1:], strict=True))])


def _spread(frame: "pd.DataFrame", when: str, name: str, begin: datetime, end: datetime, width: int) -> Cells:
    values = [None if math.isnan(value) else value for value in frame[name].astype("float64")]
    return cells([m.to_pydatetime() for m in frame[when]], values, begin, end, width)


def _say_verdicts(told: "Trace", threshold: "pd.DataFrame", wide: bool) -> None:
    say("")
    for row in frame_records(threshold):
        since = f" since {moment(row['since'])}" if row["since"].year > 1970 else ""
        say(f"Rule {row['rule']}: the threshold in force was {row['value']:g}, by {row['origin']}{since}")
    for row in frame_records(told.conditions):
        conditions = ", ".join(row["conditions"]) or "none"
        say(f"Rules in place of the models, {moment(row['evaluated_at'])}: {conditions} beyond the limit")
    if len(told.scores):
        _say_scores(told, wide)


def _say_scores(told: "Trace", wide: bool) -> None:
    from fridge_assets.incidents.observing.judged import judged_by_score  # noqa: PLC0415
    from fridge_assets.incidents.observing.wording import number, words_for  # noqa: PLC0415

    scores = frame_records(told.scores)
    rows = [
        {
            "model": row["model_id"],
            "version": row["model_version"],
            "score": row["anomaly_score"],
            "threshold": row["threshold_used"],
            "flagged": ("yes" if row["anomaly_flag"] else "no") + (", behind this alert" if row["behind"] else ""),
            "scored": row["scored_at"],
            "of window": row["window_end"],
        }
        for row in scores
    ]
    say_rows(
        "What each model said",
        rows,
        {name: name for name in rows[0]},
        spare=("of window", "scored", "threshold"),
        wide=wide,
    )
    judged = judged_by_score(told.comparisons)
    for row in scores:
        kept = judged.get(row["score_id"], {})
        phrases = [
            f"{words_for(name).short(kept[name])}, {number(kept[name].deviation or 0.0, digits=2)} spreads"
            if name in kept
            else words_for(name).label
            for name in row["top_contributors"]
        ]
        if phrases:
            say(f"{row['model_id']}: {'; '.join(dict.fromkeys(phrases))}")
