"""`stream`: the acute rules live, beside Dagster and without it; `stream backtest`: over stored history (SPEC 5)."""

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from fridge_assets.cli.console import progress, say, say_json
from fridge_assets.cli.context import Workplace, reading, starting
from fridge_assets.cli.tables import Wide, say_table
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.moments import parse_moment
from fridge_assets.replay.folder import refuse_replay
from fridge_assets.running.stopping import stop_gently

if TYPE_CHECKING:
    from fridge_assets.streaming.backtest import BacktestReport
    from fridge_assets.streaming.sources.base import Source

app = typer.Typer(help="Acute failures, seen in the readings themselves.")

_MINUTE = timedelta(minutes=1)
_SHOWN = 20


@app.callback(
    invoke_without_command=True,
    epilog="Example: fridge-assets stream",
)
def stream(
    context: typer.Context,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when everything that has landed is taken, for trying things out.")
    ] = False,
) -> None:
    """Watch the readings as they come and raise CRITICAL alerts, until interrupted or terminated.

    A current above its threshold; a vibration that is a multiple of the device's usual one; a low-side pressure that
    falls within 5 minutes to below the band of the device's last 24 hours, in 3 readings in a row; an evaporator that
    warms for 3 minutes and is above its band. Devices with less than 20 hours of history have stricter limits, and
    devices that send less often than every 5 minutes are not watched for losses of pressure and cooling.

    Reads the landing folder; with FRIDGE_MQTT__HOST also the topics of that broker which sources name; or the Kafka
    topic that FRIDGE_KAFKA__BOOTSTRAP_SERVERS leads to. Needs no Dagster, and delivers its messages itself.
    """
    if context.invoked_subcommand is not None:
        return
    place = starting(context)
    refuse_replay(place.settings.root)
    if until_idle and (place.settings.kafka.bootstrap_servers or place.settings.mqtt.host):
        raise FridgeError("--until-idle is for the landing folder; a topic never ends", "Leave it out.")
    import logging  # noqa: PLC0415
    import os  # noqa: PLC0415
    import socket  # noqa: PLC0415

    from fridge_assets.streaming.service import StreamService  # noqa: PLC0415

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("fridge_assets").setLevel(logging.INFO)
    stop = threading.Event()
    stop_gently(stop.set)
    instance = f"{socket.gethostname()}/{os.getpid()}"
    service = StreamService(place.settings, place.operations, _source(place), instance=instance)
    done = service.run(stop, until_idle=until_idle)
    say(
        f"{done.readings:,} readings taken, {done.too_late:,} too late, {done.unusable:,} unusable, "
        f"{done.alerts:,} onsets of acute failures."
    )
    if done.alerts:
        say(f"Next: {place.command('incidents list --min-severity CRITICAL')}")


@app.command(epilog="Example: fridge-assets stream backtest --from 2026-01-01T00:00Z --to 2026-01-02T00:00Z")
def backtest(
    context: typer.Context,
    start: Annotated[str, typer.Option("--from", help="First moment, ISO 8601.")],
    end: Annotated[str, typer.Option("--to", help="Moment after the last, ISO 8601.")],
    wide: Wide = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """What the rules say of the readings that were ingested, with the thresholds of that time; stores nothing."""
    from fridge_assets.streaming.backtest import backtest as run_backtest  # noqa: PLC0415
    from fridge_assets.streaming.thresholds import thresholds_in_force  # noqa: PLC0415

    place = reading(context)
    first, last = parse_moment(start, "--from"), parse_moment(end, "--to")
    with place.operations.read() as connection:
        thresholds = thresholds_in_force(connection)
    with progress("judging (minutes of readings)", as_json) as bar:
        report = run_backtest(
            place.warehouse,
            thresholds,
            first,
            last,
            place.settings,
            lambda done, whole: bar.update(bar.task_ids[0], completed=done // _MINUTE, total=whole // _MINUTE),
        )
    if as_json:
        say_json({"readings": report.readings, "too_late": report.too_late, "onsets": _records(report)})
    else:
        _print(report, wide)


def _source(place: Workplace) -> "Source":
    if place.settings.kafka.bootstrap_servers and place.settings.mqtt.host:
        raise FridgeError("a stream reads Kafka or MQTT", "Unset FRIDGE_KAFKA__BOOTSTRAP_SERVERS or FRIDGE_MQTT__HOST.")
    if place.settings.kafka.bootstrap_servers:
        from fridge_assets.streaming.sources.kafka import KafkaSource  # noqa: PLC0415

        return KafkaSource(place.operations, place.settings)
    if place.settings.mqtt.host:
        from fridge_assets.streaming.sources.mqtt import MqttSource  # noqa: PLC0415

        return MqttSource(place.landing, place.operations, place.settings)
    from fridge_assets.streaming.sources.landing import LandingSource  # noqa: PLC0415

    return LandingSource(place.landing, place.operations, place.settings)


def _records(report: "BacktestReport") -> list[dict[str, object]]:
    return [{**vars(onset), "told": told} for onset, told in zip(report.onsets, report.told, strict=True)]


def _print(report: "BacktestReport", wide: bool) -> None:
    import pandas as pd  # noqa: PLC0415

    from fridge_assets.streaming.rules import RULES  # noqa: PLC0415

    frame = pd.DataFrame(
        _records(report), columns=["at", "device_id", "rule", "value", "reference", "threshold", "told"]
    )
    by_rule = [
        {
            "rule": rule,
            "alerts": int(frame.loc[frame["rule"] == rule, "told"].sum()),
            "repeats": int((~frame.loc[frame["rule"] == rule, "told"].astype(bool)).sum()),
            "devices": frame.loc[frame["rule"] == rule, "device_id"].nunique(),
        }
        for rule in RULES
    ]
    say_table("Acute rules", pd.DataFrame(by_rule))
    say(f"{report.readings:,} readings, {report.too_late:,} of them too late for the stream.")
    told = frame[frame["told"].astype(bool)]
    if len(told):
        say_table(f"First alerts of {len(told):,}", told.head(_SHOWN).drop(columns="told"), wide=wide)
        if len(told) > _SHOWN:
            say("All of them: --json")
