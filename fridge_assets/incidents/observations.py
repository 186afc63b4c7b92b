"""What can be observed of a device: evidence, quiet windows, time that passes, what people do (SPEC 6.1)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from fridge_assets.incidents.terms import PersonsAction, Severity, Sign, Source


@dataclass(frozen=True)
class Span:
    """A time from its first moment to the first one after it.

    Args:
        starts_at: its first moment.
        ends_at: the first one after it.
        said: what it is, in words, where people are told.
    """

    starts_at: datetime
    ends_at: datetime
    said: str = field(default="", compare=False)

    def covers(self, moment: datetime) -> bool:
        """Whether ``moment`` belongs to it."""
        return self.starts_at <= moment < self.ends_at

    def overlaps(self, other: "Span") -> bool:
        """Whether they have a moment in common; one of no length has none."""
        return max(self.starts_at, other.starts_at) < min(self.ends_at, other.ends_at)


@dataclass(frozen=True)
class Benign:
    """What a person has called a false positive of the device.

    Args:
        signs: the sensors that were named, and which way they were off.
        severity: evidence that is more urgent is told all the same.
        until: it holds before this moment.
        release: the released models; it ends when others speak.
        registry_entry: the device's entry in the registry; it ends when that changes.
    """

    signs: frozenset[Sign]
    severity: Severity
    until: datetime
    release: str
    registry_entry: str


@dataclass(frozen=True)
class Surroundings:
    """What else holds for the device.

    Args:
        silences: spans in which nobody is to hear of the device or its site.
        sites: spans in which its site, or the whole fleet, is told of as one: the one that runs, and those that have
            ended since something was due.
        benign: what people have called false positives of it.
        followed: whether the device has an incident that is newer than the one at hand.
    """

    silences: tuple[Span, ...] = ()
    sites: tuple[Span, ...] = ()
    benign: tuple[Benign, ...] = ()
    followed: bool = False


NOTHING_ELSE = Surroundings()


@dataclass(frozen=True)
class Seen:
    """Evidence: a source says that something is wrong with the device.

    Args:
        evidence_id: the same for the same device, window and source, or device, rule and onset.
        device_id: device.
        site_id: site it stands in.
        source: who says so.
        at: the onset, for the stream; for the others the end of the window.
        window: the window that it is about, or falls into.
        severity: how urgent.
        sign: what stands out most.
        families: how many families of models flag the device.
        score: their highest score.
        cause: the probable cause, in a technician's words; empty where it is not clear.
        agreeing: how many of them by a score of this window itself; the others have said so of an earlier one.
        carried_from: that window; None where it is this one, or nobody knows.
        release: identity of the released models.
        registry_entry: identity of the device's entry in the registry.
        around: what else holds for the device.
    """

    evidence_id: str
    device_id: str
    site_id: str
    source: Source
    at: datetime
    window: Span
    severity: Severity
    sign: Sign
    families: int = 1
    score: float = 0.0
    cause: str = ""
    agreeing: int = 1
    carried_from: Span | None = None
    release: str = ""
    registry_entry: str = ""
    around: Surroundings = NOTHING_ELSE

    @property
    def silence(self) -> Span | None:
        """The silence that holds its window, or the one that it was carried from; of the stream, the onset.

        Of several the one that ends last.
        """
        if self.source == "streaming":
            holding = [one for one in self.around.silences if one.covers(self.at)]
        else:
            windows = (self.window,) if self.carried_from is None else (self.window, self.carried_from)
            holding = [one for one in self.around.silences if any(one.overlaps(window) for window in windows)]
        return max(holding, key=lambda one: (one.ends_at, one.said), default=None)


@dataclass(frozen=True)
class Quiet:
    """A source has judged a window of the device and flags nothing.

    Args:
        source: who says so, by scores of the window itself.
        window_end: end of the window.
        around: what else holds for the device.
    """

    source: Source
    window_end: datetime
    around: Surroundings = NOTHING_ELSE


@dataclass(frozen=True)
class Withdrawn:
    """Late readings show that the stream's evidence was none."""

    evidence_id: str
    around: Surroundings = NOTHING_ELSE


@dataclass(frozen=True)
class Clock:
    """Time has passed."""

    around: Surroundings = NOTHING_ELSE


@dataclass(frozen=True)
class Act:
    """A person acts.

    Args:
        action: what they do.
        actor: who; ``take`` makes them the owner.
        note: why, in their words.
        until: end of a snooze; None for every other action.
        expected_revision: revision of the incident that they were looking at; None to act on whatever it is now.
        around: what else holds for the device.
    """

    action: PersonsAction
    actor: str
    note: str = ""
    until: datetime | None = None
    expected_revision: int | None = None
    around: Surroundings = NOTHING_ELSE


Observation = Seen | Quiet | Withdrawn | Clock | Act


@dataclass(frozen=True)
class Measured:
    """What people read of evidence; nothing is decided by it.

    Args:
        title: one line.
        description: sentences for a technician.
        model_id: model with the highest score, or rule.
        anomaly_score: highest score.
        top_contributors: features behind it, strongest first.
        score_ids: score rows behind it.
        note: anything else a reader should know.
        signs_for: what speaks for the probable cause, in words; empty where that is not clear.
        signs_against: what speaks against it.
    """

    title: str
    description: str
    model_id: str
    anomaly_score: float
    top_contributors: tuple[str, ...]
    score_ids: tuple[str, ...] = ()
    note: str = ""
    signs_for: tuple[str, ...] = ()
    signs_against: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """An observation of a device, and what people read of it where it is evidence."""

    device_id: str
    observation: Observation
    measured: Measured | None = None


def after_all(moment: datetime, spans: Iterable[Span]) -> datetime:
    """The first moment from ``moment`` on that none of ``spans`` covers."""
    for span in sorted(spans, key=lambda span: span.starts_at):
        if span.covers(moment):
            moment = span.ends_at
    return moment
