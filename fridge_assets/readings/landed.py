"""Landing files into staged rows: files of one shape together, and a damaged one harms no other."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import duckdb

from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.fits import unfit_files
from fridge_assets.readings.staging import create_staged, stage
from fridge_assets.settings import ReadingSettings
from fridge_assets.sources.file import SourceFile, UnreadableFile, probe
from fridge_assets.sources.saved import read_source
from fridge_assets.sources.source import Source
from fridge_assets.stores.landing import LandingFile


def source_of(file: LandingFile, sources: Path) -> Source:
    """How ``file`` is to be read: as the saved source says whose folder it lies in, as is said beside it, or plainly.

    Args:
        file: a landing file.
        sources: the folder of the saved sources.

    Raises:
        FridgeError: there is no such source, or what says how to read the file is damaged.
    """
    if file.source:
        return read_source(sources, file.source)
    if not file.sidecar.exists():
        return Source()
    try:
        return Source.from_json(file.sidecar.read_text())
    except (OSError, ValueError) as error:
        raise UnreadableFile(
            f"{file.name} cannot be read: its interpretation {file.sidecar.name} is damaged "
            f"({' '.join(str(error).split())})",
            "Deliver it again with `fridge-assets ingest`.",
        ) from error


def stage_files(
    engine: duckdb.DuckDBPyConnection,
    files: Sequence[LandingFile],
    settings: ReadingSettings,
    sources: Path,
) -> tuple[dict[str, str], list[str]]:
    """Put the rows of all readable ``files`` into a new table ``staged``.

    Args:
        engine: holds ``known_devices`` where there is a registry.
        files: what to read.
        settings: cleaning rules.
        sources: the folder of the saved sources.

    Returns:
        Why files were refused, by file name; and warnings about the others.
    """
    create_staged(engine)
    refused: dict[str, str] = {}
    warnings: list[str] = []
    known: dict[str, SourceFile] = {}
    groups: dict[object, list[tuple[SourceFile, LandingFile]]] = defaultdict(list)
    for landed in files:
        try:
            file = probe(engine, landed.path, source_of(landed, sources), landed.name)
        except FridgeError as error:
            refused[landed.name] = str(error)
            continue
        if landed.source:
            known[landed.name] = file
        if file.unknown_columns:
            warnings.append(f"{landed.name}: columns {', '.join(file.unknown_columns)} are unknown and ignored")
        # Files of one shape are read together, except where row numbers come from counting.
        key = (file.theirs, landed.source, file.source.to_json()) if file.format == "parquet" else landed.name
        if file.folder is not None:
            refused |= _stage_group(engine, [(file, landed)], settings)
        else:
            groups[key].append((file, landed))
    for members in groups.values():
        refused |= _stage_group(engine, members, settings)
    unfit = unfit_files(engine, {name: file for name, file in known.items() if name not in refused})
    engine.execute("DELETE FROM staged WHERE source_file IN (SELECT unnest(?::VARCHAR[]))", [list(unfit)])
    return refused | unfit, warnings


def _stage_group(
    engine: duckdb.DuckDBPyConnection,
    members: Sequence[tuple[SourceFile, LandingFile]],
    settings: ReadingSettings,
) -> dict[str, str]:
    received_at = max(landed.modified_at for _, landed in members)
    try:
        stage(engine, [file for file, _ in members], received_at, settings)
    except UnreadableFile as error:
        if len(members) == 1:
            return {members[0][1].name: str(error)}
        # One damaged file must not block the others: find it by reading them one by one.
        refused: dict[str, str] = {}
        for member in members:
            refused |= _stage_group(engine, [member], settings)
        return refused
    return {}
