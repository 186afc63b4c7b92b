"""Runs several commands until the first of them ends: ``python -m fridge_assets.running.together JSON``.

The JSON is an object of names, each with a list of program and arguments. Whoever starts this ends what is left, see
``processes.process_tree``.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

_TICK = 0.2
"""Seconds between two looks at the commands."""


def run_together(commands: Mapping[str, Sequence[str]]) -> int:
    """Run ``commands``; once one of them has ended, say which and return its exit code, as shells give it."""
    started = {name: subprocess.Popen(command) for name, command in commands.items()}
    while True:
        for name, process in started.items():
            code = process.poll()
            if code is not None:
                said = f"the {name} has ended with exit code {code}"
                print(json.dumps({"event": said, "logger": __name__, "level": "error"}), flush=True)  # noqa: T201
                return code if code >= 0 else 128 - code
        time.sleep(_TICK)


if __name__ == "__main__":
    sys.exit(run_together(json.loads(sys.argv[1])))
