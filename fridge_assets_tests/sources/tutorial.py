"""The tutorial of the page about sources: its steps, and their pictures (`make pictures`)."""

import io
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import pandas as pd
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from fridge_assets.core.moments import parse_moment
from fridge_assets.settings import Settings
from fridge_assets.streaming.rules import OVERLOAD
from fridge_assets_tests.cli.typed import typed

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"
PICTURES = PAGE.parent / "images"
_WIDTH = 118


@dataclass(frozen=True)
class Step:
    """A command of the page, and the lines that the page shows of what it prints."""

    command: str
    shown: tuple[str, ...]


def example_file() -> str:
    """The file that the page is about."""
    (file,) = re.findall(r"^```csv\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(file)


def steps() -> list[list[Step]]:
    """The commands of each block of the page."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found = []
    for block in blocks:
        parts = [part.splitlines() for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
        found.append([Step(command, tuple(shown)) for command, *shown in parts])
    return found


def printed(folder: Path, step: Step) -> str:
    """What the command of a step prints, on both streams."""
    _, out, error = typed(folder / "data", *shlex.split(step.command)[1:])
    return out + error


def main() -> None:
    """Write a picture of each block, and one of the readings that the incident is about."""
    os.environ["FRIDGE_STREAMING__PORT"] = "0"
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "store-7.csv").write_text(example_file(), encoding="utf-8")
        os.chdir(folder)
        for number, block in enumerate(steps(), start=1):
            console = Console(record=True, width=_WIDTH, file=io.StringIO())
            for step in block:
                console.print(Text(f"$ {step.command}", style="bold"))
                text = re.sub(r"\S*/fridge-assets --data-dir \S+", "fridge-assets", printed(folder, step))
                # The log of the stream says when it ran.
                text = re.sub(r"^\d{4}-\d{2}-\d{2} .* INFO .*\n", "", text, flags=re.MULTILINE)
                console.print(Text(text.replace(f"{folder}/", "").rstrip()), soft_wrap=False)
            _save(console, PICTURES / f"sources-{number}.svg")
        _draw_readings(PICTURES / "sources-incident.svg")


def _save(console: Console, path: Path) -> None:
    # Without the font that the page of the picture would fetch from elsewhere.
    format_ = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title="store-7", code_format=format_, unique_id=path.stem)
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def _draw_readings(path: Path) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415 (after its settings)

    rows = pd.read_csv(io.StringIO(example_file()), sep=";", decimal=",")
    times = [parse_moment(f"2025-11-03T{clock}Z", "Zeit") for clock in rows["Zeit"]]
    mpl.rcParams["svg.hashsalt"] = path.stem
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    axes = figure.subplots()
    for case in ("Case 1", "Case 2"):
        axes.plot(times, rows[f"{case} Compressor Current (A)"], marker="o", label=case)
    axes.axhline(Settings().learned_thresholds.current[1], color="crimson", linestyle="--", label=f"{OVERLOAD.name}")
    axes.set_ylabel("compressor current, A")
    axes.xaxis.set_major_locator(mpl.dates.MinuteLocator())
    axes.xaxis.set_major_formatter(mpl.dates.DateFormatter("%H:%M"))
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
