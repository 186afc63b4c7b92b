"""The acute rules in Bytewax: one process of the peer, which streams its share of the devices.

``python -m fridge_assets_tests.benchmarks.stream_peer_flow --part 0 --parts 2 --out FILE LANDING_FILE…``

The onsets go to ``--out``, one JSON list a line, and how it went is printed as JSON.
"""

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import bytewax.operators as op
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from bytewax.connectors.files import FileSink
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.run import cli_main

from fridge_assets.settings import StreamingSettings
from fridge_assets_tests.benchmarks.stream_peer_rules import DeviceRules, Found, Reading, Spans

FILES_PER_BATCH = 10
"""Several readings of a device come at once, which spares calls from Rust to Python."""
_COLUMNS = [
    "timestamp_device",
    "current_compressor",
    "vibration_compressor",
    "pressure_low_side",
    "temperature_evaporator",
    "defrost_cycle",
]

Keyed = tuple[str, Reading]


class LandingPartition(StatefulSourcePartition[Keyed, int]):
    """Landing files one after another, the readings of some devices."""

    def __init__(self, files: Sequence[Path], part: int, parts: int, position: int) -> None:
        self._files, self._part, self._parts = files, part, parts
        self._position = position
        self.readings = 0

    def next_batch(self) -> Iterable[Keyed]:
        if self._position >= len(self._files):
            raise StopIteration
        batch: list[Keyed] = []
        for path in self._files[self._position : self._position + FILES_PER_BATCH]:
            table = pq.read_table(path, columns=["device_id", *_COLUMNS])
            number = pc.cast(pc.utf8_slice_codeunits(table["device_id"], -6), pa.int64()).to_numpy()
            own = table.filter(pa.array(number % self._parts == self._part))
            own = own.set_column(1, "timestamp_device", own["timestamp_device"].cast(pa.int64()))
            columns = [own[name].to_pylist() for name in _COLUMNS]
            batch += zip(own["device_id"].to_pylist(), map(Reading._make, zip(*columns, strict=True)), strict=True)
        self._position += FILES_PER_BATCH
        self.readings += len(batch)
        return batch

    def snapshot(self) -> int:
        return self._position


class LandingSource(FixedPartitionedSource[Keyed, int]):
    """The landing files as one partition."""

    def __init__(self, files: Sequence[Path], part: int, parts: int) -> None:
        self._given = files, part, parts
        self.partition: LandingPartition | None = None

    def list_parts(self) -> list[str]:
        return ["landing"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> LandingPartition:  # noqa: ARG002
        self.partition = LandingPartition(*self._given, resume_state or 0)
        return self.partition


class AcuteLogic(StatefulBatchLogic[Reading, Found, None]):
    """The rules of one device."""

    def __init__(self, spans: Spans) -> None:
        self._take = DeviceRules(spans).take

    def on_batch(self, values: list[Reading]) -> tuple[Iterable[Found], bool]:
        found: list[Found] = []
        for reading in values:
            found += self._take(reading)
        return found, StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        """Nothing: there is no recovery here, which only makes it faster."""


def acute_flow(source: LandingSource, out: Path) -> Dataflow:
    """The dataflow from landing files to onsets."""
    spans = Spans(StreamingSettings())
    flow = Dataflow("acute")
    readings = op.input("readings", flow, source)
    onsets = op.stateful_batch("rules", readings, lambda _: AcuteLogic(spans))
    lines = op.map("lines", onsets, lambda found: (found[0], json.dumps((found[0], *found[1]))))
    op.output("onsets", lines, FileSink(out))
    return flow


def main() -> None:
    """Stream the files and print how it went."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", type=int, required=True, help="which of the parts this process has")
    parser.add_argument("--parts", type=int, required=True, help="how many there are")
    parser.add_argument("--out", type=Path, required=True, help="where the onsets go")
    parser.add_argument("files", type=Path, nargs="+", help="landing files in order")
    given = parser.parse_args()
    given.out.touch()
    source = LandingSource(given.files, given.part, given.parts)
    flow = acute_flow(source, given.out)
    began = time.time()
    cli_main(flow)
    assert source.partition is not None
    print(json.dumps({"began": began, "ended": time.time(), "readings": source.partition.readings}))


if __name__ == "__main__":
    main()
