"""How assets answer Dagster: checks that show the offending rows or say why they were not made, failures, pictures."""

import base64
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache, update_wrapper
from pathlib import Path
from typing import Any, Concatenate, ParamSpec
from urllib.parse import quote

import dagster as dg
import pandas as pd

from fridge_assets.contracts import Contract
from fridge_assets.contracts.lineage import LINEAGE, Lineage
from fridge_assets.contracts.validation import ContractViolation, ValidationReport, Violation
from fridge_assets.core.errors import FridgeError
from fridge_assets.core.markdown import cell
from fridge_assets.settings import Settings
from fridge_assets.steps.dagster_internals import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from fridge_assets.steps.skipped_checks import keep_assets, skip_checks, skip_downstream
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

_NOT_MADE = "not made"
"""Metadata of a check result that stands for a check that nobody made."""

_PACKAGE = Path(__file__).parents[1]
_VERSION_DIGITS = 12
_SHARED = "core"
"""The room whose sums and ids every asset uses."""

AssetEvent = dg.MaterializeResult[Any] | dg.AssetCheckResult
P = ParamSpec("P")
Step = Callable[Concatenate[dg.AssetExecutionContext, P], Iterator[AssetEvent]]


def dataset_metadata(contract: Contract, lineage: Lineage | None = None) -> dict[str, Any]:
    """Metadata of an asset that stores ``contract``: its columns, and the columns that each is computed from.

    Args:
        contract: what is stored.
        lineage: sources of its columns, where they are not those of the dataset of the contract's name.
    """
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            f"{column.description} ({column.unit})" if column.unit else column.description,
            dg.TableColumnConstraints(nullable=column.nullable, unique=contract.key == (column.name,)),
        )
        for column in contract.columns
    ]
    sources = {
        column: [dg.TableColumnDep(dg.AssetKey(dataset), name) for dataset, name in computed_from]
        for column, computed_from in (LINEAGE.get(contract.name, {}) if lineage is None else lineage).items()
    }
    schema = {"dagster/column_schema": dg.TableSchema(columns)}
    return schema | ({"dagster/column_lineage": dg.TableColumnLineage(sources)} if sources else {})


@cache
def code_version(*rooms: str) -> str:
    """Version of the code of an asset: a hash of the sources of its ``rooms`` and of ``core``, folders of this package.

    The Dagster UI marks assets that another version of their code has made.
    """
    digest = hashlib.sha256()
    for room in (*rooms, _SHARED):
        sources = sorted((_PACKAGE / room).rglob("*.py"))
        if not sources:
            raise FileNotFoundError(f"{_PACKAGE / room} has no sources that could make an asset")
        for source in sources:
            digest.update(source.read_bytes())
    return digest.hexdigest()[:_VERSION_DIGITS]


def dataset_specs(*contracts: Contract, **shared: Any) -> list[dg.AssetSpec]:
    """The assets of a step that stores several datasets.

    Args:
        contracts: what is stored, each in the asset of its name.
        shared: what else :class:`dagster.AssetSpec` takes, the same for all.
    """
    return [
        dg.AssetSpec(contract.name, description=contract.description, metadata=dataset_metadata(contract), **shared)
        for contract in contracts
    ]


def contract_check_spec(contract: Contract, asset: str | None = None) -> dg.AssetCheckSpec:
    """The check that an asset storing ``contract`` carries.

    Args:
        contract: what its rows must keep.
        asset: asset key when it differs from the contract's name.
    """
    return dg.AssetCheckSpec(
        CONTRACT_CHECK,
        asset=asset or contract.name,
        description=f"Every row of {contract.name} is held against its contract before it is committed.",
    )


def contract_kept(rows: int, asset: str) -> dg.AssetCheckResult:
    """The check result for ``rows`` validated rows."""
    return dg.AssetCheckResult(passed=True, asset_key=asset, check_name=CONTRACT_CHECK, metadata={"rows": rows})


def not_made(asset: str, check: str, why: str) -> dg.AssetCheckResult:
    """The result of a check that nobody made: neither passed nor failed, which Dagster has no other way to say."""
    return dg.AssetCheckResult(
        passed=False,
        asset_key=asset,
        check_name=check,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"not made: {why}",
        metadata={_NOT_MADE: True, NOT_TOLD: True},
    )


def guarded(contracts: Mapping[str, str]) -> Callable[[Step[P]], Step[P]]:
    """Decorator of a step: what goes wrong for a reason we know fails it with a sentence, not a traceback.

    Whatever goes wrong, the checks that were not made for it are shown as skipped, and so is what needs this step.

    Args:
        contracts: contract name → asset key, of the datasets that the step writes.

    Raises:
        dagster.Failure: after the failing contract check, with its sample rows, was reported.
    """

    def decorate(step: Step[P]) -> Step[P]:
        def answering(context: dg.AssetExecutionContext, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[AssetEvent]:
            checks: dict[dg.AssetCheckKey, bool] = {}  # whether it was made
            try:
                for event in step(context, *args, **kwargs):
                    checks |= _checks_of(event)
                    yield event
            except Exception as error:
                # A full disk is said in a sentence, with the folder of this process where the error names no place.
                known = error if isinstance(error, FridgeError) else full_disk(error, Settings().root)
                for result in _unanswered(known or error, contracts, context.selected_asset_check_keys - checks.keys()):
                    checks |= _checks_of(result)
                    yield result
                skip_downstream(context)
                if known is not None:
                    raise _failure(known) from error
                raise
            finally:
                skip_checks(context.instance, context.run.run_id, [key for key, made in checks.items() if not made])

        update_wrapper(answering, step)  # Dagster reads the signature of the step
        return answering

    return decorate


def _checks_of(event: AssetEvent) -> dict[dg.AssetCheckKey, bool]:
    """The checks that ``event`` answers, and whether they were made."""
    results = [event] if isinstance(event, dg.AssetCheckResult) else event.check_results or []
    named = [(result.asset_key or event.asset_key, result.check_name, result) for result in results]
    return {
        dg.AssetCheckKey(asset, check): _NOT_MADE not in (result.metadata or {})
        for asset, check, result in named
        if asset is not None and check is not None
    }


def _unanswered(
    error: Exception, contracts: Mapping[str, str], checks: Collection[dg.AssetCheckKey]
) -> Iterator[dg.AssetCheckResult]:
    """What is said of the ``checks`` of a step that ``error`` has ended."""
    violated: set[str] = set()
    if isinstance(error, ContractViolation):
        # An input that breaks its contract keeps everything from being written that is made of it.
        own = contracts.get(error.report.contract.name)
        violated = {own} if own else set(contracts.values())
    for key in sorted(checks, key=lambda key: (key.asset_key, key.name)):
        asset = key.asset_key.to_user_string()
        if isinstance(error, ContractViolation) and key.name == CONTRACT_CHECK and asset in violated:
            yield _violated(error.report, asset)
        else:
            yield not_made(asset, key.name, str(error))


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
    asset = dg.AssetKey.from_coercible(result.asset_key or context.asset_key)
    context.log_event(dg.AssetObservation(asset, metadata=result.metadata))
    keep_assets(context.instance, context.run.run_id, [asset])
    return dg.MaterializeResult(
        asset_key=result.asset_key,
        metadata={**(result.metadata or {}), SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True},
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
    return f"{value:.3g}" if isinstance(value, float) else cell(str(value))


def _sample(violation: Violation) -> str:
    return f"**{violation.rule}**: {violation.violating_rows:,} rows\n\n{markdown_table(violation.sample)}"
