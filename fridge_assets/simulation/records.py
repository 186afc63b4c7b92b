"""Records of arrays: the same change to every array in one."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

Record = TypeVar("Record")


def each_array(record: Record, change: Callable[[Any], Any]) -> Record:
    """A copy of a dataclass with ``change`` done to every array in it, also in dictionaries and dataclasses in it."""

    def changed(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return change(value)
        if isinstance(value, dict):
            return {key: changed(part) for key, part in value.items()}
        return each_array(value, change) if is_dataclass(value) else value

    return type(record)(**{field.name: changed(getattr(record, field.name)) for field in fields(record)})  # type: ignore[arg-type]
