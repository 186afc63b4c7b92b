"""Silences and maintenance windows as jobs, so that they can be made in the UI: the same as `silences` (SPEC 6)."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from fridge_assets.automation.people import action_job, actor_of, refusals
from fridge_assets.contracts import DEVICE_ALERTS
from fridge_assets.core.moments import parse_moment
from fridge_assets.incidents.silences import Silence, add_silence, end_silence, refuse_unknown
from fridge_assets.registry.devices import read_registry
from fridge_assets.settings import Settings
from fridge_assets.steps.clock import Clock
from fridge_assets.stores.operations import Operations


class SilenceConfig(dg.Config):
    """What is silenced, when and why."""

    device: str = Field("", description="The device; empty for a whole site")
    site: str = Field("", description="The site; empty for one device")
    starts_at: str = Field("", description="When it begins, ISO 8601; empty for now")
    hours: float = Field(2.0, gt=0, description="How long it lasts")
    reason: str = Field(description="Why; the audit shows it")
    kind: str = Field("maintenance", description="maintenance, of which models do not learn either, or silence")
    by: str = Field("", description="Who makes it; empty for the Dagster run")


class EndConfig(dg.Config):
    """Which silence ends."""

    silence: str = Field(description="Silence id, or its beginning")
    by: str = Field("", description="Who ends it; empty for the Dagster run")


@dg.op(
    name="add_silence",
    description="Let a device or a site raise nothing for a while: its alerts are kept for audit.",
)
def _add(
    context: dg.OpExecutionContext,
    config: SilenceConfig,
    settings: dg.ResourceParam[Settings],
    operations: dg.ResourceParam[Operations],
) -> None:
    now = Clock.wall_time()
    with refusals():
        begins = parse_moment(config.starts_at, "starts_at") if config.starts_at else now
        silence = Silence(
            kind=config.kind,
            device_id=config.device or None,
            site_id=config.site or None,
            starts_at=begins,
            ends_at=begins + timedelta(hours=config.hours),
            actor=actor_of(context, config.by),
            reason=config.reason.strip(),
            created_at=now,
        )
        refuse_unknown(silence, read_registry(settings.root))
        with operations.transaction() as connection:
            add_silence(connection, silence, settings.alerts)
    _note(context, silence)


@dg.op(name="end_silence", description="End a silence now; one that has not begun is taken back.")
def _end(context: dg.OpExecutionContext, config: EndConfig, operations: dg.ResourceParam[Operations]) -> None:
    with refusals(), operations.transaction() as connection:
        ended = end_silence(connection, config.silence, actor_of(context, config.by), Clock.wall_time())
    _note(context, ended)


def _note(context: dg.OpExecutionContext, silence: Silence) -> None:
    said = f"{silence.kind} of {silence.scope} by {silence.actor} until {silence.ends_at.isoformat()}: {silence.reason}"
    context.log_event(
        dg.AssetObservation(DEVICE_ALERTS.name, description=said, metadata={"silence": silence.silence_id})
    )


SILENCE_JOBS = (action_job(_add, SilenceConfig), action_job(_end, EndConfig))
