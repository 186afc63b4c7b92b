"""The stream beside Bytewax, a stream processor for Python: the same files, the same rules, the same onsets.

Bytewax runs as its users run it: a stateful operator with plain Python for every device, and two processes with half of
the devices each, so that both cores work. It is spared what makes a stream hard: readings come in order, once and in
time; nothing is cleaned, stored or recovered. ``fridge-assets stream`` does all of its work on the same files. Both are
timed from the first batch to the last. There is no target for the ratio; onsets that differ are a miss.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa
from rich.table import Table

from fridge_assets.incidents.rows import incident_from
from fridge_assets.settings import Settings
from fridge_assets.simulation import Delivery, Fleet, simulate_registry
from fridge_assets.simulation.arrival import Arrivals
from fridge_assets.simulation.faults import FaultShare
from fridge_assets.stores.operations import Operations, device_alerts, incidents
from fridge_assets.streaming.engine import moment_of
from fridge_assets.streaming.observed import SOURCE
from fridge_assets_tests.benchmarks.hourly import CONSOLE
from fridge_assets_tests.benchmarks.stream_fleet import MINUTE, START, land_history
from fridge_assets_tests.benchmarks.stream_replay import replay

DEVICES = 20_000
MINUTES = 150
"""From minute 85 on the devices have a usual vibration."""
PROCESSES = 2
FAULTS = [
    FaultShare(fault, 0.01)
    for fault in ("compressor_overload", "vibration_spike", "rapid_pressure_loss", "total_cooling_loss")
]
ORDERLY = Delivery(duplicates=0.0, late=0.0, very_late=0.0, wrong_clocks=0.0)
"""Values are missing as usual; nothing else goes wrong."""
_PATIENCE = 300.0

Onsets = set[tuple[str, str, datetime]]
"""Device, rule and time."""


@dataclass(frozen=True)
class Contest:
    """How both did on the same files.

    Args:
        readings: in the files.
        ours: readings a second of the stream.
        theirs: readings a second of the peer.
        our_onsets: what the stream has found.
        their_onsets: what the peer has found.
    """

    readings: int
    ours: float
    theirs: float
    our_onsets: Onsets
    their_onsets: Onsets


def observe(folder: Path, devices: int, seed: int) -> Contest:
    """Simulate a fleet with acute faults in ``folder`` and let both stream it, one after the other."""
    settings = Settings(data_dir=folder / "data")
    registry = simulate_registry(devices, seed)
    fleet = Fleet(registry, seed, START, START + MINUTES * MINUTE, FAULTS, delivery=ORDERLY)
    readings = land_history(settings, Arrivals(fleet), MINUTES)
    files = sorted(settings.landing_dir.glob("*.parquet"))
    theirs, their_onsets = run_peer(folder, files)
    ours = replay(settings, MINUTES // 2)
    return Contest(readings, ours.rate, theirs, standing_onsets(settings), their_onsets)


def run_peer(folder: Path, files: Sequence[Path]) -> tuple[float, Onsets]:
    """Let the processes of the peer stream ``files`` at the same time: readings a second, and the onsets."""
    module = "fridge_assets_tests.benchmarks.stream_peer_flow"
    outs = [folder / f"peer-{part}.jsonl" for part in range(PROCESSES)]
    commands = [
        [
            sys.executable,
            "-m",
            module,
            "--part",
            str(part),
            "--parts",
            str(PROCESSES),
            "--out",
            str(out),
            *map(str, files),
        ]
        for part, out in enumerate(outs)
    ]
    processes: list[subprocess.Popen[str]] = []
    try:
        for command in commands:
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        answers = [process.communicate(timeout=_PATIENCE)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    if any(process.returncode for process in processes):
        sys.exit(f"The peer has failed with exit codes {[process.returncode for process in processes]}.")
    told = [json.loads(answer) for answer in answers]
    seconds = max(one["ended"] for one in told) - min(one["began"] for one in told)
    return sum(one["readings"] for one in told) / seconds, onsets_of([line for out in outs for line in out.open()])


def onsets_of(lines: Sequence[str]) -> Onsets:
    """Onsets as the peer writes them: device, rule and microseconds since 1970."""
    return {(device, rule, moment_of(at)) for device, rule, at in map(json.loads, lines)}


def standing_onsets(settings: Settings) -> Onsets:
    """Onsets that the stream has stored and not withdrawn."""
    columns = device_alerts.c
    with Operations(settings.operations_database).read() as connection:
        known = [incident_from(row) for row in connection.execute(sa.select(incidents)).mappings()]
        rows = connection.execute(
            sa.select(columns.alert_id, columns.device_id, columns.model_id, columns.first_detected_at)
        ).all()
    standing = {onset.evidence_id for incident in known for onset in incident.onsets}
    return {
        (device, rule.removeprefix(f"{SOURCE}_"), onset.astimezone(UTC))
        for alert, device, rule, onset in rows
        if alert in standing
    }


def misses(contest: Contest) -> list[str]:
    """The targets that were missed, in words."""
    if contest.our_onsets == contest.their_onsets:
        return []
    only_ours, only_theirs = contest.our_onsets - contest.their_onsets, contest.their_onsets - contest.our_onsets
    examples = ", ".join(
        f"{rule} on {device} at {at:%H:%M:%S}" for device, rule, at in sorted(only_ours | only_theirs)[:3]
    )
    return [
        f"{len(only_ours)} onsets were found only by the stream and {len(only_theirs)} only by the peer, "
        f"such as {examples}"
    ]


def report(contest: Contest, devices: int) -> tuple[dict[str, Any], list[str]]:
    """Print the table; the results, and the targets that were missed."""
    table = Table(title=f"The stream beside Bytewax: {devices:,} devices, {contest.readings:,} readings in order")
    table.add_column("")
    for heading in ("readings/s", "onsets"):
        table.add_column(heading, justify="right")
    table.add_row("fridge-assets stream", f"{contest.ours:,.0f}", f"{len(contest.our_onsets):,}")
    table.add_row(f"Bytewax, {PROCESSES} processes", f"{contest.theirs:,.0f}", f"{len(contest.their_onsets):,}")
    CONSOLE.print(table)
    by_rule = {
        rule: sum(found == rule for _, found, _ in contest.our_onsets)
        for rule in sorted({rule for _, rule, _ in contest.our_onsets})
    }
    same = "the same onsets" if contest.our_onsets == contest.their_onsets else "[red]other onsets[/red]"
    CONSOLE.print(
        f"Ratio fridge-assets / Bytewax {contest.ours / contest.theirs:.2f}, {same} "
        f"({', '.join(f'{rule} {count}' for rule, count in by_rule.items())}), {psutil.cpu_count()} cores."
    )
    results = {
        "devices": devices,
        "readings": contest.readings,
        "readings_per_second": round(contest.ours),
        "peer_readings_per_second": round(contest.theirs),
        "onsets": by_rule,
    }
    return results, misses(contest)
