"""Whether the comparisons so far allow a release (SPEC 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pandas as pd

from fridge_assets.deployment.decide import Proof

_WORDS = {
    "block": "was blocked",
    "review": "needs a review",
    "investigate": "needs an investigation",
    "inconclusive": "was inconclusive",
}

_UNTRIED = "it was not tried on healthy states and known faults, as in an earlier release"


class Report(Protocol):
    """As much of a comparison as the gate asks for; a CanaryReport is one."""

    @property
    def window_end(self) -> datetime:
        """The compared window."""
        ...

    @property
    def verdict(self) -> str:
        """One of CANARY_VERDICTS."""
        ...

    @property
    def reason(self) -> str:
        """A sentence."""
        ...

    @property
    def created_at(self) -> datetime:
        """When it was compared."""
        ...


@dataclass(frozen=True)
class StoredReport:
    """A comparison as it was stored."""

    window_end: datetime
    verdict: str
    reason: str
    created_at: datetime


def gate(reports: Sequence[Report], needed: int) -> Proof:
    """Pass only when the newest ``needed`` windows that were compared all have the verdict pass.

    Args:
        reports: of one candidate against the current production, in any order; of several of one window the one
            that was created last counts.
        needed: windows.
    """
    latest: dict[datetime, Report] = {}
    for report in sorted(reports, key=lambda report: report.created_at):
        latest[report.window_end] = report
    newest = [latest[window] for window in sorted(latest, reverse=True)[:needed]]
    said = [_said(report) for report in newest if report.verdict != "pass"]
    if len(newest) < needed:
        said.insert(0, f"{len(newest)} of {needed} windows compared so far")
    if said:
        return Proof(passed=False, said="; ".join(said))
    last = _moment(newest[0])
    return Proof(passed=True, said=f"the newest {needed} compared windows all passed, the last one {last}")


def stored_reports(rows: pd.DataFrame) -> list[StoredReport]:
    """What the gate asks for of CANARY_REPORTS ``rows``; one without the battery is no pass."""
    untried = rows["battery_verdict"].isna() & (rows["verdict"] == "pass")
    verdicts = rows["verdict"].mask(untried, "inconclusive")
    reasons = rows["reason"].mask(untried, _UNTRIED)
    return [
        StoredReport(window.to_pydatetime(), str(verdict), str(reason), created.to_pydatetime())
        for window, verdict, reason, created in zip(
            rows["window_end"], verdicts, reasons, rows["created_at"], strict=True
        )
    ]


def _said(report: Report) -> str:
    words = _WORDS.get(report.verdict, f"has the unknown verdict {report.verdict!r}")
    return f"window {_moment(report)} {words}: {report.reason.rstrip('.')}"


def _moment(report: Report) -> str:
    return f"{report.window_end:%Y-%m-%d %H:%M} UTC"
