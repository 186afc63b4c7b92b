"""The four acute rules, once: SQL over a sliding window, for the live stream and for the backtest (SPEC 5).

All times are whole microseconds since 1970. A rule is *met* by a reading; an *onset* is the first reading of a row of
readings that meet it. Only readings that are there count: no rule looks across a silence of its sensor that is longer
than ``max_gap``, or as many intervals of a device that does not send every minute. So the onsets are a function of the
set of readings alone, whatever their order of arrival.

Compressors stop and start, and not every defrost is flagged. So a lost pressure is below the band that the device has
been in during its last day, in several readings in a row, and a lost cooling above its band. A new device has a short
band, or none yet; its cold-start limits keep a first start or a first defrost from being a loss.

A defrost warms the evaporator, and the compressor that starts at its end pulls the pressure down within minutes. So the
evaporator is not looked at while a device defrosts and ``defrost_recovery`` after it, nor its pressure for
``pressure_span`` after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from fridge_assets.contracts.device_registry import REGISTRY_DEFAULTS
from fridge_assets.settings import StreamingSettings
from fridge_assets.settings.streaming import ONE_MINUTE, WITHIN_INTERVALS

MICROSECOND = timedelta(microseconds=1)
MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Rule:
    """An acute rule.

    Args:
        name: as in alerts, thresholds and metrics.
        sensor: reading column that it looks at.
        threshold: registry column of its threshold.
        contributor: feature of the sensor that stands for the rule among the contributors of alerts.
        title: what has happened, for people.
    """

    name: str
    sensor: str
    threshold: str
    contributor: str
    title: str

    @property
    def default(self) -> float:
        """Threshold of a device about which nobody has said anything."""
        return float(REGISTRY_DEFAULTS[self.threshold])


OVERLOAD = Rule(
    "compressor_overload",
    "current_compressor",
    "current_threshold",
    "current_compressor_max",
    "Compressor overload",
)
VIBRATION = Rule(
    "vibration_spike",
    "vibration_compressor",
    "vibration_ratio_threshold",
    "vibration_compressor_max",
    "Compressor vibration spike",
)
PRESSURE_LOSS = Rule(
    "acute_pressure_loss",
    "pressure_low_side",
    "pressure_drop_threshold",
    "pressure_low_min",
    "Acute loss of low-side pressure",
)
COOLING_LOSS = Rule(
    "total_cooling_loss",
    "temperature_evaporator",
    "temperature_rise_threshold",
    "temp_evaporator_max",
    "Total loss of cooling",
)

RULES: Mapping[str, Rule] = {rule.name: rule for rule in (OVERLOAD, VIBRATION, PRESSURE_LOSS, COOLING_LOSS)}
"""Every rule by name."""


def microseconds(span: timedelta) -> int:
    """``span`` in the engine's unit."""
    return span // MICROSECOND


def screen_sql(settings: StreamingSettings) -> str:
    """SELECT of the devices and rules that the new readings may meet: ``device_no``, ``rule``.

    Far cheaper than the rules and never narrower, so that these need only look at a handful of devices.

    Reads:
        ``watched``: readings, as :func:`onsets_sql` does, but from ``settings.screened`` before the first new one on,
            or ``settings.coarse_screened``.
        ``lowest_thresholds``: ``device_no`` and the least value of each rule's threshold; without a row the default.
    """
    minutes = settings.rise_span / timedelta(minutes=1)

    def threshold(rule: Rule) -> str:
        return f"coalesce(any_value(t.{rule.name}), {rule.default!r})"

    conditions = {
        OVERLOAD: f"max(r.current_compressor) > {threshold(OVERLOAD)}",
        VIBRATION: f"max(r.vibration_compressor / r.vibration_usual) > {threshold(VIBRATION)}",
        PRESSURE_LOSS: f"min(r.pressure_low_side) < (1 - {threshold(PRESSURE_LOSS)}) * max(r.pressure_low_side) "
        f"AND min(r.pressure_low_side) < max({_below_band(settings)})",
        COOLING_LOSS: "max(r.temperature_evaporator) - min(r.temperature_evaporator) "
        f"> {threshold(COOLING_LOSS)} * {minutes!r} "
        "AND max(r.temperature_evaporator) > min(coalesce(r.evaporator_ceiling, '-infinity'))",
    }
    named = ", ".join(f"CASE WHEN {condition} THEN '{rule.name}' END" for rule, condition in conditions.items())
    return f"""
SELECT device_no, rule FROM (
  SELECT r.device_no, unnest([{named}]) AS rule
  FROM watched r LEFT JOIN lowest_thresholds t USING (device_no)
  GROUP BY r.device_no
) WHERE rule IS NOT NULL"""


def onsets_sql(settings: StreamingSettings) -> str:
    """SELECT of the onsets of some rules on some devices.

    Gives ``device_no``, ``rule``, ``onset``, ``value``, ``reference``, ``threshold``.

    ``value`` is what the sensor read. ``reference`` is what the value is held against: the threshold itself for the
    overload, the usual vibration, the highest pressure of the span, the temperature at which the rise began.
    ``threshold`` is what held: of a device in its cold start possibly the limit of that.

    Reads:
        ``asked``: ``device_no``, ``rule``.
        ``watched``: readings of these devices, one row per device and moment, whole from ``settings.lookback`` before
            the first moment that is asked about (``settings.coarse_lookback`` of a device that sends more rarely than
            every minute): ``device_no``, ``ts``, the four sensors, ``defrost``, and what was usual of the device at
            that time, as :func:`~fridge_assets.streaming.history.usual_sql` gives it.
        ``thresholds``: ``device_no``, ``rule``, ``since``, ``until`` (exclusive), ``value``; where none is in force
            the default is.
    """
    pressure, rise, recovery = (
        microseconds(span) for span in (settings.pressure_span, settings.rise_span, settings.defrost_recovery)
    )
    in_a_row = settings.consecutive_readings

    def readings_of(rule: Rule, condition: str = "true") -> str:
        return f"""
  SELECT r.*, coalesce(t.value, {rule.default!r}) AS threshold
  FROM seen r SEMI JOIN (SELECT device_no FROM asked WHERE rule = '{rule.name}') USING (device_no)
  LEFT JOIN thresholds t
    ON t.device_no = r.device_no AND t.rule = '{rule.name}' AND r.ts >= t.since AND r.ts < t.until
  WHERE r.{rule.sensor} IS NOT NULL AND {condition}"""

    settled = f"coalesce(since_defrost > {recovery}, true)"
    no_pull_down = f"(r.defrost OR coalesce(since_defrost > {pressure}, true))"
    often_enough = f"coalesce(r.interval_ms <= {settings.max_interval // MILLISECOND}, true)"
    in_time = "PARTITION BY device_no ORDER BY ts"
    in_piece = "PARTITION BY device_no, piece ORDER BY ts"
    return f"""
WITH seen AS (
  SELECT *, ts - max(CASE WHEN defrost THEN ts END) OVER ({in_time}) AS since_defrost, {_gap(settings)} AS gap
  FROM watched
),
overload AS (
  SELECT device_no, '{OVERLOAD.name}' AS rule, ts, gap, current_compressor AS value, threshold AS reference, threshold,
    current_compressor > threshold AS met
  FROM ({readings_of(OVERLOAD)})
),
vibration AS (
  SELECT device_no, '{VIBRATION.name}' AS rule, ts, gap, vibration_compressor AS value, vibration_usual AS reference,
    threshold, coalesce(vibration_compressor > threshold * vibration_usual, false) AS met
  FROM ({readings_of(VIBRATION)})
),
pressure_steps AS (
  SELECT * REPLACE (CASE WHEN NOT pressure_new THEN threshold
      WHEN pressure_floor IS NULL THEN greatest(threshold, {settings.no_band_pressure_drop!r})
      ELSE greatest(threshold, {settings.cold_start_pressure_drop!r}) END AS threshold),
    coalesce(ts - lag(ts) OVER ({in_time}) > gap OR defrost <> lag(defrost) OVER ({in_time}), false) AS anew
  FROM ({readings_of(PRESSURE_LOSS, f"{no_pull_down} AND {often_enough}")})
),
pressure_pieces AS (
  SELECT *, count(*) FILTER (anew) OVER ({in_time}) AS piece FROM pressure_steps
),
pressure_before AS (
  SELECT *, max(pressure_low_side) OVER ({in_piece}
    RANGE BETWEEN {_pressure_span(settings)} PRECEDING AND CURRENT ROW
  ) AS highest
  FROM pressure_pieces
),
pressure_lows AS (
  SELECT *, first_value(highest) OVER fell AS fell_from, first_value(threshold) OVER fell AS fell_by,
    count(*) OVER fell = {in_a_row} AND max(pressure_low_side) OVER fell
      < first_value(least((1 - threshold) * highest, {_below_band(settings)})) OVER fell AS met
  FROM pressure_before WINDOW fell AS ({in_piece} ROWS BETWEEN {in_a_row - 1} PRECEDING AND CURRENT ROW)
),
pressure_loss AS (
  SELECT device_no, '{PRESSURE_LOSS.name}' AS rule, ts, gap, pressure_low_side AS value, fell_from AS reference,
    fell_by AS threshold, met
  FROM pressure_lows
),
warming_steps AS (
  SELECT *, coalesce(
    {settled} AND lag({settled}) OVER ({in_time}) AND ts - lag(ts) OVER ({in_time}) <= gap
      AND (temperature_evaporator - lag(temperature_evaporator) OVER ({in_time})) * 60000000.0
        > threshold * (ts - lag(ts) OVER ({in_time})),
    false) AS warming
  FROM ({readings_of(COOLING_LOSS, often_enough)})
),
warming_pieces AS (
  SELECT *, count(*) FILTER (NOT warming) OVER ({in_time}) AS piece FROM warming_steps
),
warming_since AS (
  SELECT *, min(ts) OVER began AS began_at, first_value(temperature_evaporator) OVER began AS began_with,
    count(*) OVER began AS readings, first_value(CASE
      WHEN evaporator_ceiling IS NULL THEN temperature_evaporator + {settings.no_band_temperature_rise!r}
      WHEN evaporator_new THEN evaporator_ceiling::DOUBLE + {settings.cold_start_temperature_rise!r}
      ELSE evaporator_ceiling::DOUBLE + {settings.temperature_band_margin!r} END) OVER began AS exceeded
  FROM warming_pieces WINDOW began AS ({in_piece})
),
cooling_loss AS (
  SELECT device_no, '{COOLING_LOSS.name}' AS rule, ts, gap, temperature_evaporator AS value, began_with AS reference,
    threshold, ts - began_at >= {rise} AND readings >= {in_a_row} AND temperature_evaporator > exceeded AS met
  FROM warming_since
),
judged AS (
  SELECT *, lag(ts) OVER before AS previous_at, lag(met) OVER before AS previous_met
  FROM (
    SELECT * FROM overload UNION ALL SELECT * FROM vibration
    UNION ALL SELECT * FROM pressure_loss UNION ALL SELECT * FROM cooling_loss
  )
  WINDOW before AS (PARTITION BY device_no, rule ORDER BY ts)
)
SELECT device_no, rule, ts AS onset, value, reference, threshold FROM judged
WHERE met AND NOT coalesce(previous_met AND ts - previous_at <= gap, false)"""


def _gap(settings: StreamingSettings) -> str:
    """The longest silence that a rule looks across: as many of the device's own intervals as of a minute."""
    usual = microseconds(settings.max_gap)
    return f"coalesce(interval_ms::BIGINT * {usual} // {ONE_MINUTE // MILLISECOND}, {usual})"


def _pressure_span(settings: StreamingSettings) -> str:
    """Within which a fall of pressure happens: long enough for two readings of the device."""
    own = f"interval_ms::BIGINT * {round(WITHIN_INTERVALS * 1000)}"
    return f"greatest({microseconds(settings.pressure_span)}, coalesce({own}, 0))"


def _below_band(settings: StreamingSettings) -> str:
    """Below this the pressure has left its band."""
    return f"coalesce(pressure_floor::DOUBLE * {1 - settings.pressure_band_margin!r}, 'infinity'::DOUBLE)"
