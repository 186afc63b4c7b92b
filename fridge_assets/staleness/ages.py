"""How old what the models said is, read from the data (SPEC 4).

The age comes from the newest good scores of the fleet's latest window: scores that were withheld or refused never got
into the tables, and scores of a window that was too old to be scored when they were made do not count. It is computed
from the warehouse when scores are published and kept in the operations store, where sensors can look without waiting
for whoever writes the warehouse.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fridge_assets.models.families import HOURLY_FAMILIES
from fridge_assets.settings import FeatureSettings, StalenessSettings
from fridge_assets.staleness.tiers import Tier, tier_of
from fridge_assets.stores.operations import score_ages


@dataclass(frozen=True)
class ScoreAge:
    """The newest published scores of a family that are about the whole fleet.

    Args:
        family: model family.
        window_end: the window they are of.
        scored_at: when they were made.
    """

    family: str
    window_end: datetime
    scored_at: datetime


def newest_scores(connection: duckdb.DuckDBPyConnection, now: datetime, settings: FeatureSettings) -> list[ScoreAge]:
    """The newest published scores of each family at ``now``, in order of family.

    Args:
        connection: an open warehouse connection.
        now: later windows do not exist yet.
        settings: how late a window may be scored.
    """
    rows = connection.execute(
        "SELECT family, window_end, max(scored_at) AS scored_at FROM score_runs "
        "WHERE published AND whole_fleet AND window_end <= $now AND scored_at <= window_end + $max_age "
        "GROUP BY family, window_end "
        "QUALIFY row_number() OVER (PARTITION BY family ORDER BY window_end DESC) = 1 ORDER BY family",
        {"now": now, "max_age": settings.max_age},
    ).fetchall()
    return [
        ScoreAge(family, window_end.astimezone(UTC), scored_at.astimezone(UTC))
        for family, window_end, scored_at in rows
    ]


def keep_ages(connection: Connection, ages: Collection[ScoreAge]) -> None:
    """Put ``ages`` in place of what the operations store knew, in the transaction of ``connection``."""
    connection.execute(sa.delete(score_ages))
    if ages:
        connection.execute(score_ages.insert(), [asdict(age) for age in ages])


def kept_ages(connection: Connection) -> list[ScoreAge]:
    """What the last publication found."""
    rows = connection.execute(sa.select(score_ages).order_by(score_ages.c.family)).mappings()
    return [ScoreAge(**row) for row in rows]


def is_current(window_end: datetime, now: datetime, settings: FeatureSettings) -> bool:
    """Whether scores of ``window_end`` that are made ``now`` are about the present, and not those of an old window."""
    return now - window_end <= settings.max_age


def serving_since(ages: Collection[ScoreAge], paused: Collection[str]) -> datetime | None:
    """The moment from which the age of the fleet's scores counts; None when no model speaks.

    Args:
        ages: the newest scores by family.
        paused: families that do not count.
    """
    speaking = (age.scored_at for age in ages if age.family in HOURLY_FAMILIES and age.family not in paused)
    return max(speaking, default=None)


def serving_tier(
    ages: Collection[ScoreAge], paused: Collection[str], now: datetime, settings: StalenessSettings
) -> Tier:
    """Tier of the fleet's scores: of the freshest hourly model that is not paused."""
    return tier_of(serving_since(ages, paused), now, settings)
