"""Foreign files into landing, after a look at what they hold (SPEC 9, `ingest`)."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fridge_assets.core.errors import FridgeError
from fridge_assets.readings.look import Look, look_at
from fridge_assets.readings.ranges import BUILT_IN_TABLES, RangeTables
from fridge_assets.settings import ReadingSettings
from fridge_assets.sources.judgement import options_of
from fridge_assets.sources.source import Source
from fridge_assets.stores.disk import require_space
from fridge_assets.stores.landing import Landing
from fridge_assets.stores.warehouse import Warehouse


@dataclass(frozen=True)
class DeliveryReport(Look):
    """What a delivered file holds.

    Args:
        delivered_as: where it lies in landing.
        again: it lay there already, from an earlier delivery, and nothing was changed.
    """

    delivered_as: Path
    again: bool


def deliver(
    file: Path,
    source: Source,
    landing: Landing,
    warehouse: Warehouse,
    registry: pd.DataFrame | None,
    settings: ReadingSettings,
    *,
    tables: RangeTables = BUILT_IN_TABLES,
    as_is: bool = False,
) -> DeliveryReport:
    """Copy ``file`` into landing with how it is read, after reading it the way ingestion will.

    A file is known by what is in it and how that is to be read: delivered again, also after a delivery that was killed
    and under another name, it stays the file that it is.

    Args:
        file: in a format that the source or its name says.
        source: how it is to be read.
        landing: where it goes.
        warehouse: gives the engine to read with.
        registry: DEVICE_REGISTRY rows; None when every device counts as known.
        settings: cleaning rules.
        tables: ranges of the sensors.
        as_is: deliver values also that fit another unit than the given one.

    Raises:
        FridgeError: the file does not exist, cannot be read, is encoded otherwise, holds not one usable row, or values
            that fit another unit; landing stays as it was.
    """
    look = look_at(file, source, warehouse, registry, settings, tables=tables)
    if look.misfits and not as_is:
        raise FridgeError(
            f"{file.name}: {'; '.join(str(misfit) for misfit in look.misfits)}. Nothing was delivered",
            f"Say the unit, as with {options_of(look.misfits)} (in a source: under units), "
            "or take the values as they are with --as-is.",
        )
    sidecar = None if source.is_plain else source.to_json()
    before = landing.find(file, sidecar)
    if before is None:
        require_space(landing.folder, file.stat().st_size, f"a delivery of {file.name}")
    delivered = before or landing.deliver(file, sidecar)
    return DeliveryReport(**vars(look), delivered_as=delivered, again=before is not None)
