"""The time zone of a site: by the registry, else that of the display."""

from pathlib import Path

import pytest

from fridge_assets.core.errors import FridgeError
from fridge_assets.registry.devices import read_registry
from fridge_assets.registry.zones import zone_of_sites
from fridge_assets.settings import DisplaySettings, Settings


def write(settings: Settings, *rows: str) -> None:
    settings.root.mkdir(exist_ok=True, parents=True)
    (settings.root / "device_registry.csv").write_text("\n".join(("device_id,site_id,timezone", *rows)) + "\n")


@pytest.fixture
def shown(settings: Settings) -> Settings:
    return settings.model_copy(update={"display": DisplaySettings(timezone="America/New_York")})


def test_a_site_has_the_zone_of_its_devices_and_others_that_of_the_display(shown: Settings) -> None:
    assert zone_of_sites(shown, {"s1"}) == "America/New_York", "there is no registry"
    write(shown, "d1,s1,Europe/Berlin", "d2,s1,", "d3,s2,Asia/Kolkata", "d4,s3,")
    assert zone_of_sites(shown, {"s1"}) == "Europe/Berlin"
    assert zone_of_sites(shown, {"s3"}) == zone_of_sites(shown, set()) == "America/New_York"
    assert zone_of_sites(shown, {"s1", "s2"}) == "America/New_York"
    write(shown, "d1,s1,Asia/Tokyo")
    assert zone_of_sites(shown, {"s1"}) == "Asia/Tokyo", "a changed registry is read again"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("d1,s1,Europe/Berlln",), "timezone of site s1 is 'Europe/Berlln', not a time zone. Give an IANA name"),
        (("d1,s1,Europe/Berlin", "d2,s1,Asia/Tokyo"), "gives site s1 the time zones Asia/Tokyo and Europe/Berlin"),
    ],
)
def test_a_zone_that_cannot_be_meant_is_refused_and_messages_are_sent_all_the_same(
    shown: Settings, rows: tuple[str, ...], said: str
) -> None:
    write(shown, *rows)
    with pytest.raises(FridgeError, match=said.replace(".", r"\.")):
        read_registry(Path(shown.root))
    assert zone_of_sites(shown, {"s1"}) == "America/New_York"
