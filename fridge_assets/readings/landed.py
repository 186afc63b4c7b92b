"""Landing files into staged rows: files of one shape together, and a damaged one harms no other."""

from collections import defaultdict
from collections.abc import Sequence

import duckdb

from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.interpretation import Interpretation
from fridge_assets.readings.source import SourceFile, UnreadableFile, probe
from fridge_assets.readings.staging import create_staged, stage
from fridge_assets.settings import ReadingSettings
from fridge_assets.stores.landing import LandingFile


def interpretation_of(file: LandingFile) -> Interpretation:
    """How ``file`` is to be read: its sidecar, or plainly.

    Raises:
        FridgeError: the sidecar is damaged, or names what does not exist.
    """
    if not file.sidecar.exists():
        return Interpretation()
    try:
        return Interpretation.from_json(file.sidecar.read_text())
    except (OSError, ValueError, TypeError) as error:
        raise UnreadableFile(
            f"{file.name} cannot be read: its interpretation {file.sidecar.name} is damaged ({error})",
            "Deliver it again with `fridge-assets ingest`.",
        ) from error


def stage_files(
    engine: duckdb.DuckDBPyConnection,
    files: Sequence[LandingFile],
    settings: ReadingSettings,
) -> tuple[dict[str, str], list[str]]:
    """Put the rows of all readable ``files`` into a new table ``staged``.

    Args:
        engine: holds ``known_devices`` where there is a registry.
        files: what to read.
        settings: cleaning rules.

    Returns:
        Why files were refused, by file name; and warnings about the others.
    """
    create_staged(engine)
    refused: dict[str, str] = {}
    warnings: list[str] = []
    groups: dict[object, list[tuple[SourceFile, LandingFile]]] = defaultdict(list)
    for file in files:
        try:
            source = probe(engine, file.path, interpretation_of(file))
        except FridgeError as error:
            refused[file.name] = str(error)
            continue
        if source.unknown_columns:
            warnings.append(f"{file.name}: columns {', '.join(source.unknown_columns)} are unknown and ignored")
        # Files of one shape are read together, except where row numbers come from counting.
        key = (source.columns, source.interpretation.to_json()) if source.format == "parquet" else file.name
        groups[key].append((source, file))
    for members in groups.values():
        refused |= _stage_group(engine, members, settings)
    return refused, warnings


def _stage_group(
    engine: duckdb.DuckDBPyConnection,
    members: Sequence[tuple[SourceFile, LandingFile]],
    settings: ReadingSettings,
) -> dict[str, str]:
    source = members[0][0]
    received_at = max(file.modified_at for _, file in members)
    try:
        stage(engine, source, [file.path for _, file in members], received_at, settings)
    except UnreadableFile as error:
        if len(members) == 1:
            return {members[0][1].name: str(error)}
        # One damaged file must not block the others: find it by reading them one by one.
        refused: dict[str, str] = {}
        for member in members:
            refused |= _stage_group(engine, [member], settings)
        return refused
    return {}
