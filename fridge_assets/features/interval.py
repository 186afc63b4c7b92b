"""How often devices send a reading, measured from their windows (SPEC 1.4)."""

from fridge_assets.settings import FeatureSettings

_TOGETHER = 4
"""Windows: readings that come every twenty minutes leave one of four empty."""


def intervals_sql(settings: FeatureSettings, windows: str = "device_features") -> str:
    """SELECT of ``device_id`` and ``interval`` (seconds between two readings) of devices with recent readings.

    The median over the windows of the last ``interval_span``: the time since the window before, shared among the
    window's readings, each taken together with the three windows before it. So readings that come once an hour have an
    interval of an hour, although a window holds one; those that come every twenty minutes one of about twenty, although
    most windows hold one; and a silence in between, which is in four of these, counts for no more than the longest
    interval. It is kept between ``shortest_interval`` and ``longest_interval``.

    Args:
        settings: group ``features``.
        windows: relation of the windows to look at, with ``device_id``, ``window_start`` and ``reading_count``.
    """
    length, longest = settings.window.total_seconds(), settings.longest_interval.total_seconds()
    together = f"OVER (PARTITION BY device_id ORDER BY window_start ROWS {_TOGETHER - 1} PRECEDING)"
    return f"""
SELECT device_id, greatest({settings.shortest_interval.total_seconds()}, least(
  {longest}, coalesce(median(measured), {length} / max(reading_count)))) AS interval
FROM (
  SELECT device_id, reading_count,
    sum(CASE WHEN apart > {longest} THEN {longest} ELSE apart END) {together}
      / sum(reading_count) FILTER (apart IS NOT NULL) {together} AS measured
  FROM (
    SELECT device_id, window_start, reading_count,
      epoch(window_start) - epoch(lag(window_start) OVER (PARTITION BY device_id ORDER BY window_start)) AS apart
    FROM {windows}
    WHERE window_start >= (SELECT max(window_start) FROM {windows})
      - INTERVAL '{int(settings.interval_span.total_seconds())} seconds'
  )
)
GROUP BY device_id"""
