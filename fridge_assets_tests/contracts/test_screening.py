"""The vectorised pass never takes a frame for one that keeps its contract when Great Expectations says otherwise."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fridge_assets.contracts
from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.expectations import failed_expectations
from fridge_assets.contracts.screening import surely_keeps

CONTRACTS = [value for value in vars(fridge_assets.contracts).values() if isinstance(value, Contract)]
CRATES = Contract(
    "crates",
    "One crate.",
    (
        Column("crate", "text", "crate", nullable=False),
        Column("number", "integer", "number", nullable=False, minimum=0, maximum=3),
        Column("colour", "text", "colour", allowed=("red", "blue")),
        Column("load", "double", "load", minimum=-1, maximum=1),
        Column("opened", "timestamp", "opened"),
        Column("closed", "timestamp", "closed"),
    ),
    key=("crate", "number"),
    ordered=(("opened", "closed"),),
)

_MOMENTS = st.sampled_from([pd.NaT, *pd.date_range("2026-01-01", periods=3, tz="UTC")])
_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", None]),
        st.integers(-1, 4),
        st.sampled_from(["red", "blue", "green", None]),
        st.sampled_from([-1.5, -1.0, 0.0, 1.0, 1.5, np.inf, -np.inf, np.nan]),
        _MOMENTS,
        _MOMENTS,
    ),
    min_size=1,
    max_size=4,
)


def _crates(rows: list[tuple[object, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(CRATES.column_names))
    moments = {name: pd.to_datetime(frame[name], utc=True) for name in ("opened", "closed")}
    return frame.assign(**moments, load=frame["load"].astype(float))


@settings(max_examples=60, deadline=None)
@given(_ROWS)
def test_what_it_lets_pass_great_expectations_lets_pass_too(rows: list[tuple[object, ...]]) -> None:
    frame = _crates(rows)
    if surely_keeps(CRATES, frame):
        assert failed_expectations(CRATES, frame) == []


def _nothing(column: Column) -> object:
    return pd.NaT if column.type == "timestamp" else None


_BREAKS: dict[str, tuple[Callable[[Column], bool], Callable[[Column], object]]] = {
    "null": (lambda column: not column.nullable, _nothing),
    "less than the least": (lambda column: column.minimum is not None, lambda column: (column.minimum or 0) - 1),
    "more than the most": (lambda column: column.maximum is not None, lambda column: (column.maximum or 0) + 1),
    "not allowed": (lambda column: bool(column.allowed), lambda _: "not allowed"),
}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_every_rule_of_every_contract_is_looked_at(contract: Contract) -> None:
    whole = contract.sample(6)
    assert surely_keeps(contract, whole)
    for column in contract.columns:
        for name, (applies, value) in _BREAKS.items():
            if column.holds_lists or not applies(column):
                continue
            broken = whole.astype({column.name: object})
            broken.loc[3, column.name] = value(column)
            assert not surely_keeps(contract, broken), f"{column.name}: {name}"
    assert not surely_keeps(contract, pd.concat([whole, whole.tail(1)], ignore_index=True)), "a key that comes twice"
    for earlier, later in contract.ordered:
        swapped = whole.assign(**{earlier: whole[later], later: whole[earlier]})
        assert not surely_keeps(contract, swapped), f"{later} before {earlier}"


def test_values_that_cannot_be_compared_are_left_to_great_expectations() -> None:
    frame = CRATES.sample(3).astype({"load": object})
    frame.loc[1, "load"] = "heavy"
    assert not surely_keeps(CRATES, frame)
