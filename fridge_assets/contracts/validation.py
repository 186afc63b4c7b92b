"""Contract validation with Great Expectations: before a commit, never after it (SPEC 4)."""

import os
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from fridge_assets.contracts._contract import Column, Contract
from fridge_assets.errors import FridgeError

SAMPLE_ROWS = 5
"""Offending rows shown per broken rule."""

_VALIDATED_AS_LISTS = ("text_list", "double_list")


@dataclass(frozen=True)
class Violation:
    """One broken rule of a contract.

    Args:
        rule: what should hold, in words.
        columns: columns it is about.
        violating_rows: rows that break it.
        sample: at most ``SAMPLE_ROWS`` of them.
    """

    rule: str
    columns: tuple[str, ...]
    violating_rows: int
    sample: pd.DataFrame


@dataclass(frozen=True)
class ValidationReport:
    """Outcome of checking one frame against one contract."""

    contract: Contract
    rows: int
    violations: tuple[Violation, ...]

    @property
    def passed(self) -> bool:
        """Whether every rule holds."""
        return not self.violations

    def sentence(self) -> str:
        """The outcome as one sentence."""
        if self.passed:
            return f"All {self.rows:,} rows of {self.contract.name} keep their contract"
        rules = "; ".join(f"{v.rule} ({v.violating_rows:,} of {self.rows:,} rows do not)" for v in self.violations)
        return f"{self.contract.name} breaks its contract: {rules}"


class ContractViolation(FridgeError):
    """A frame breaks its dataset's contract; nothing of it was written."""

    def __init__(self, report: ValidationReport) -> None:
        super().__init__(
            report.sentence(),
            "Nothing was written; the sample rows of the failed check show the values to correct.",
        )
        self.report = report


def validate(contract: Contract, frame: pd.DataFrame) -> ValidationReport:
    """Check ``frame`` against ``contract``.

    Args:
        contract: the dataset's contract.
        frame: all columns of the contract; further columns are ignored.

    Returns:
        The report; a missing column is a violation of its own and ends the check.
    """
    missing = [name for name in contract.column_names if name not in frame.columns]
    if missing:
        present = ", ".join(map(str, frame.columns))
        rule = f"columns {', '.join(missing)} must be present; columns are {present}"
        return ValidationReport(contract, len(frame), (Violation(rule, tuple(missing), len(frame), frame.head(0)),))
    if frame.empty:
        return ValidationReport(contract, 0, ())
    positioned = frame[list(contract.column_names)].reset_index(drop=True)
    violations = [
        *_great_expectations_violations(contract, positioned),
        *_list_violations(contract, positioned),
    ]
    return ValidationReport(contract, len(frame), tuple(violations))


def enforce(contract: Contract, frame: pd.DataFrame) -> ValidationReport:
    """Check ``frame`` and raise :class:`ContractViolation` unless it keeps the contract."""
    report = validate(contract, frame)
    if not report.passed:
        raise ContractViolation(report)
    return report


def _great_expectations_violations(contract: Contract, frame: pd.DataFrame) -> list[Violation]:
    gx = _great_expectations()
    suite = gx.ExpectationSuite(name=contract.name, expectations=_expectations(contract))
    batch = _batch_definition().get_batch({"dataframe": _checkable(contract, frame)})
    # Whether all is well takes half as long to find out as which rows are not.
    if batch.validate(suite, result_format={"result_format": "BOOLEAN_ONLY"}).success:
        return []
    result = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    violations = []
    for outcome in result.results:
        if outcome.success:
            continue
        config = outcome.expectation_config
        if "unexpected_index_list" not in outcome.result:
            raise RuntimeError(f"{contract.name}: {config.type} {config.kwargs}: {outcome.exception_info}")
        rows = sorted(outcome.result["unexpected_index_list"])
        violations.append(
            Violation(config.notes, _rule_columns(config.kwargs), len(rows), frame.iloc[rows[:SAMPLE_ROWS]])
        )
    return violations


def _checkable(contract: Contract, frame: pd.DataFrame) -> pd.DataFrame:
    checkable = frame[[c.name for c in contract.columns if c.type not in _VALIDATED_AS_LISTS]]
    # Great Expectations takes the bare values of a column, which pandas warns about where they carry a zone.
    zoned = checkable.select_dtypes("datetimetz")
    return checkable.assign(**{str(name): zoned[name].dt.tz_convert(None) for name in zoned})


def _rule_columns(kwargs: dict[str, Any]) -> tuple[str, ...]:
    if "column" in kwargs:
        return (str(kwargs["column"]),)
    if "column_list" in kwargs:
        return tuple(kwargs["column_list"])
    return (str(kwargs["column_A"]), str(kwargs["column_B"]))


def _expectations(contract: Contract) -> list[Any]:
    gxe = _great_expectations().expectations
    rules: list[Any] = []
    for column in contract.columns:
        if column.type not in _VALIDATED_AS_LISTS:
            rules += _column_expectations(gxe, column)
    key = list(contract.key)
    rules.append(
        gxe.ExpectColumnValuesToBeUnique(column=key[0], notes=f"{key[0]} must be unique")
        if len(key) == 1
        else gxe.ExpectCompoundColumnsToBeUnique(column_list=key, notes=f"{', '.join(key)} must be unique together")
    )
    for earlier, later in contract.ordered:
        rules.append(
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=later, column_B=earlier, notes=f"{later} must be after {earlier}"
            )
        )
    return rules


def _column_expectations(gxe: Any, column: Column) -> list[Any]:
    rules: list[Any] = []
    if not column.nullable:
        rules.append(gxe.ExpectColumnValuesToNotBeNull(column=column.name, notes=f"{column.name} must not be null"))
    if column.minimum is not None or column.maximum is not None:
        lower = "-∞" if column.minimum is None else f"{column.minimum:g}"
        upper = "∞" if column.maximum is None else f"{column.maximum:g}"
        rules.append(
            gxe.ExpectColumnValuesToBeBetween(
                column=column.name,
                min_value=column.minimum,
                max_value=column.maximum,
                notes=f"{column.name} must lie in {lower} … {upper} {column.unit}".rstrip(),
            )
        )
    if column.allowed:
        rules.append(
            gxe.ExpectColumnValuesToBeInSet(
                column=column.name,
                value_set=list(column.allowed),
                notes=f"{column.name} must be one of {', '.join(column.allowed)}",
            )
        )
    return rules


def _list_violations(contract: Contract, frame: pd.DataFrame) -> list[Violation]:
    # Great Expectations has no expectation about the length of list values.
    violations = []
    for column in contract.columns:
        if column.type not in _VALIDATED_AS_LISTS:
            continue
        lengths = frame[column.name].map(len, na_action="ignore")
        wrong = lengths.isna() if not column.nullable else pd.Series(False, index=frame.index)
        rule = f"{column.name} must be a list"
        if column.max_items is not None:
            wrong |= lengths > column.max_items
            rule += f" of at most {column.max_items} items"
        if wrong.any():
            violations.append(Violation(rule, (column.name,), int(wrong.sum()), frame[wrong].head(SAMPLE_ROWS)))
    return violations


@cache
def _great_expectations() -> Any:
    # Imported at first use: it takes seconds, and most commands never validate. It must not phone home.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own imports, which nobody here can mend
        import great_expectations  # noqa: PLC0415

    return great_expectations


@cache
def _batch_definition() -> Any:
    context = _great_expectations().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("frames")
    return source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("whole")


def warm_up() -> None:
    """Import and prepare Great Expectations now, so that a forked process finds it ready."""
    _batch_definition()
