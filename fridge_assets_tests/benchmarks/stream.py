"""The stream: how many readings a second, how soon an alert is stored, and beside a peer.

``python -m fridge_assets_tests.benchmarks.stream [--devices N] [--part live|peer]``, about five minutes on two cores.

A fleet without faults is simulated into landing files, and what features know of a day of its vibration is published,
so that all of the state is as large as it gets. Exit code 1 when a target is missed:

- live, replay: 200,000 readings a second on two cores, and memory that stays flat once the window is full
  (``stream_replay``);
- live, latency: going on from there, alerts are stored within 1 second in the median and 5 seconds for 99 of 100, at
  the fleet's rate and at 30 times that (``stream_latency``);
- peer: Bytewax finds the same onsets in the same files, and is timed beside (``stream_peer``).

The targets hold for the default sizes. Timings are for a machine that has nothing else to do.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from fridge_assets.settings import Settings
from fridge_assets.simulation import Fleet, simulate_registry
from fridge_assets.simulation.arrival import Arrivals
from fridge_assets_tests.benchmarks import stream_latency, stream_peer, stream_replay
from fridge_assets_tests.benchmarks.hourly import CONSOLE
from fridge_assets_tests.benchmarks.stream_fleet import MINUTE, START, land_history, publish_usual_day

DEVICES = 100_000
SEED = 7
RESULTS = Path("bench-results")
_HISTORY_MINUTES = stream_replay.FILLED_MINUTES + stream_replay.AFTER_MINUTES

Outcome = tuple[dict[str, Any], list[str]]
"""Results, and the targets that were missed, in words."""


def live(folder: Path, devices: int, seed: int, seconds: int) -> dict[str, Outcome]:
    """Replay a history, then go on live."""
    settings = Settings(data_dir=folder / "data")
    # The fleet's span is only where faults would unfold; there are none.
    fleet = Fleet(simulate_registry(devices, seed), seed, START, START + timedelta(hours=3))
    arrivals = Arrivals(fleet)
    readings = land_history(settings, arrivals, _HISTORY_MINUTES)
    publish_usual_day(settings, fleet)
    CONSOLE.print(f"Landed {readings:,} readings of {devices:,} devices, {_HISTORY_MINUTES} minutes of event time.")
    replayed = stream_replay.report(stream_replay.replay(settings, stream_replay.FILLED_MINUTES), devices)
    start = START + _HISTORY_MINUTES * MINUTE
    paces = stream_latency.observe(settings, arrivals, start, seconds)
    return {"replay": replayed, "latency": stream_latency.report(paces, devices)}


def beside_peer(folder: Path, devices: int, seed: int) -> dict[str, Outcome]:
    """The same files through the stream and through Bytewax."""
    return {"peer": stream_peer.report(stream_peer.observe(folder, devices, seed), devices)}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; 0 when every target is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the simulated fleets (default {SEED})")
    parser.add_argument("--part", choices=("live", "peer"), help="only this part")
    parser.add_argument("--devices", type=int, help="of the fleet, 1,000 or more; targets are for the default")
    parser.add_argument("--seconds", type=int, default=stream_latency.SECONDS, help="of each live speed")
    given = parser.parse_args(arguments)
    parts: dict[str, Callable[[Path], dict[str, Outcome]]] = {
        "live": lambda folder: live(folder, given.devices or DEVICES, given.seed, given.seconds),
        "peer": lambda folder: beside_peer(folder, given.devices or stream_peer.DEVICES, given.seed),
    }
    missed = []
    for name in [given.part] if given.part else parts:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"fridge-stream-{name}-") as folder:
            outcomes = parts[name](Path(folder))
        seconds = round(time.monotonic() - began)
        results = {what: {**found, "missed": failures} for what, (found, failures) in outcomes.items()}
        file = RESULTS / f"stream-{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"seed": given.seed, "benchmark_seconds": seconds, **results}, indent=1) + "\n")
        CONSOLE.print(f"Results: {file}. Seed {given.seed}, {seconds} s.")
        missed += [line for _, failures in outcomes.values() for line in failures]
    for line in missed:
        CONSOLE.print(f"[red]Missed:[/red] {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
