"""Which causes fit what was found, best first, with the signs for and against each, or none clearly (SPEC 6.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fridge_assets.diagnosis.causes import Cause, Sign
from fridge_assets.diagnosis.findings import Findings, sensor_of

VISIBLE = 0.5
"""In noticeable amounts: less says nothing."""
_WORTH = 1.0
"""In noticeable amounts: less needs no explanation, since weather moves all devices a little."""
_FULL = 3.0
"""In noticeable amounts: more does not weigh more in what has to be explained."""
_SLACK = 1.0
"""In noticeable amounts: so much that is off needs no explanation."""
_LEAST_KNOWN = 2 / 3
"""Share of its signs, by weight, that must be known of a device before it can have a cause."""
_DECIDES = 3
"""Weight of signs that must be known of a device before it can have a cause."""
_LEAST_FIT = 0.45
"""A cause that fits less is a guess."""
_LEAST_MARGIN = 0.04
"""Two causes that fit alike are no answer."""


@dataclass(frozen=True)
class Ranked:
    """How well one cause fits.

    Args:
        cause: the cause.
        fit: up to 1: the share of its signs that is seen, those against it taken off, times the share of what is seen
            that it explains.
        known: the share of its signs, by weight, that was measured.
        signs_for: its signs that are seen.
        signs_against: its signs of which the opposite, or nothing, is seen.
    """

    cause: Cause
    fit: float
    known: float
    signs_for: tuple[Sign, ...]
    signs_against: tuple[Sign, ...]


@dataclass(frozen=True)
class Diagnosis:
    """What may be wrong with a device.

    Args:
        ranked: every cause with a sign that is seen, best first.
        clear: whether the first one is more than a guess.
        findings: what they were ranked by.
    """

    ranked: tuple[Ranked, ...]
    clear: bool
    findings: Findings

    @property
    def cause(self) -> Ranked | None:
        """The probable cause; None where it is not clear."""
        return self.ranked[0] if self.clear else None


def diagnose(findings: Findings, causes: Sequence[Cause]) -> Diagnosis:
    """Rank ``causes`` by what was found.

    It is not clear where nothing of it would be noticed, where no cause fits well enough or its deciding
    signs were not measured, or where two fit alike.
    """
    off = _off_by_sensor(findings)
    ranked = sorted(
        (found for cause in causes if (found := _fit(cause, findings, off)) is not None),
        key=lambda found: (-found.fit, found.cause.name),
    )
    return Diagnosis(tuple(ranked), _is_clear(ranked, findings), findings)


def _is_clear(ranked: Sequence[Ranked], findings: Findings) -> bool:
    if not ranked or ranked[0].known < _LEAST_KNOWN or ranked[0].fit < _LEAST_FIT:
        return False
    deciding = {sign.finding for sign in ranked[0].cause.signs if sign.weight == _DECIDES}
    if not deciding <= findings.deviations.keys():
        return False
    noticed = any(abs(findings.deviations[sign.finding]) >= 1 for sign in ranked[0].signs_for)
    return noticed and (len(ranked) == 1 or ranked[0].fit - ranked[1].fit >= _LEAST_MARGIN)


def _fit(cause: Cause, findings: Findings, off: Mapping[str, float]) -> Ranked | None:
    """How well ``cause`` fits; None where none of its signs is seen."""
    known = [(sign, _match(sign, findings)) for sign in cause.signs if sign.finding in findings.deviations]
    if not any(match > 0 for _, match in known):
        return None
    total = sum(sign.weight for sign, _ in known)
    seen = sum(sign.weight * match for sign, match in known) / total
    return Ranked(
        cause,
        fit=seen * _explained(cause, findings, off),
        known=total / sum(sign.weight for sign in cause.signs),
        signs_for=tuple(sign for sign, match in known if match > 0),
        signs_against=tuple(sign for sign, match in known if match <= 0),
    )


def _match(sign: Sign, findings: Findings) -> float:
    """1 where the sign is seen, -1 where its opposite is, 0 where neither; between, where it is faint."""
    off = findings.deviations.get(sign.finding, 0.0) * (1 if sign.direction == "high" else -1)
    return max(-1.0, min(1.0, off)) if abs(off) >= VISIBLE else 0.0


def _off_by_sensor(findings: Findings) -> dict[str, float]:
    """How far each sensor is visibly off, in noticeable amounts."""
    off: dict[str, float] = {}
    for name, deviation in findings.deviations.items():
        sensor = sensor_of(name)
        if sensor is not None and abs(deviation) >= _WORTH:
            off[sensor] = max(off.get(sensor, 0.0), min(abs(deviation), _FULL))
    return off


def _explained(cause: Cause, findings: Findings, off: Mapping[str, float]) -> float:
    """The share of all that is visibly ``off``, sensor by sensor, that the cause has signs of, in their direction."""
    signs = [sign.finding for sign in cause.signs if _match(sign, findings) > 0]
    explained = {findings.sensors.get(name) or sensor_of(name) for name in signs}
    mine = sum(amount for sensor, amount in off.items() if sensor in explained)
    return (mine + _SLACK) / (sum(off.values()) + _SLACK)
