"""Jobs that people start: in the UI they stand together, and ask for what a person decides and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from fridge_assets.core.errors import FridgeError
from fridge_assets.running.executors import one_process

PEOPLE = {"fridge/started_by": "people"}
"""Tag of the runs of these jobs."""

PIPELINE = {"fridge/started_by": "pipeline"}
"""Tag of the runs of all other jobs, whoever starts one of them by hand."""

_PREFIX = "action_"  # the UI sorts jobs by their names


def actor_of(context: dg.OpExecutionContext, by: str = "") -> str:
    """Who acts: the one that is named, or the Dagster run."""
    return by or f"Dagster run {context.run_id[:8]}"


@contextmanager
def refusals() -> Iterator[None]:
    """What is refused fails the step with a sentence, not a traceback.

    Raises:
        dagster.Failure: for a FridgeError.
    """
    try:
        yield
    except FridgeError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def action_job(take: dg.OpDefinition, config: type[dg.Config]) -> dg.JobDefinition:
    """A job of one step; its run config is that of the step.

    Args:
        take: the step, whose name and description are those of the action.
        config: what the step asks for.
    """

    def config_of_step(values: dict[str, Any]) -> dict[str, Any]:
        return {"ops": {take.name: {"config": values}}}

    @dg.job(
        name=f"{_PREFIX}{take.name}",
        description=take.description,
        config=dg.ConfigMapping(config_fn=config_of_step, config_schema=config.to_fields_dict()),
        executor_def=one_process,
        tags=PEOPLE,
    )
    def job() -> None:
        take()

    return job
