"""Which files hold readings, by what their names promise."""

from pathlib import Path

from fridge_assets.sources.source import Format, Source

ENDINGS: dict[str, Format] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
}
"""What a file is read as that belongs to no source which says its format."""


def format_of(path: Path, source: Source | None = None) -> Format | None:
    """How ``path`` is read: as its source says, or as its name promises; None where neither says.

    Args:
        path: the file.
        source: what is known of its readings.
    """
    name = path.name.lower()
    if name.startswith((".", "_")):
        return None
    if source is not None and source.format is not None:
        return source.format
    for ending, format_ in ENDINGS.items():
        if name.endswith(ending):
            return format_
    return None


def not_readings(name: str) -> str:
    """What is said of a file that :func:`format_of` does not know."""
    return (
        f"{name} is not a readings file. Name it .parquet, .csv, .jsonl or with .gz behind, or say how to read it: "
        "fridge-assets sources add NAME FILE."
    )
