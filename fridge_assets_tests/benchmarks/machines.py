"""Machines that start and stop: are healthy ones left alone, are faults found, what if there is little data.

``python -m fridge_assets_tests.benchmarks.machines [--seed N] [--part healthy|faults|thin] [--devices N] [--days N]``,
about an hour on two cores.

Everything goes through the jobs, rules and stores that production uses, as in ``week``:

- healthy: 500 machines without a fault, three days to learn from and ten that are lived through. Of the windows in each
  true state, 1 ± 0.5 % are flagged by each family; at most 0.5 % of the devices are told of a day; no acute alert;
- faults: the same with every fault of the simulator, beside a fleet whose compressors never stop;
- thin: models of 12 hours, one day and three days of 1, 3 and 30 machines, on the next day: by how much the share that
  they flag misses the 1 % that they promise.

Exit code 1 when a target is missed or a part could not be measured. ``--devices``, ``--days`` and ``--learned`` make it
smaller, to try things out. All figures are conditional on the simulator, see ``quality``.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fridge_assets.core.errors import FridgeError
from fridge_assets_tests.benchmarks import machines_faults, machines_healthy, machines_thin
from fridge_assets_tests.benchmarks.week import CONSOLE, LEARNED, RESULTS

DEVICES, DAYS = 500, 10
SEED = 55
"""Nothing was tuned on it."""


@dataclass(frozen=True)
class Size:
    """How much is simulated.

    Args:
        devices: of each fleet that is lived through.
        days: that are lived through.
        learned: days before that.
        seed: of the fleets.
    """

    devices: int
    days: int
    learned: int
    seed: int


Outcome = tuple[dict[str, Any], list[str]]
"""Results, and the targets that were missed, in words."""


def healthy(folder: Path, size: Size) -> Outcome:
    """What is said of healthy machines."""
    observed = machines_healthy.observe(folder, size.devices, size.days, size.learned, size.seed)
    return machines_healthy.report(observed, CONSOLE)


def faults(folder: Path, size: Size) -> Outcome:
    """What is found of faulty ones."""
    found = machines_faults.observe(folder, size.devices, size.days, size.learned, size.seed)
    return machines_faults.report(found, CONSOLE)


def thin(folder: Path, size: Size) -> Outcome:
    """What models of little data say."""
    return machines_thin.report(machines_thin.observe(folder, size.seed), CONSOLE)


PARTS: dict[str, Callable[[Path, Size], Outcome]] = {"healthy": healthy, "faults": faults, "thin": thin}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; 0 when every target is met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the simulated fleets (default {SEED})")
    parser.add_argument("--part", choices=list(PARTS), help="only this part")
    parser.add_argument("--devices", type=int, default=DEVICES, help=f"in each fleet (default {DEVICES})")
    parser.add_argument("--days", type=int, default=DAYS, help=f"that are lived through (default {DAYS})")
    parser.add_argument("--learned", type=int, default=LEARNED, help=f"days before that (default {LEARNED})")
    given = parser.parse_args(arguments)
    size = Size(given.devices, given.days, given.learned, given.seed)
    missed = []
    for name in [given.part] if given.part else PARTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"fridge-machines-{name}-") as folder:
            results, failures = _measured(name, Path(folder), size)
        file = RESULTS / f"machines-{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        record = {**vars(size), "seconds": round(time.monotonic() - began), **results, "missed": failures}
        file.write_text(json.dumps(record, indent=1, default=str) + "\n")
        CONSOLE.print(f"Results: {file}. Seed {size.seed}, {record['seconds']} s.")
        missed += failures
    for line in missed:
        CONSOLE.print(f"[red]Missed:[/red] {line}", markup=True)
    return 1 if missed else 0


def _measured(name: str, folder: Path, size: Size) -> Outcome:
    """One part; a step that failed is a miss, so that the other parts are still measured."""
    try:
        return PARTS[name](folder, size)
    except (RuntimeError, FridgeError) as problem:
        return {}, [f"{name} was not measured: {problem}"]


if __name__ == "__main__":
    sys.exit(main())
