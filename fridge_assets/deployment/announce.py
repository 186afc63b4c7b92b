"""What the ML channel is told about decisions that change which model speaks (SPEC 3, 4)."""

from fridge_assets.deployment.state import Action, Decision, Deployment
from fridge_assets.deployment.wording import sentence
from fridge_assets.notifications.message import Message

_TOLD: dict[Action, str] = {
    "promote": "released",
    "roll_back": "rolled back",
    "pin": "pinned",
    "unpin": "unpinned",
    "pause": "paused",
    "resume": "resumed",
}


def announcement(decision: Decision, state: Deployment, run_id: str) -> list[Message]:
    """The message about ``decision``; none where nothing changes for the scores.

    Args:
        decision: what was decided.
        state: what holds after it.
        run_id: the Dagster run that decided; empty for none.
    """
    if decision.action not in _TOLD:
        return []
    by = f"By {decision.actor}" + (f": {decision.reason}" if decision.reason else "")
    overruled = [f"Overruled: {decision.overridden}"] if decision.overridden else []
    return [
        Message(
            key=f"decision/{decision.family}/{decision.number}",
            channel="ml",
            kind="recovery" if decision.action == "resume" else "model",
            title=f"{decision.family} {_TOLD[decision.action]}",
            lines=(sentence(decision, state), by, *overruled),
            occurred_at=decision.occurred_at,
            run_id=run_id,
            # What pausing a family has opened, resuming it ends.
            dedup_key=f"paused/{decision.family}" if decision.action in ("pause", "resume") else "",
        )
    ]
