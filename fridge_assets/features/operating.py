"""How a machine ran in each window: its state, its compressor's runs and its defrosts (SPEC 1.4).

A compressor runs when it draws a share of the greatest current since yesterday, whatever that is for this device; where
current is not measured, vibration, discharge temperature and pressures answer in this order. Most windows are told by
their aggregates alone: only the readings of windows in which something changes are looked at one by one.
"""

from fridge_assets.contracts import DEVICE_FEATURES
from fridge_assets.core.exact_sums import parts_sql, value_sql
from fridge_assets.features.levels import HUNDREDTHS, parts
from fridge_assets.features.slots import Slots, count_sql, milliseconds_sql, start_sql
from fridge_assets.settings import OperatingSettings

MEMORY = (
    "current_max_today",
    "current_max_yesterday",
    "coil_min_today",
    "coil_min_yesterday",
    "minutes_since_running",
    "minutes_since_defrost",
)
"""What a window takes from the device's window before it: all that later windows depend on."""

MEMORY_DAYS = 2
"""How many UTC days a window has to do with: its own and the one before."""

_DAY_MINUTES = 1440


def operating_sql(readings: str, window_seconds: int, settings: OperatingSettings) -> str:
    """SELECT of DEVICE_FEATURES rows, beside tables ``base``, ``earlier`` and ``judged`` of the same engine.

    ``base`` holds the windows' aggregates and what :func:`fridge_assets.features.windows.windows_sql` adds to them.
    ``earlier`` holds ``device_id``, ``window_start``, ``window_end`` and MEMORY of stored windows that are not in
    ``base``, at least each device's newest before each of its windows, from the beginning of the UTC day before.
    ``judged`` holds what :func:`fridge_assets.features.levels.judged_sql` gives of both.

    Args:
        readings: SQL of a relation with the columns of CLEAN_SENSOR_READINGS.
        window_seconds: length of a window.
        settings: what counts as running and as a defrost.
    """
    slots = Slots(window_seconds)
    columns = ", ".join(DEVICE_FEATURES.column_names)
    return f"""
WITH {_looked_at_sql(readings, slots, settings)},
{_masks_sql(slots, settings)},
{_since_running_sql()},
{_defrosts_sql(settings)},
{_since_defrost_sql(slots)},
{_told_sql(slots, settings)},
operated AS (
  SELECT *, {_state_sql(settings)} AS operating_state FROM told
)
SELECT {columns} FROM base JOIN operated ON base.rowid = number
ORDER BY window_start, device_id
"""


def _looked_at_sql(readings: str, slots: Slots, settings: OperatingSettings) -> str:
    """``looked_at``: masks of the windows that are not told by their aggregates."""
    high, low = parts_sql("pressure_high_side"), parts_sql("pressure_low_side")
    running = f"""coalesce(
      {parts_sql("current_compressor")} >= runs_from,
      vibration_compressor >= {settings.running_vibration},
      {parts_sql("temperature_discharge")} - {parts_sql("temperature_ambient")} >= {parts(settings.running_discharge)},
      CASE WHEN {HUNDREDTHS} * {high} >= {round(HUNDREDTHS * settings.running_pressure_ratio)} * {low} THEN true
        WHEN {HUNDREDTHS} * {high} < {round(HUNDREDTHS * settings.equalised_pressure_ratio)} * {low} THEN false END
    )"""
    return f"""compared AS (
  SELECT number, {slots.bit_sql("milliseconds")} AS slot, {running} AS running,
    {parts_sql("temperature_evaporator")} >= melts_from AS melting, defrost_cycle
  FROM (SELECT *, {start_sql("timestamp_utc", slots.window_seconds)} AS window_start,
      {milliseconds_sql("timestamp_utc", slots.window_seconds)} AS milliseconds FROM {readings}) AS r
  JOIN (SELECT number, device_id, window_start, runs_from, melts_from FROM judged WHERE NOT steady)
    USING (device_id, window_start)
),
looked_at AS (
  SELECT number, bit_or(slot) FILTER (running) AS seen_running,
    bit_or(slot) FILTER (NOT running) AS seen_standing, bit_or(slot) FILTER (melting) AS seen_melting,
    bit_or(slot) FILTER (melting IS NOT NULL) AS coil_seen, bit_or(slot) FILTER (defrost_cycle) AS told_on,
    bit_or(slot) FILTER (defrost_cycle IS NOT NULL) AS told
  FROM compared GROUP BY number
)"""


def _masks_sql(slots: Slots, settings: OperatingSettings) -> str:
    """``masks``: in which slots the compressor ran and stood, the coil was warm, and a defrost was told of."""
    hold = settings.reading_holds
    return f"""seen AS (
  SELECT judged.*,
    CASE WHEN NOT steady THEN coalesce(seen_running, 0) WHEN runs THEN observed ELSE 0 END AS seen_running,
    CASE WHEN NOT steady THEN coalesce(seen_standing, 0) WHEN runs THEN 0 ELSE observed END AS seen_standing,
    coalesce(seen_melting, 0) AS seen_melting,
    CASE WHEN NOT steady THEN coalesce(coil_seen, 0) WHEN coil_max IS NULL THEN 0 ELSE observed END AS coil_seen,
    coalesce(told_on, 0) AS told_on,
    CASE WHEN NOT steady THEN coalesce(told, 0) WHEN defrost_told THEN observed ELSE 0 END AS told
  FROM judged LEFT JOIN looked_at USING (number)
),
held AS (
  SELECT *,
    {slots.held_sql("seen_running", "observed", hold)} AS ran,
    -- A slot with readings of both is one in which the compressor ran.
    {slots.held_sql("seen_standing & ~seen_running", "observed", hold)} AS stood,
    {slots.held_sql("seen_melting", "coil_seen", hold)} AS melted,
    {slots.held_sql("told_on", "told", hold)} AS in_defrost,
    {slots.held_sql("told", "told", hold)} AS defrost_covered
  FROM seen
),
masks AS (
  SELECT *,
    {count_sql("ran | stood")} >= {_least(slots, settings)} AS covered,
    CASE WHEN defrost_told THEN {count_sql("defrost_covered")} >= {_least(slots, settings)}
      ELSE {count_sql("ran | stood")} >= {_least(slots, settings)} AND coil_max IS NOT NULL END AS defrost_known,
    {slots.lasting_sql("melted & stood", settings.defrost_shortest)} AS found
  FROM held
)"""


def _since_running_sql() -> str:
    """``lately``: when the compressor last ran, in seconds since 1970, to the window."""
    return """moves AS (
  SELECT number, device_id, window_start, CASE WHEN ran <> 0 THEN epoch(window_end)::BIGINT END AS ran_until FROM masks
  UNION ALL
  SELECT NULL, device_id, window_start, epoch(window_end)::BIGINT - (minutes_since_running * 60)::BIGINT FROM earlier
),
last_moves AS (
  SELECT number, device_id, window_start,
    max(ran_until) OVER (PARTITION BY device_id ORDER BY window_start) AS ran_until
  FROM moves
),
lately AS (
  SELECT *, (epoch(window_end)::BIGINT - ran_until) / 60.0 AS since_running
  FROM masks JOIN last_moves USING (number)
)"""


def _defrosts_sql(settings: OperatingSettings) -> str:
    """``defrosts``: in which slots there was a defrost, as told by its sensor, else as found."""
    longest = settings.defrost_longest.total_seconds() / 60
    return f"""defrosts AS (
  SELECT *,
    CASE WHEN defrost_told THEN in_defrost
      WHEN coil_min <= {parts(settings.frost_below)} AND since_running <= {longest} THEN found ELSE 0 END AS defrost
  FROM lately
)"""


def _since_defrost_sql(slots: Slots) -> str:
    """``recent``: when the last defrost ended, in milliseconds since 1970, to the window."""
    end = f"epoch(window_start)::BIGINT * 1000 + {slots.after_last_sql('defrost')} * {slots.milliseconds}"
    return f"""endings AS (
  SELECT number, device_id, window_start, {end} AS defrosted_until FROM defrosts
  UNION ALL
  SELECT NULL, device_id, window_start,
    epoch(window_end)::BIGINT * 1000 - round(minutes_since_defrost * 60000)::BIGINT FROM earlier
),
last_endings AS (
  SELECT number, device_id, window_start,
    max(defrosted_until) OVER (PARTITION BY device_id ORDER BY window_start) AS defrosted_until
  FROM endings
),
recent AS (
  SELECT *, (epoch(window_end)::BIGINT * 1000 - defrosted_until) / 60000.0 AS since_defrost
  FROM defrosts JOIN last_endings USING (number)
)"""


def _told_sql(slots: Slots, settings: OperatingSettings) -> str:
    """``told``: the columns but for the state."""
    levels = ",\n    ".join(
        f"{value_sql(name)} AS {name}"
        for name in ("current_max_today", "current_max_yesterday", "coil_min_today", "coil_min_yesterday")
    )
    return f"""told AS (
  SELECT number, ran, stood, defrost,
    {count_sql("seen_running | seen_standing")} AS known_slots, {count_sql("observed")} AS seen_slots,
    CASE WHEN covered THEN {count_sql("ran")}::DOUBLE / {count_sql("ran | stood")} END AS compressor_run_share,
    CASE WHEN covered THEN {slots.begun_sql("ran", "stood")} END AS compressor_starts,
    CASE WHEN covered THEN {slots.minutes_sql(slots.longest_sql("ran"))} END AS longest_run_minutes,
    CASE WHEN covered AND {HUNDREDTHS} * {count_sql("ran")}
        >= {round(HUNDREDTHS * settings.pull_down_run)} * {count_sql("ran | stood")}
      THEN CASE WHEN temp_evaporator_slope < 0 THEN -temp_evaporator_slope ELSE abs(0 * temp_evaporator_slope) END
      END AS pull_down_rate,
    CASE WHEN defrost_known THEN {slots.runs_sql("defrost")} END AS defrost_count,
    CASE WHEN defrost_known THEN {slots.minutes_sql(count_sql("defrost"))} END AS defrost_minutes,
    CASE WHEN since_defrost <= {_DAY_MINUTES} THEN since_defrost END AS minutes_since_defrost,
    CASE WHEN since_running <= {_DAY_MINUTES} THEN since_running END AS minutes_since_running,
    {levels}
  FROM recent
)"""


def _state_sql(settings: OperatingSettings) -> str:
    still = settings.standstill_after.total_seconds() / 60
    return f"""CASE
    WHEN defrost <> 0 THEN 'defrost'
    WHEN 2 * known_slots < seen_slots OR known_slots = 0 THEN 'unknown'
    WHEN ran = 0 THEN CASE WHEN minutes_since_running < {still} THEN 'off' ELSE 'standstill' END
    WHEN pull_down_rate >= {settings.pull_down_rate} THEN 'pull-down'
    WHEN stood <> 0 THEN 'cycling'
    ELSE 'running' END"""


def _least(slots: Slots, settings: OperatingSettings) -> int:
    return -int(-slots.count * settings.min_coverage // 1)
