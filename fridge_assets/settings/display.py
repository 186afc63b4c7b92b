"""Settings of what people see."""

from pydantic import Field, field_validator

from fridge_assets.core.moments import check_zone
from fridge_assets.settings._group import Group


class DisplaySettings(Group):
    """How people are shown what is stored."""

    timezone: str = Field(
        "", description="IANA name of the zone, such as Europe/Berlin, that moments are shown in; empty: the machine's"
    )

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        return check_zone(name, "FRIDGE_DISPLAY__TIMEZONE")
