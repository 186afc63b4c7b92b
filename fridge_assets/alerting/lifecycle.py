"""What can happen to an alert: from which status, to which (SPEC 6).

Everything that changes an alert goes by this table: people through :mod:`fridge_assets.alerting.actions`, the hourly
runs, the stream and the watch over deadlines.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from fridge_assets.contracts.device_alerts import ACTIVE_STATUSES, ALERT_STATUSES
from fridge_assets.core.errors import FridgeError

_Ways = Mapping[str | None, tuple[str, ...]]


def _from(statuses: Iterable[str], *after: str) -> _Ways:
    return {status: after or (status,) for status in statuses}


_STAYS: Final = _from(ACTIVE_STATUSES)
_CLOSES: Final = _from(ACTIVE_STATUSES, "RESOLVED")

TRANSITIONS: Final[Mapping[str, _Ways]] = {
    # Runs and the stream; a new alert has no status before.
    "detect": {None: ("OPEN",)},
    "continue": {None: ACTIVE_STATUSES},
    "suppress": {None: ("RESOLVED",), **_from(ALERT_STATUSES, "RESOLVED", "FALSE_POSITIVE")},
    "raise": _from(ALERT_STATUSES, "OPEN"),
    "tell": {"RESOLVED": ("OPEN",)},
    "sustain": _STAYS,
    "reopen": {"RESOLVED": ("OPEN",)},
    "supersede": _CLOSES,
    "recover": _CLOSES,
    "withdraw": {**_CLOSES, "RESOLVED": ("RESOLVED",), "FALSE_POSITIVE": ("FALSE_POSITIVE",)},
    # The watch over deadlines.
    "breach": {"OPEN": ("OPEN",)},
    "escalate": _STAYS,
    # People.
    "acknowledge": {"OPEN": ("ACKNOWLEDGED",)},
    "start": _from(("OPEN", "ACKNOWLEDGED"), "IN_PROGRESS"),
    "maintain": {"OPEN": ("ACKNOWLEDGED",), "ACKNOWLEDGED": ("ACKNOWLEDGED",), "IN_PROGRESS": ("IN_PROGRESS",)},
    "resolve": _CLOSES,
    "false_positive": _from((*ACTIVE_STATUSES, "RESOLVED"), "FALSE_POSITIVE"),
    "confirm": _from(("RESOLVED", "FALSE_POSITIVE"), "RESOLVED"),
}
"""Action → status before → statuses that may follow."""


class IllegalTransition(FridgeError):
    """An action that an alert in this status does not allow."""


def check_transition(action: str, before: str | None, after: str) -> None:
    """Refuse what the table does not have.

    Raises:
        IllegalTransition: it names the statuses from which the action is possible.
    """
    if after not in TRANSITIONS[action].get(before, ()):
        raise IllegalTransition(*_refusal(action, before))


def status_after(action: str, before: str) -> str:
    """The status that ``action`` of a person leads to.

    Raises:
        IllegalTransition: it names the statuses from which the action is possible.
    """
    after = TRANSITIONS[action].get(before, ())
    if len(after) != 1:
        raise IllegalTransition(*_refusal(action, before))
    return after[0]


def _refusal(action: str, before: str | None) -> tuple[str, str]:
    possible = [status for status in TRANSITIONS[action] if status is not None]
    said = action.replace("_", " ")
    return (
        f"an alert that is {before or 'new'} cannot take the action '{said}'",
        f"It is possible while an alert is {', '.join(possible)}." if possible else "Only new alerts can.",
    )
