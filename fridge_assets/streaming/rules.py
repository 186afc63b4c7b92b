"""The four acute rules, once: SQL over a sliding window, for the live stream and for the backtest (SPEC 5).

All times are whole microseconds since 1970. A rule is *met* by a reading; an *onset* is the first reading of a row of
readings that meet it. Only readings that are there count: no rule looks across a silence of its sensor that is longer
than ``max_gap``. So the onsets are a function of the set of readings alone, whatever their order of arrival.

A defrost warms the evaporator, and the compressor that starts at its end pulls the pressure down within minutes. So the
evaporator is not looked at while a device defrosts and ``defrost_recovery`` after it, nor its pressure for
``pressure_span`` after it; within a defrost a fall of pressure counts from the second low reading on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from fridge_assets.contracts.device_registry import REGISTRY_DEFAULTS
from fridge_assets.settings import StreamingSettings

MICROSECOND = timedelta(microseconds=1)


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
        ``watched``: readings, as :func:`onsets_sql` does, but from ``settings.screened`` before the first new one on.
        ``lowest_thresholds``: ``device_no`` and the least value of each rule's threshold; without a row the default.
    """
    minutes = settings.rise_span / timedelta(minutes=1)

    def threshold(rule: Rule) -> str:
        return f"coalesce(any_value(t.{rule.name}), {rule.default!r})"

    conditions = {
        OVERLOAD: f"max(r.current_compressor) > {threshold(OVERLOAD)}",
        VIBRATION: f"max(r.vibration_compressor / r.vibration_usual) > {threshold(VIBRATION)}",
        PRESSURE_LOSS: f"min(r.pressure_low_side) < (1 - {threshold(PRESSURE_LOSS)}) * max(r.pressure_low_side)",
        COOLING_LOSS: "max(r.temperature_evaporator) - min(r.temperature_evaporator) "
        f"> {threshold(COOLING_LOSS)} * {minutes!r}",
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

    Reads:
        ``asked``: ``device_no``, ``rule``.
        ``watched``: readings of these devices, one row per device and moment, whole from ``settings.lookback`` before
            the first moment that is asked about: ``device_no``, ``ts``, the four sensors, ``vibration_usual`` (mean
            of the device up to then, null without enough history) and ``defrost``.
        ``thresholds``: ``device_no``, ``rule``, ``since``, ``until`` (exclusive), ``value``; where none is in force
            the default is.
    """
    gap, pressure, rise, recovery = (
        microseconds(span)
        for span in (settings.max_gap, settings.pressure_span, settings.rise_span, settings.defrost_recovery)
    )

    def readings_of(rule: Rule, condition: str = "true") -> str:
        return f"""
  SELECT r.*, coalesce(t.value, {rule.default!r}) AS threshold
  FROM seen r SEMI JOIN (SELECT device_no FROM asked WHERE rule = '{rule.name}') USING (device_no)
  LEFT JOIN thresholds t
    ON t.device_no = r.device_no AND t.rule = '{rule.name}' AND r.ts >= t.since AND r.ts < t.until
  WHERE r.{rule.sensor} IS NOT NULL AND {condition}"""

    settled = f"coalesce(since_defrost > {recovery}, true)"
    no_pull_down = f"(r.defrost OR coalesce(since_defrost > {pressure}, true))"
    in_time = "PARTITION BY device_no ORDER BY ts"
    return f"""
WITH seen AS (
  SELECT *, ts - max(CASE WHEN defrost THEN ts END) OVER ({in_time}) AS since_defrost
  FROM watched
),
overload AS (
  SELECT device_no, '{OVERLOAD.name}' AS rule, ts, current_compressor AS value, threshold AS reference, threshold,
    current_compressor > threshold AS met
  FROM ({readings_of(OVERLOAD)})
),
vibration AS (
  SELECT device_no, '{VIBRATION.name}' AS rule, ts, vibration_compressor AS value, vibration_usual AS reference,
    threshold, coalesce(vibration_compressor > threshold * vibration_usual, false) AS met
  FROM ({readings_of(VIBRATION)})
),
pressure_steps AS (
  SELECT *, coalesce(ts - lag(ts) OVER ({in_time}) > {gap} OR defrost <> lag(defrost) OVER ({in_time}), false) AS anew
  FROM ({readings_of(PRESSURE_LOSS, no_pull_down)})
),
pressure_pieces AS (
  SELECT *, count(*) FILTER (anew) OVER ({in_time}) AS piece FROM pressure_steps
),
pressure_before AS (
  SELECT *, max(pressure_low_side) OVER (
    PARTITION BY device_no, piece ORDER BY ts RANGE BETWEEN {pressure} PRECEDING AND CURRENT ROW
  ) AS highest
  FROM pressure_pieces
),
pressure_lows AS (
  SELECT *, pressure_low_side < (1 - threshold) * highest AS low FROM pressure_before
),
pressure_loss AS (
  SELECT device_no, '{PRESSURE_LOSS.name}' AS rule, ts, pressure_low_side AS value, highest AS reference, threshold,
    low AND (NOT defrost OR coalesce(lag(low) OVER (PARTITION BY device_no, piece ORDER BY ts), false)) AS met
  FROM pressure_lows
),
warming_steps AS (
  SELECT *, coalesce(
    {settled} AND lag({settled}) OVER ({in_time}) AND ts - lag(ts) OVER ({in_time}) <= {gap}
      AND (temperature_evaporator - lag(temperature_evaporator) OVER ({in_time})) * 60000000.0
        > threshold * (ts - lag(ts) OVER ({in_time})),
    false) AS warming
  FROM ({readings_of(COOLING_LOSS)})
),
warming_pieces AS (
  SELECT *, count(*) FILTER (NOT warming) OVER ({in_time}) AS piece FROM warming_steps
),
warming_since AS (
  SELECT *, min(ts) OVER began AS began_at, first_value(temperature_evaporator) OVER began AS began_with
  FROM warming_pieces WINDOW began AS (PARTITION BY device_no, piece ORDER BY ts)
),
cooling_loss AS (
  SELECT device_no, '{COOLING_LOSS.name}' AS rule, ts, temperature_evaporator AS value, began_with AS reference,
    threshold, ts - began_at >= {rise} AS met
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
WHERE met AND NOT coalesce(previous_met AND ts - previous_at <= {gap}, false)"""
