"""What is much and little for a device since yesterday, and which windows their aggregates alone tell all of.

In most windows nothing changes: the compressor runs from the first reading to the last, or stands, and no coil thaws.
Only the readings of the others are looked at one by one.
"""

from fridge_assets.core.exact_sums import READING_PARTS, parts_sql
from fridge_assets.settings import OperatingSettings

HUNDREDTHS = 100
"""Shares and ratios of readings are compared in whole numbers of these."""

_DAY_SECONDS = 86_400


def judged_sql(settings: OperatingSettings) -> str:
    """SELECT of each row of ``base`` with its device's levels and whether its aggregates say it all.

    The engine holds ``base`` and ``earlier`` as :func:`fridge_assets.features.operating.operating_sql` says.
    Gives ``number`` (its row of ``base``), its key, what :mod:`fridge_assets.features.operating` needs of its
    aggregates, MEMORY's levels, ``runs_from`` (current) and ``melts_from`` (coil), all in parts, ``defrost_told`` (by a
    sensor), ``steady`` and ``runs`` (the compressor of a steady window).

    Args:
        settings: what counts as running and as a defrost.
    """
    coil_max, current_max = parts_sql("temp_evaporator_max"), parts_sql("current_compressor_max")
    return f"""
WITH {_levels_sql(settings)}
SELECT number, device_id, window_start, window_end, observed, temp_evaporator_slope,
  {coil_max} AS coil_max, coil_min, runs_from, melts_from,
  current_max_today, current_max_yesterday, coil_min_today, coil_min_yesterday,
  signals_defrost AND defrost_active_fraction IS NOT NULL AS defrost_told, current_least >= runs_from AS runs,
  coalesce(
    current_readings = reading_count
    AND (current_least >= runs_from OR {current_max} < runs_from)
    AND coalesce(CASE WHEN signals_defrost THEN defrost_active_fraction = 0 END, {coil_max} < melts_from
      OR temp_evaporator_max IS NULL OR current_least >= runs_from),
    false
  ) AS steady
FROM base JOIN levels ON base.rowid = number
"""


def parts(value: float) -> int:
    """``value`` in the parts in which readings are counted."""
    return round(value * READING_PARTS)


def _levels_sql(settings: OperatingSettings) -> str:
    """``levels``: each window's aggregates in parts, and the device's levels up to it.

    Today's are a running maximum over the day's windows, yesterday's the whole day's: both are in the row before or can
    be had from it, so that no window has to look at a day of them.
    """
    least, share = parts(settings.idle_current), round(settings.running_current * HUNDREDTHS)
    return f"""measured AS (
  SELECT rowid AS number, device_id, window_start, epoch(window_start)::BIGINT // {_DAY_SECONDS} AS day,
    {parts_sql("current_compressor_max")} AS current_max, {parts_sql("temp_evaporator_min")} AS coil_min
  FROM base
  UNION ALL
  SELECT NULL, device_id, window_start, epoch(window_start)::BIGINT // {_DAY_SECONDS},
    {parts_sql("current_max_today")}, {parts_sql("coil_min_today")}
  FROM earlier
),
so_far AS (
  SELECT number, device_id, day,
    max(current_max) OVER day_so_far AS current_max_today, min(coil_min) OVER day_so_far AS coil_min_today
  FROM measured
  WINDOW day_so_far AS (PARTITION BY device_id, day ORDER BY window_start)
),
days AS (
  SELECT device_id, day + 1 AS day, max(current_max) AS current_max_yesterday, min(coil_min) AS coil_min_yesterday
  FROM (
    SELECT device_id, day, current_max, coil_min FROM measured
    UNION ALL
    SELECT device_id, epoch(window_start)::BIGINT // {_DAY_SECONDS} - 1,
      {parts_sql("current_max_yesterday")}, {parts_sql("coil_min_yesterday")}
    FROM earlier
  )
  GROUP BY device_id, day
),
levels AS (
  SELECT number, current_max_today, current_max_yesterday, coil_min_today, coil_min_yesterday,
    least(coil_min_today, coil_min_yesterday) AS coil_min,
    greatest(
      {least}, ({share} * greatest(current_max_today, current_max_yesterday) + {HUNDREDTHS - 1}) // {HUNDREDTHS}
    ) AS runs_from,
    least({parts(settings.melting)}, least(coil_min_today, coil_min_yesterday) + {parts(settings.defrost_rise)})
      AS melts_from
  FROM so_far LEFT JOIN days USING (device_id, day)
  WHERE number IS NOT NULL
)"""
