"""A broken contract names the rule, counts the rows and shows some of them."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.contracts.validation import ContractViolation, enforce, validate

LONG_AGO = pd.Timestamp("2000-01-01T00:00Z")
SHELVES = Contract(
    name="shelves",
    description="One shelf.",
    columns=(
        Column("shelf", "text", "shelf", nullable=False),
        Column("colour", "text", "colour", allowed=("red", "blue")),
        Column("load", "double", "load", "kg", nullable=False, minimum=0, maximum=50),
        Column("height", "integer", "height", minimum=1),
        Column("slope", "double", "slope", maximum=0.5),
        Column("opened", "timestamp", "opened", nullable=False),
        Column("closed", "timestamp", "closed", nullable=False),
        Column("tags", "text_list", "tags", nullable=False, max_items=2),
        Column("weights", "double_list", "weights"),
    ),
    key=("shelf",),
    ordered=(("opened", "closed"),),
)
PAIRED = Contract(
    "pairs",
    "One pair.",
    (Column("left", "text", "left", nullable=False), Column("right", "integer", "right", nullable=False)),
    key=("left", "right"),
)

Change = Callable[[pd.DataFrame], object]


def put(column: str, *values: object) -> Change:
    """A change that writes ``values`` into the first rows of ``column``."""

    def change(frame: pd.DataFrame) -> None:
        frame[column] = [*values, *frame[column].tolist()[len(values) :]]

    return change


@pytest.mark.parametrize(
    ("change", "rule", "columns", "rows"),
    [
        (put("shelf", None), "shelf must not be null", ("shelf",), 1),
        (put("load", np.nan, np.nan), "load must not be null", ("load",), 2),
        (put("load", -0.1, 50.1, 0.0, 50.0), "load must lie in 0 … 50 kg", ("load",), 2),
        (put("load", np.inf), "load must lie in 0 … 50 kg", ("load",), 1),
        (put("height", 0), "height must lie in 1 … ∞", ("height",), 1),
        (put("slope", 0.6), "slope must lie in -∞ … 0.5", ("slope",), 1),
        (put("colour", "green", None, "red"), "colour must be one of red, blue", ("colour",), 1),
        (put("shelf", "a", "b", "a"), "shelf must be unique", ("shelf",), 2),
        (put("closed", *[LONG_AGO] * 3), "closed must be after opened", ("closed", "opened"), 3),
        (put("tags", ["x", "y", "z"], ["x", "y"]), "tags must be a list of at most 2 items", ("tags",), 1),
        (put("tags", None), "tags must be a list of at most 2 items", ("tags",), 1),
    ],
    ids=["null", "NaN", "range", "infinity", "least", "most", "allowed", "unique", "order", "length", "no list"],
)  # fmt: skip
def test_each_kind_of_violation_is_found_with_its_rows(
    change: Change, rule: str, columns: tuple[str, ...], rows: int
) -> None:
    frame = SHELVES.sample(8)
    change(frame)
    report = validate(SHELVES, frame)
    assert [(v.rule, v.columns, v.violating_rows) for v in report.violations] == [(rule, columns, rows)]
    sample = report.violations[0].sample
    assert sample.index.tolist() == list(range(8))[:: 2 if rule.endswith("unique") else 1][: len(sample)]
    assert len(sample) == rows
    assert not report.passed
    assert report.sentence() == f"shelves breaks its contract: {rule} ({rows} of 8 rows do not)"


def test_window_that_ends_when_it_starts_is_not_after_it() -> None:
    frame = SHELVES.sample(2)
    frame["closed"] = frame["opened"]
    assert [v.rule for v in validate(SHELVES, frame).violations] == ["closed must be after opened"]


def test_nullable_columns_may_be_null() -> None:
    frame = SHELVES.sample(3).assign(colour=None, weights=None)
    frame["height"] = pd.array([None, 1, 2], dtype="Int64")
    assert validate(SHELVES, frame).passed


def test_key_of_several_columns_is_unique_only_together() -> None:
    frame = pd.DataFrame({"left": ["a", "a", "b", "a"], "right": [1, 2, 1, 2]})
    violation = validate(PAIRED, frame).violations[0]
    assert (violation.rule, violation.columns) == ("left, right must be unique together", ("left", "right"))
    assert violation.sample.index.tolist() == [1, 3]
    assert validate(PAIRED, frame.head(3)).passed


def test_all_broken_rules_are_reported_in_one_sentence() -> None:
    frame = SHELVES.sample(4).assign(load=-1.0, colour="green")
    sentence = validate(SHELVES, frame).sentence()
    assert "load must lie in 0 … 50 kg (4 of 4 rows do not)" in sentence
    assert "colour must be one of red, blue (4 of 4 rows do not)" in sentence


def test_at_most_five_rows_are_shown_and_all_are_counted() -> None:
    violation = validate(SHELVES, SHELVES.sample(2000).assign(load=99.0)).violations[0]
    assert (violation.violating_rows, len(violation.sample)) == (2000, 5)
    assert violation.sample["load"].tolist() == [99.0] * 5


def test_sample_rows_are_found_by_position_whatever_the_index() -> None:
    frame = SHELVES.sample(4)
    frame.loc[2, "load"] = 99.0
    frame.index = pd.Index([7, 7, 7, 7])
    assert validate(SHELVES, frame).violations[0].sample["shelf"].tolist() == ["shelf-000002"]


def test_missing_column_is_named_beside_the_columns_that_are_there() -> None:
    report = validate(SHELVES, SHELVES.sample(2)[["shelf", "colour"]])
    assert not report.passed
    assert "columns load, height, slope, opened, closed, tags, weights must be present" in report.sentence()
    assert "columns are shelf, colour" in report.sentence()


def test_further_columns_are_ignored_and_no_rows_keep_any_contract() -> None:
    assert validate(SHELVES, SHELVES.sample(2).assign(extra="?")).passed
    assert validate(SHELVES, SHELVES.empty()).passed


def test_enforcing_raises_with_the_report_and_says_that_nothing_was_written() -> None:
    assert enforce(SHELVES, SHELVES.sample(2)).passed
    with pytest.raises(ContractViolation, match=r"load must lie in 0 … 50 kg.*Nothing was written") as caught:
        enforce(SHELVES, SHELVES.sample(2).assign(load=-1.0))
    assert caught.value.report.contract is SHELVES
