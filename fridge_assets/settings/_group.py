"""What every group of settings is."""

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    """A group of settings; immutable, and unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")
