"""Whether people can look into as many alerts as there are (SPEC 2.2, 6)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.contracts.device_alerts import SEVERITIES
from fridge_assets.models.calibration import tail_probability
from fridge_assets.models.families import RUNS_PER_DAY
from fridge_assets.settings import Settings
from fridge_assets.stores.operations import device_alerts

WEIGHTY = SEVERITIES[SEVERITIES.index("MEDIUM") :]
"""Severities that somebody must look into; LOW is on the dashboard only."""

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class AlertLoad:
    """Alerts of MEDIUM or higher in a day, and how many people can look into.

    Args:
        observed: told within the last 24 hours.
        expected: scores above the mark of MEDIUM in a day, were every device healthy and every model calibrated.
        budget: what the operators can look into.
    """

    observed: int
    expected: float
    budget: int

    @property
    def within(self) -> bool:
        """Whether people can look into all that they were told of, and into what the thresholds alone would cost."""
        return max(self.observed, self.expected) <= self.budget

    @property
    def sentence(self) -> str:
        """The figures, and what to do where there are too many."""
        figures = (
            f"{self.observed:,} alerts of MEDIUM or higher were told in the last 24 hours; the budget is "
            f"{self.budget:,} a day. A calibrated healthy fleet of this size has about {self.expected:,.0f} scores "
            "above the mark of MEDIUM a day, before repeats are suppressed."
        )
        if self.within:
            return figures
        return f"{figures} Raise FRIDGE_ALERTS__OPERATORS, or the medium threshold: alert_quality says which."


def alert_load(connection: Connection, devices: int, now: datetime, settings: Settings) -> AlertLoad:
    """What people were told in the 24 hours before ``now``, beside the budget.

    Args:
        connection: of the operations store.
        devices: active devices.
        now: the clock.
        settings: groups ``alerts`` and ``calibration``.
    """
    columns = device_alerts.c
    statement = sa.select(sa.func.count()).where(
        columns.alert_created_at > now - _DAY,
        columns.alert_created_at <= now,
        columns.severity.in_(WEIGHTY),
        columns.suppressed.is_(sa.false()),
    )
    observed = connection.execute(statement).scalar_one()
    return AlertLoad(observed, expected_load(devices, settings), settings.alerts.daily_budget)


def expected_load(devices: int, settings: Settings) -> float:
    """Active devices × runs a day of all families × probability of a score above the mark of MEDIUM.

    Neither a bound nor a forecast: repeats are not taken off, and MEDIUM by agreement of families, faults and the
    stream are not added. It says what the thresholds alone cost.

    Args:
        devices: active devices.
        settings: groups ``alerts`` and ``calibration``.
    """
    runs = sum(RUNS_PER_DAY.values())
    return devices * runs * tail_probability(settings.alerts.medium_score, settings.calibration)
