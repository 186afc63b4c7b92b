"""The four model families: how fast, what they find and name, how often they cry wolf.

``python -m fridge_assets_tests.benchmarks.models [--seed N] [--part speed|detection|healthy] [--machines MIX]``

Old and new kinds of machine are shown apart; the targets of detection are those of machines that never stop, and the
speed is of these too.

Exit code 1 when a target is missed:

- speed: a daily cycle of 100,000 devices in under 90 seconds and 6 GiB on two cores (``model_speed``);
- detection: of the devices with a single faulty sensor that a family flags, a feature of that sensor is among the top
  contributors of at least 95 %, for each family that flags 20 or more (``model_detection``);
- healthy: at most 30 HIGH and CRITICAL alerts on 20,000 healthy devices in a day (``model_healthy``).

The targets hold for the default sizes. All figures are conditional on the simulator, and timings on a machine that
has nothing else to do.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fridge_assets_tests.benchmarks import model_detection, model_healthy, model_speed
from fridge_assets_tests.benchmarks.hourly import CONSOLE
from fridge_assets_tests.benchmarks.kinds import add_machines_option

SEED = 33
"""Neither simulator nor models were tuned on it."""
RESULTS = Path("bench-results")

Outcome = tuple[dict[str, Any], list[str]]
"""Results, and the targets that were missed, in words."""


def speed(folder: Path, devices: int | None, seed: int, machines: str) -> Outcome:
    """The daily cycle."""
    devices = devices or model_speed.DEVICES
    return model_speed.report(model_speed.observe(folder, devices, seed), devices)


def detection(folder: Path, devices: int | None, seed: int, machines: str) -> Outcome:
    """What is found and named."""
    devices = devices or model_detection.DEVICES
    observed = model_detection.observe(folder, devices, seed, machines)
    return model_detection.report(model_detection.judge(observed), observed.kinds)


def healthy(folder: Path, devices: int | None, seed: int, machines: str) -> Outcome:
    """Urgent alerts on a healthy fleet."""
    devices = devices or model_healthy.DEVICES
    return model_healthy.report(model_healthy.observe(folder, devices, seed, machines), devices)


PARTS: dict[str, Callable[[Path, int | None, int, str], Outcome]] = {
    "speed": speed,
    "detection": detection,
    "healthy": healthy,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; 0 when every target is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the simulated fleets (default {SEED})")
    parser.add_argument("--part", choices=list(PARTS), help="only this part")
    parser.add_argument("--devices", type=int, help="of the fleet, to try things out; targets are for the default")
    add_machines_option(parser)
    given = parser.parse_args(arguments)
    missed = []
    for name in [given.part] if given.part else PARTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"fridge-{name}-") as folder:
            results, failures = PARTS[name](Path(folder), given.devices, given.seed, given.machines)
        seconds = round(time.monotonic() - began)
        file = RESULTS / f"models-{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        record = {"seed": given.seed, "benchmark_seconds": seconds, **results, "missed": failures}
        file.write_text(json.dumps(record, indent=1) + "\n")
        CONSOLE.print(f"Results: {file}. Seed {given.seed}, {seconds} s.")
        missed += failures
    for line in missed:
        CONSOLE.print(f"[red]Missed:[/red] {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
