"""A contract's rules as Great Expectations' expectations.

Importing this module takes seconds, since Great Expectations does: only a frame that may break its contract needs it.
"""

import os
import warnings
from abc import ABC
from functools import cache
from typing import Any

import pandas as pd

from fridge_assets.contracts._contract import Column, Contract

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # it must not phone home
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its own imports, which nobody here can mend
    import great_expectations as gx
    from great_expectations.compatibility import pydantic
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration


class _OneConfiguration(Expectation, ABC):
    """Builds an expectation's configuration once; Great Expectations 1.24 builds each some ninety times a validation.

    That is half of the time that a validation of a few thousand rows takes.
    """

    _built: ExpectationConfiguration | None = pydantic.PrivateAttr(None)

    @property
    def configuration(self) -> ExpectationConfiguration:
        if self._built is None:
            self._built = super().configuration
        return self._built


class ExpectPresent(_OneConfiguration, gx.expectations.ExpectColumnValuesToNotBeNull):
    """No value of the column is null."""


class ExpectWithin(_OneConfiguration, gx.expectations.ExpectColumnValuesToBeBetween):
    """The column's values lie in the contract's range."""


class ExpectAllowed(_OneConfiguration, gx.expectations.ExpectColumnValuesToBeInSet):
    """The column's values are among those that the contract allows."""


class ExpectUnique(_OneConfiguration, gx.expectations.ExpectColumnValuesToBeUnique):
    """The key's values are unique."""


class ExpectUniqueTogether(_OneConfiguration, gx.expectations.ExpectCompoundColumnsToBeUnique):
    """The key's columns are unique together."""


class ExpectInOrder(_OneConfiguration, gx.expectations.ExpectColumnPairValuesAToBeGreaterThanB):
    """One moment is after the other."""


@cache
def batch_definition() -> Any:
    """Takes whole pandas frames, in a context that leaves nothing on disk."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("frames")
    return source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("whole")


def failed_expectations(contract: Contract, frame: pd.DataFrame) -> list[Any]:
    """Results of the expectations that ``frame`` does not meet, with the positions of all offending rows.

    Raises:
        RuntimeError: an expectation could not be evaluated.
    """
    suite = gx.ExpectationSuite(name=contract.name, expectations=contract_expectations(contract))
    batch = batch_definition().get_batch({"dataframe": _checkable(contract, frame)})
    # Whether all is well takes half as long to find out as which rows are not.
    if batch.validate(suite, result_format={"result_format": "BOOLEAN_ONLY"}).success:
        return []
    result = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    failed = [outcome for outcome in result.results if not outcome.success]
    for outcome in failed:
        if "unexpected_index_list" not in outcome.result:
            config = outcome.expectation_config
            raise RuntimeError(f"{contract.name}: {config.type} {config.kwargs}: {outcome.exception_info}")
    return failed


def contract_expectations(contract: Contract) -> list[Any]:
    """Every rule of ``contract`` but those about list values, each with its sentence as a note."""
    rules: list[Any] = []
    for column in contract.columns:
        if not column.holds_lists:
            rules += _column_expectations(column)
    key = list(contract.key)
    rules.append(
        ExpectUnique(column=key[0], notes=f"{key[0]} must be unique")
        if len(key) == 1
        else ExpectUniqueTogether(column_list=key, notes=f"{', '.join(key)} must be unique together")
    )
    for earlier, later in contract.ordered:
        rules.append(ExpectInOrder(column_A=later, column_B=earlier, notes=f"{later} must be after {earlier}"))
    return rules


def _column_expectations(column: Column) -> list[Any]:
    rules: list[Any] = []
    if not column.nullable:
        rules.append(ExpectPresent(column=column.name, notes=f"{column.name} must not be null"))
    if column.minimum is not None or column.maximum is not None:
        lower = "-∞" if column.minimum is None else f"{column.minimum:g}"
        upper = "∞" if column.maximum is None else f"{column.maximum:g}"
        rules.append(
            ExpectWithin(
                column=column.name,
                min_value=column.minimum,
                max_value=column.maximum,
                notes=f"{column.name} must lie in {lower} … {upper} {column.unit}".rstrip(),
            )
        )
    if column.allowed:
        rules.append(
            ExpectAllowed(
                column=column.name,
                value_set=list(column.allowed),
                notes=f"{column.name} must be one of {', '.join(column.allowed)}",
            )
        )
    return rules


def _checkable(contract: Contract, frame: pd.DataFrame) -> pd.DataFrame:
    checkable = frame[[c.name for c in contract.columns if not c.holds_lists]]
    # Great Expectations takes the bare values of a column, which pandas warns about where they carry a zone.
    zoned = checkable.select_dtypes("datetimetz")
    return checkable.assign(**{str(name): zoned[name].dt.tz_convert(None) for name in zoned})
