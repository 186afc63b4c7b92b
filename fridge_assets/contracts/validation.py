"""Contract validation with Great Expectations: before a commit, never after it (SPEC 4).

Great Expectations judges every frame of which a vectorised pass cannot say that all is well.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from fridge_assets.contracts._contract import Contract
from fridge_assets.contracts.screening import surely_keeps
from fridge_assets.core.errors import FridgeError

SAMPLE_ROWS = 5
"""Offending rows shown per broken rule."""


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
        *_expectation_violations(contract, positioned),
        *_list_violations(contract, positioned),
    ]
    return ValidationReport(contract, len(frame), tuple(violations))


def enforce(contract: Contract, frame: pd.DataFrame) -> ValidationReport:
    """Check ``frame`` and raise :class:`ContractViolation` unless it keeps the contract."""
    report = validate(contract, frame)
    if not report.passed:
        raise ContractViolation(report)
    return report


def _expectation_violations(contract: Contract, frame: pd.DataFrame) -> list[Violation]:
    if surely_keeps(contract, frame):
        return []
    from fridge_assets.contracts.expectations import failed_expectations  # noqa: PLC0415 (takes seconds to import)

    violations = []
    for outcome in failed_expectations(contract, frame):
        config = outcome.expectation_config
        rows = sorted(outcome.result["unexpected_index_list"])
        violations.append(
            Violation(config.notes, _rule_columns(config.kwargs), len(rows), frame.iloc[rows[:SAMPLE_ROWS]])
        )
    return violations


def _rule_columns(kwargs: dict[str, Any]) -> tuple[str, ...]:
    if "column" in kwargs:
        return (str(kwargs["column"]),)
    if "column_list" in kwargs:
        return tuple(kwargs["column_list"])
    return (str(kwargs["column_A"]), str(kwargs["column_B"]))


def _list_violations(contract: Contract, frame: pd.DataFrame) -> list[Violation]:
    violations = []
    for column in contract.columns:
        if not column.holds_lists:
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
