"""Which healthy state a candidate disturbs, which known fault it loses, and what follows (SPEC 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.special import bdtr, bdtrc

from fridge_assets.settings import BatterySettings

Outcome = Literal["failed", "not judged", "passed"]
_OUTCOMES: tuple[Outcome, ...] = ("failed", "not judged", "passed")
_REMEDIES = {
    "quiet": "It alarms on healthy machines: lengthen FRIDGE_TRAINING__HISTORY or raise "
    "FRIDGE_TRAINING__MIN_STATE_ROWS, so that training sees more of what it flags, and train again.",
    "fault": "It loses faults: see in its card (`models card`) which sensors it sees and what it was trained on, label "
    "the failures that are in there as confirmed, and train again.",
}


@dataclass(frozen=True)
class Case:
    """What a candidate and production flag of the same windows, of which it is known whether they should.

    Args:
        kind: healthy windows, which must stay quiet, or those of a fault, which must not be lost.
        name: operating state or fault.
        where: whose windows they are.
        count: how many windows, or failures, there are.
        candidate: how many of them the candidate flags.
        production: how many production flags.
        unit: windows, or failures of which several windows are flagged.
        missing: why there is nothing to judge by; empty where there is.
    """

    kind: Literal["quiet", "fault"]
    name: str
    where: str
    count: int = 0
    candidate: int = 0
    production: int = 0
    unit: Literal["windows", "failures"] = "windows"
    missing: str = ""


@dataclass(frozen=True)
class Result:
    """A case and what came of it.

    Args:
        case: what was counted.
        outcome: whether the candidate passed.
        said: what was found and what it is held against, without a full stop.
    """

    case: Case
    outcome: Outcome
    said: str


@dataclass(frozen=True)
class Battery:
    """All cases of one candidate; at least one."""

    results: tuple[Result, ...]

    @property
    def verdict(self) -> Literal["pass", "inconclusive", "block"]:
        """Blocked by a single failed case; inconclusive where not one could be judged."""
        outcomes = {result.outcome for result in self.results}
        if "failed" in outcomes:
            return "block"
        return "pass" if "passed" in outcomes else "inconclusive"

    @property
    def reason(self) -> str:
        """What failed and what can be done about it; else how many cases passed, and which ones could not be judged."""
        failed = self._with("failed")
        if failed:
            remedies = dict.fromkeys(_REMEDIES[result.case.kind] for result in failed)
            return f"The battery failed: {'; '.join(result.said for result in failed)}. {' '.join(remedies)}"
        if self.verdict == "inconclusive":
            return f"The battery could judge nothing: {'; '.join(result.said for result in self.results)}."
        said = f"The battery passed {len(self._with('passed'))} of {len(self.results)} cases"
        unjudged: dict[str, list[str]] = {}
        for result in self._with("not judged"):
            unjudged.setdefault(result.case.where, []).append(result.case.name)
        groups = "; ".join(f"{', '.join(names)} in {where}" for where, names in unjudged.items())
        return f"{said}, not judged: {groups}." if groups else f"{said}."

    @property
    def lines(self) -> list[str]:
        """Every case as a line, what failed first."""
        ordered = [result for outcome in _OUTCOMES for result in self._with(outcome)]
        return [f"{result.outcome}: {result.said}" for result in ordered]

    def _with(self, outcome: Outcome) -> list[Result]:
        return [result for result in self.results if result.outcome == outcome]


def judge(cases: Sequence[Case], settings: BatterySettings) -> Battery:
    """What becomes of each of ``cases``."""
    return Battery(tuple(_judged(case, settings) for case in cases))


def untried(problem: str) -> Battery:
    """The battery of a candidate that it could not be tried on; it is no pass."""
    case = Case("quiet", "all states and faults", "the battery", missing=problem)
    return Battery((Result(case, "not judged", problem),))


def _judged(case: Case, settings: BatterySettings) -> Result:
    name = f"{case.name} in {case.where}"
    if case.missing:
        return Result(case, "not judged", f"{name}: {case.missing}")
    if case.unit == "windows" and case.count < settings.min_windows:
        return Result(case, "not judged", f"{name}: {case.count} windows, fewer than {settings.min_windows}")
    ours, theirs = case.candidate / case.count, case.production / case.count
    if case.kind == "fault" and theirs <= settings.max_flagged:
        found = f"production finds {theirs:.1%} of {case.count:,} {case.unit}, no more than it may flag of healthy ones"
        return Result(case, "not judged", f"{name}: {found}")
    if case.kind == "quiet":
        limit = max(settings.max_flagged, theirs)
        beyond, chance = ours > limit, bdtrc(case.candidate - 1, case.count, limit)
        said = f"{ours:.1%} of {case.count:,} {case.unit} flagged, at most {limit:.1%} may be"
    else:
        limit = settings.min_recall * theirs
        # A failure that people confirmed is no sample of anything: it is found or it is lost.
        chance = 0.0 if case.unit == "failures" else bdtr(case.candidate, case.count, limit)
        beyond = ours < limit
        said = f"{ours:.1%} of {case.count:,} {case.unit} found, at least {limit:.1%} must be"
    failed = beyond and chance < settings.chance
    explained = ", which chance explains" if beyond and not failed else ""
    return Result(case, "failed" if failed else "passed", f"{name}: {said} ({theirs:.1%} by production){explained}")
