"""Decisions about versions as jobs, so that they can be taken in the UI: the same as `models` commands (SPEC 3)."""

from collections.abc import Callable

import dagster as dg
from pydantic import Field

from fridge_assets.automation.people import action_job, actor_of, refusals
from fridge_assets.canary.promotion import promote
from fridge_assets.deployment.decide import Request
from fridge_assets.deployment.state import Decision
from fridge_assets.deployment.wording import sentence
from fridge_assets.models.assets import model_name
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.warehouse import Warehouse


class DecisionConfig(dg.Config):
    """What is decided about a family, and why."""

    family: str = Field(description="Model family, such as isolation_forest")
    version: str = Field("", description="Semantic version, such as 1.1.0; only to stage, promote, pin or archive")
    reason: str = Field("", description="Why; the history keeps it")
    regions: list[str] = Field([], description="Promote to these regions only, for now; empty means everywhere")
    override: bool = Field(False, description="Promote although the canary has not passed; needs a reason")


Decide = Callable[[DecisionConfig, ModelLifecycle, Warehouse, Settings, Request], Decision]


def _job(name: str, description: str, decide: Decide) -> dg.JobDefinition:
    """A job of one step that decides and notes it on the family's asset."""

    @dg.op(name=name, description=description)
    def take(
        context: dg.OpExecutionContext,
        config: DecisionConfig,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
        models: dg.ResourceParam[ModelLifecycle],
    ) -> None:
        request = Request(actor_of(context), Clock.wall_time(), config.reason, context.run_id)
        with refusals():
            decision = decide(config, models, warehouse, settings, request)
        said = sentence(decision, models.deployments.of(config.family))
        context.log_event(
            dg.AssetObservation(model_name(config.family), description=said, metadata={"reason": config.reason})
        )

    return action_job(take, DecisionConfig)


DECISION_JOBS = (
    _job(
        "stage_model",
        "Make a version the candidate that the canary compares with the release.",
        lambda c, models, _warehouse, _settings, request: models.stage(c.family, c.version, request),
    ),
    _job(
        "promote_model",
        "Release a version, everywhere or to some regions first, if its canary passed.",
        lambda c, models, warehouse, settings, request: promote(
            models, warehouse, c.family, c.version, request, settings, regions=c.regions, override=c.override
        ),
    ),
    _job(
        "roll_back_model",
        "Take back what was released last: a rollout to some regions, or the release itself.",
        lambda c, models, _warehouse, _settings, request: models.roll_back(c.family, request),
    ),
    _job(
        "pin_model",
        "Let a version that was released before score everywhere until it is unpinned.",
        lambda c, models, _warehouse, _settings, request: models.pin(c.family, c.version, request),
    ),
    _job(
        "unpin_model",
        "Let the release score again.",
        lambda c, models, _warehouse, _settings, request: models.unpin(c.family, request),
    ),
    _job(
        "pause_model",
        "Silence a family: it neither scores nor counts for alerts until it is resumed.",
        lambda c, models, _warehouse, _settings, request: models.pause(c.family, request),
    ),
    _job(
        "resume_model",
        "Let a paused family score again, and accept how its scores are distributed from then on.",
        lambda c, models, _warehouse, _settings, request: models.resume(c.family, request),
    ),
    _job(
        "archive_model",
        "Take a draft or staged version out of consideration.",
        lambda c, models, _warehouse, _settings, request: models.archive(c.family, c.version, request),
    ),
)
