"""Frames of alerts in the types of their contracts."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from fridge_assets.contracts import Contract

TIMESTAMP: Final = "datetime64[us, UTC]"
"""The pandas type of every timestamp column."""


def look_up(keys: pd.Series, values: pd.Series) -> pd.Series:
    """For each of ``keys`` its value in ``values`` by index, null where there is none; the type is kept.

    Unlike ``Series.map`` it also works when ``values`` has no rows at all.
    """
    return values.reindex(keys).set_axis(keys.index)


def conform(frames: Sequence[pd.DataFrame], contract: Contract) -> pd.DataFrame:
    """The rows of ``frames`` in the columns and types of ``contract``; other columns are left behind.

    Raises:
        KeyError: a frame with rows lacks a column.
        pyarrow.ArrowInvalid: a value does not fit its column's type.
    """
    filled = [contract.to_arrow(frame).to_pandas() for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else contract.empty()
