"""How assets answer Dagster: contract checks that show the offending rows, failures in a sentence, pictures."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import dagster as dg
import pandas as pd
from dagster._core.definitions.source_asset import (
    SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION as _NO_MATERIALIZATION,  # an output with it gets no event
)

from fridge_assets.contracts import Contract
from fridge_assets.contracts.validation import ContractViolation, ValidationReport, Violation
from fridge_assets.errors import FridgeError
from fridge_assets.settings import Settings
from fridge_assets.stores.disk import full_disk

CONTRACT_CHECK = "contract"
"""Name of the check that says whether a dataset kept its contract."""

ERROR_KIND = "kind of error"
"""Metadata of a failure: the class of the error that we know."""

NOT_TOLD = "told elsewhere"
"""Metadata of a check result that nobody is sent a message about."""

PICTURES = "/pictures"
"""Where the webserver serves the newest pictures of the assets."""

_DATA_URL = "data:image/png;base64,"

AssetEvent = dg.MaterializeResult[Any] | dg.AssetCheckResult
Work = Callable[[], Iterable[AssetEvent]]


def column_schema(contract: Contract) -> dict[str, dg.TableSchema]:
    """Metadata of an asset that stores ``contract``: its columns, as the Dagster catalog shows them."""
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            f"{column.description} ({column.unit})" if column.unit else column.description,
            dg.TableColumnConstraints(nullable=column.nullable, unique=contract.key == (column.name,)),
        )
        for column in contract.columns
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def contract_check_spec(contract: Contract, asset: str | None = None) -> dg.AssetCheckSpec:
    """The check that an asset storing ``contract`` carries.

    Args:
        contract: what its rows must keep.
        asset: asset key when it differs from the contract's name.
    """
    return dg.AssetCheckSpec(
        CONTRACT_CHECK,
        asset=asset or contract.name,
        description=f"Great Expectations validates {contract.name} before it is committed.",
    )


def contract_kept(rows: int, asset: str) -> dg.AssetCheckResult:
    """The check result for ``rows`` validated rows."""
    return dg.AssetCheckResult(passed=True, asset_key=asset, check_name=CONTRACT_CHECK, metadata={"rows": rows})


def guarded(work: Work, assets: Mapping[str, str]) -> Iterator[AssetEvent]:
    """The events of ``work``; what goes wrong for a reason we know fails the step with a sentence, not a traceback.

    Args:
        work: does the work and returns the events of a step.
        assets: contract name → asset key, of the datasets that the step writes.

    Raises:
        dagster.Failure: after the failing contract check, with its sample rows, was reported.
    """
    try:
        yield from work()
    except ContractViolation as error:
        report = error.report
        # An input that breaks its contract keeps everything from being written that is made of it.
        own = assets.get(report.contract.name)
        yield from (_violated(report, asset) for asset in ([own] if own else assets.values()))
        raise _failure(error) from error
    except FridgeError as error:
        raise _failure(error) from error
    except Exception as error:
        full = full_disk(error, Settings().root)  # the folder of this process, where the error does not name it
        if full is None:
            raise
        raise _failure(full) from error


def _failure(error: FridgeError) -> dg.Failure:
    return dg.Failure(str(error), metadata={ERROR_KIND: type(error).__name__}, allow_retries=False)


def observed(context: dg.AssetExecutionContext, result: dg.MaterializeResult[Any]) -> dg.MaterializeResult[Any]:
    """``result`` of a step that ran and made nothing new, as an observation.

    Freshness is the age of the newest materialization, so one that only says "still the same" would make old data look
    fresh. Unlike a step without any output, this one does not keep the steps after it from running.

    Args:
        context: of the step.
        result: what would have been a materialization.
    """
    context.log_event(dg.AssetObservation(result.asset_key or context.asset_key, metadata=result.metadata))
    return dg.MaterializeResult(
        asset_key=result.asset_key,
        metadata={**(result.metadata or {}), _NO_MATERIALIZATION: True},
        check_results=result.check_results,
    )


def picture(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    """A PNG that the Dagster UI shows as a picture."""
    return dg.MetadataValue.md(f"![{title}]({_DATA_URL}{base64.b64encode(png).decode()})")


def with_pictures(description: str, asset: str, *titles: str) -> str:
    """``description`` of an asset with its newest pictures, where people look first.

    Args:
        description: what the asset is.
        asset: its key.
        titles: names in its metadata, each of a :func:`picture`; see ``running.pictures``, which serves them.
    """
    shown = [f"![{title}]({PICTURES}/{quote(asset)}/{quote(title)})" for title in titles]
    return "\n\n".join([description, *shown])


def png_of(shown: dg.MarkdownMetadataValue) -> bytes | None:
    """The PNG of a :func:`picture`; None for other Markdown."""
    _, found, encoded = (shown.value or "").partition(_DATA_URL)
    return base64.b64decode(encoded.removesuffix(")")) if found else None


def table(frame: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """A frame as a table in the Dagster UI."""
    return dg.MetadataValue.md(markdown_table(frame))


def markdown_table(frame: pd.DataFrame) -> str:
    """``frame`` as a Markdown table, without its index."""
    if frame.empty:
        return "none"
    rows = [list(map(str, frame.columns)), ["---"] * frame.shape[1]]
    rows += [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def counts_table(counts: Mapping[Any, int], what: str) -> dg.MarkdownMetadataValue:
    """Counts by name as a table, largest first."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return table(pd.DataFrame(ordered, columns=[what, "count"]))


def _violated(report: ValidationReport, asset: str) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=False,
        asset_key=asset,
        check_name=CONTRACT_CHECK,
        description=report.sentence(),
        metadata={
            "rows": report.rows,
            "broken rules": len(report.violations),
            "sample rows": dg.MetadataValue.md("\n\n".join(map(_sample, report.violations))),
        },
    )


def _cell(value: object) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _sample(violation: Violation) -> str:
    return f"**{violation.rule}**: {violation.violating_rows:,} rows\n\n{markdown_table(violation.sample)}"
