"""`alerts show`: the story of one alert, from the readings to what people did (SPEC 6)."""

import math
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fridge_assets.cli.charts import Cells, bars, cells
from fridge_assets.cli.console import moment, out, say, say_json, styled, time_of_day, told_here
from fridge_assets.cli.context import Workplace, reading
from fridge_assets.cli.nulls import frame_records
from fridge_assets.cli.tables import Wide, say_rows, say_table
from fridge_assets.core.identity import SHORT_ID

if TYPE_CHECKING:  # pandas takes half of the time of a command that only lists
    import pandas as pd

    from fridge_assets.alerting.trace import Story

_WIDTH = 60
_NARROWEST = 30
_LABEL = 10
"""Room for the numbers beside a chart."""
_HEIGHT = 5
_PREVIOUS_SPARE = ("actor", "status", "first_detected_at", "severity")
_WHY_NOT_TOLD = {
    "repeat": "not told: a repeat of what was told shortly before",
    "told_by_stream": "not told: the stream told of the same sensor",
    "maintenance": "not told: maintenance was under way",
    "silence": "not told: silenced",
    "withdrawn": "withdrawn: readings that came late have disproved it",
}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(epilog="Example: fridge-assets alerts show 4f1c9a2e")(show)


def show(
    context: typer.Context,
    alert: Annotated[str, typer.Argument(help="Alert id, or its beginning.")],
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """One alert: what was measured, what each model said, what people were told and what they did."""
    from fridge_assets.alerting.act import find_alert  # noqa: PLC0415
    from fridge_assets.alerting.sla import as_of  # noqa: PLC0415
    from fridge_assets.alerting.store import alert_of  # noqa: PLC0415
    from fridge_assets.alerting.trace import story  # noqa: PLC0415

    place = reading(context)
    with place.operations.read() as connection:
        found = alert_of(connection, find_alert(connection, alert))
    now = datetime.now(UTC)
    current = as_of(found, now, place.settings.alerts)
    told = story(place.warehouse, place.operations, current, place.settings, now)
    threshold = _threshold(place, told)
    if as_json:
        say_json(_document(told, threshold))
        return
    _say_header(told)
    _say_charts(told)
    _say_verdicts(told, threshold, wide)
    _say_life(told, wide)
    for sentence in told.missing:
        say(styled(told_here(sentence, now), "yellow"))


def _threshold(place: Workplace, told: "Story") -> "pd.DataFrame":
    """Of an alert of the stream its rule and the threshold that was in force."""
    from fridge_assets.streaming.onsets import SOURCE  # noqa: PLC0415
    from fridge_assets.streaming.thresholds import thresholds_of  # noqa: PLC0415

    alert = told.alert
    with place.operations.read() as connection:
        thresholds = thresholds_of(connection, alert["device_id"], alert["first_detected_at"])
    own: pd.DataFrame = thresholds[alert["model_id"] == SOURCE + "_" + thresholds["rule"]]
    return own.reset_index(drop=True)


def _document(told: "Story", threshold: "pd.DataFrame") -> dict[str, Any]:
    import pandas as pd  # noqa: PLC0415

    parts = {f.name: getattr(told, f.name) for f in fields(told) if f.name != "alert"} | {"threshold": threshold}
    plain = {name: frame_records(part) if isinstance(part, pd.DataFrame) else part for name, part in parts.items()}
    return frame_records(pd.DataFrame([told.alert]))[0] | plain


def _say_header(told: "Story") -> None:
    import pandas as pd  # noqa: PLC0415

    alert = told.alert
    say(styled(f"{alert['severity']}: {alert['title']}", "bold"))
    say(told_here(alert["description"], alert["window_end"].to_pydatetime()))
    say(f"\nalert {alert['alert_id']} on {alert['device_id']} at {alert['site_id']}")
    who = _WHY_NOT_TOLD[alert["suppressed_because"]] if alert["suppressed"] else _told_of(told)
    say(f"{alert['alert_type']}, {alert['status']}, {alert['escalation_level']}, {who}")
    say(f"first seen {moment(alert['first_detected_at'])}, window ending {moment(alert['window_end'])}")
    late = ", nobody had taken it by then" if alert["sla_breached"] else ""
    rise = "" if pd.isna(alert["next_escalation_at"]) else f"; next step {moment(alert['next_escalation_at'])}"
    say(f"act by {moment(alert['sla_deadline'])}{late}{rise}")
    say(f"score {alert['anomaly_score']:.3f} by {alert['model_id']}{_families(alert['models_flagging'])}")
    for order in told.work_order.to_dict(orient="records"):
        reference = f", {order['external_reference']}" if order["external_reference"] else ""
        say(f"work order {order['work_order_id']}: {order['status']}, {order['priority']}{reference}")
    if alert["note"]:
        say(told_here(f"{alert['note']}.", datetime.now(UTC)))


def _told_of(told: "Story") -> str:
    """Whether anybody has been told of it, as far as it is known."""
    statuses = set(told.messages["status"])
    if statuses & {"sent", "summarised"}:
        return "told"
    if "pending" in statuses:
        return "nobody has been told yet"
    return "no message is about it"


def _families(count: int) -> str:
    if not count:
        return ""
    return "; 1 model family flags it" if count == 1 else f"; {count} model families flag it"


def _say_charts(told: "Story") -> None:
    from fridge_assets.alerting.trace.measured import READINGS_SPAN, WINDOWS_SPAN  # noqa: PLC0415
    from fridge_assets.contracts.sensor_readings import SENSORS  # noqa: PLC0415

    end = told.alert["window_end"].to_pydatetime()
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
    from fridge_assets.alerting.wording import number  # noqa: PLC0415

    known = [value for value in shown if value is not None]
    labels = [number(max(known)), *[""] * (_HEIGHT - 2), number(min(known))]
    room = max(map(len, labels))
    for label, line in zip(labels, bars(shown, _HEIGHT), strict=True):
        say(f"{label:>{room}} ┤{line}".rstrip())
    begin, end = map(time_of_day, span)
    say(f"{'':>{room}}  {begin}{end:>{len(shown) - len(begin)}}")


def _say_contributors(told: "Story", begin: datetime, end: datetime) -> None:
    from fridge_assets.alerting.wording import number, words_for  # noqa: PLC0415

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


def _say_verdicts(told: "Story", threshold: "pd.DataFrame", wide: bool) -> None:
    say("")
    for row in frame_records(threshold):
        since = f" since {moment(row['since'])}" if row["since"].year > 1970 else ""
        say(f"Rule {row['rule']}: the threshold in force was {row['value']:g}, by {row['origin']}{since}")
    for row in frame_records(told.conditions):
        conditions = ", ".join(row["conditions"]) or "none"
        say(f"Rules in place of the models, {moment(row['evaluated_at'])}: {conditions} beyond the limit")
    if len(told.scores):
        _say_scores(told, wide)


def _say_scores(told: "Story", wide: bool) -> None:
    from fridge_assets.alerting.judged import judged_by_score  # noqa: PLC0415
    from fridge_assets.alerting.wording import number, words_for  # noqa: PLC0415

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


def _say_life(told: "Story", wide: bool) -> None:
    events = told.events.rename(columns={"occurred_at": "when", "to_status": "status"})
    say_table("\nEvents", events[["when", "actor", "action", "status", "note"]], spare=("status",), wide=wide)
    if len(told.labels):
        labels = told.labels.rename(columns={"labelled_at": "when"})
        say_table("\nLabels", labels[["when", "actor", "label", "note"]], wide=wide)
    if len(told.silences):
        say_table("\nHeld by", told.silences[["kind", "starts_at", "ends_at", "actor", "reason"]], wide=wide)
    _say_messages(told, wide)
    previous = told.previous.assign(alert=told.previous["alert_id"].astype("str").str[:SHORT_ID])
    names = {
        "alert": "alert",
        "first_detected_at": "since",
        "severity": "severity",
        "title": "title",
        "status": "status",
        "actor": "last by",
        "event_note": "how it stands or ended",
    }
    say_table("\nEarlier alerts of this device, 30 days", previous, names, spare=_PREVIOUS_SPARE, wide=wide)


def _say_messages(told: "Story", wide: bool) -> None:
    """What was sent, when and where; then what waits, and what was not sent because it was no longer true."""
    messages = told.messages.assign(message=told.messages["message_id"].astype("str").str[:SHORT_ID])
    # As it was sent: it may say what happened while it waited.
    messages["title"] = messages["title"].where(messages["said"] == "", messages["said"])
    messages["summary"] = messages["summarised_by"].astype("str").str[:SHORT_ID]
    where, what = {"channel": "channel", "destination": "by"}, {"message": "message", "title": "title"}
    groups = (
        ("sent", "\nPeople were told", {"ended_at": "when", **where, **what}),
        ("pending", "\nWaits to be told", {"created_at": "since", **where, **what, "reason": "why"}),
        ("summarised", "\nTold in a summary", {"ended_at": "when", **where, "summary": "message", "title": "title"}),
        ("superseded", "\nNot told any more", {"ended_at": "when", **where, **what, "reason": "why"}),
    )
    for status, heading, columns in groups:
        own = messages[messages["status"] == status]
        if len(own) or status == "sent":
            say_table(heading, own, columns, spare=("message", "destination"), wide=wide)
