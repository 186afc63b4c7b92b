"""The history of decisions in the operations store, appended to and never changed (SPEC 3)."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.core.errors import FridgeError
from fridge_assets.deployment.announce import announcement
from fridge_assets.deployment.state import Decision, Deployment, deployment_of
from fridge_assets.notifications.outbox import enqueue
from fridge_assets.stores.operations import Operations, deployment_decisions

_Decided = TypeVar("_Decided", Decision, Decision | None)


class Deployments:
    """Where the versions of every family stand.

    The history is the only record: what scores is its sum, so that a promotion is one inserted row, takes
    effect for every process at once and cannot be half done.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def of(self, family: str) -> Deployment:
        """What holds now for ``family``."""
        return deployment_of(family, self.history(family))

    def paused(self) -> frozenset[str]:
        """The families that are silenced."""
        history = self.history()
        return frozenset(f for f in {past.family for past in history} if deployment_of(f, history).pause is not None)

    def history(self, family: str | None = None) -> list[Decision]:
        """Decisions about ``family``, or about all families; oldest first within a family."""
        with self._operations.read() as connection:
            return _history(connection, family)

    def decide(self, family: str, rule: Callable[[Deployment, list[Decision]], _Decided], run_id: str = "") -> _Decided:
        """Append what ``rule`` makes of the state and history, both read in the transaction that appends and announces.

        Args:
            family: model family.
            rule: gets what holds now and the history; returns the decision, or None for nothing to decide.
            run_id: the Dagster run that decides; empty for none.

        Raises:
            FridgeError: another process decided at the same moment; nothing was recorded.
        """
        try:
            with self._operations.transaction() as connection:
                history = _history(connection, family)
                state = deployment_of(family, history)
                decision = rule(state, history)
                if decision is not None:
                    row = {**asdict(decision), "regions": list(decision.regions)}
                    connection.execute(deployment_decisions.insert(), row)
                    told = announcement(decision, state.after(decision), run_id)
                    enqueue(connection, told, decision.occurred_at)
        except sa.exc.IntegrityError as error:
            raise FridgeError(
                f"another decision about {family} was taken at the same moment",
                f"Look at `fridge-assets models history {family}` and decide again; nothing was recorded.",
            ) from error
        return decision


def _history(connection: Connection, family: str | None) -> list[Decision]:
    table = deployment_decisions
    wanted = sa.select(table).order_by(table.c.family, table.c.number)
    if family is not None:
        wanted = wanted.where(table.c.family == family)
    rows = connection.execute(wanted).mappings()
    return [Decision(**{**row, "regions": tuple(row["regions"])}) for row in rows]
