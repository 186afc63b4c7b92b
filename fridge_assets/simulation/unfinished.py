"""What a simulation is writing until it has ended: the next one goes on where that one was interrupted."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from fridge_assets.core.errors import FridgeError
from fridge_assets.simulation.machines import CONTINUOUS
from fridge_assets.stores.files import atomic_write


@dataclass(frozen=True)
class Plan:
    """What makes up a simulated fleet.

    Args:
        devices: in the fleet.
        hours: of readings.
        seed: the same seed gives the same fleet.
        faults: ``KIND=SHARE`` each.
        end: when the readings end, timezone-aware.
        machines: the mix of equipment models.
        states: whether the machines' true states are written, too.
    """

    devices: int
    hours: float
    seed: int
    faults: tuple[str, ...]
    end: datetime
    machines: str = CONTINUOUS
    states: bool = False

    def to_json(self) -> str:
        """This plan as JSON."""
        return json.dumps({**asdict(self), "end": self.end.isoformat()})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The plan that :meth:`to_json` wrote."""
        given = json.loads(text)
        return cls(**{**given, "faults": tuple(given["faults"]), "end": datetime.fromisoformat(given["end"])})

    @property
    def words(self) -> str:
        """How to ask for it."""
        options = [f"--devices {self.devices}", f"--hours {self.hours:g}", f"--seed {self.seed}"]
        if self.machines != CONTINUOUS:
            options.append(f"--machines {self.machines}")
        if self.states:
            options.append("--states")
        return " ".join(["simulate", *options, *(f"--fault {fault}" for fault in self.faults)])


class Unfinished:
    """The note of a simulation that is being written, a hidden file in the data folder.

    Args:
        folder: the data folder.
        wanted: what is to be simulated.
        any_end: whether the readings may end where those of an interrupted simulation were to end.

    Raises:
        FridgeError: another simulation was interrupted in this folder.
    """

    def __init__(self, folder: Path, wanted: Plan, *, any_end: bool) -> None:
        self._file = folder / ".simulation.json"
        self.plan = wanted
        self.going_on = self._file.exists()
        if self.going_on:
            begun = Plan.from_json(self._file.read_text(encoding="utf-8"))
            if begun != (replace(wanted, end=begun.end) if any_end else wanted):
                raise FridgeError(
                    f"{folder} holds a part of another simulation, which was interrupted",
                    f"Finish it with `fridge-assets {begun.words} --end {begun.end.isoformat()}`, or choose another "
                    "data folder.",
                )
            self.plan = begun

    def begin(self) -> None:
        """Note what is being written.

        Raises:
            FolderNotWritable: the data folder cannot be written.
        """
        with atomic_write(self._file) as temporary:
            temporary.write_text(self.plan.to_json(), encoding="utf-8")

    def end(self) -> None:
        """All of it is there."""
        self._file.unlink()
