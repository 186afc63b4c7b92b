"""In which time zone people at a site read a moment."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path

from fridge_assets.core.errors import FridgeError
from fridge_assets.registry.devices import read_registry, registry_version
from fridge_assets.settings import Settings


def zone_of_sites(settings: Settings, sites: Collection[str]) -> str:
    """The time zone that all of ``sites`` have by the registry; that of the display where they have none or several.

    Returns:
        An IANA name; empty for the zone of the machine.
    """
    zones = _zones(settings.root, registry_version(settings.root)) if sites else {}
    found = {zones.get(site) or settings.display.timezone for site in sites}
    return found.pop() if len(found) == 1 else settings.display.timezone


@lru_cache(maxsize=2)
def _zones(data_dir: Path, version: object) -> Mapping[str, str]:  # noqa: ARG001 (it tells a changed file)
    try:
        registry = read_registry(data_dir)
    except FridgeError:
        # Whoever needs the devices says what is wrong with it; people are told of alerts all the same.
        return {}
    if registry is None:
        return {}
    named = registry.dropna(subset="timezone").drop_duplicates("site_id")
    return dict(zip(named["site_id"], named["timezone"], strict=True))
