"""When trouble is over: quiet windows, and evidence of the stream that late readings disprove (SPEC 5, 6.1)."""

from datetime import datetime
from typing import Any

from fridge_assets.incidents.deadlines import closed_by_recovery
from fridge_assets.incidents.observations import Quiet, Withdrawn
from fridge_assets.incidents.state import Incident, IncidentEvent, Window, changed
from fridge_assets.incidents.windows import is_judged, quiet_after, with_window
from fridge_assets.settings import IncidentSettings


def quiet_in(incident: Incident, quiet: Quiet, now: datetime, settings: IncidentSettings) -> IncidentEvent | None:
    """What a quiet window means; None where nothing changes.

    Nobody can see in the window of the last evidence whether it is over, so only later ones count. The fixed limits of
    the fallback know only of what they have seen themselves. Where no model has seen anything, one window of the
    models is enough: the stream's evidence was transient, the fallback's limit was wrong for this device.
    """
    only_rules = incident.sources == {"rules_fallback"}
    known = is_judged(incident.windows, quiet.window_end, quiet.source, None)
    if not incident.is_open or known or quiet.window_end <= incident.last_window:
        return None
    if quiet.source != "models" and not only_rules:
        return None
    windows = with_window(incident.windows, Window(quiet.window_end, quiet.source, None), settings)
    quiet_ends = quiet_after(windows, incident.last_window)
    is_transient = incident.verdict == "unjudged" and quiet.source == "models"
    changes: dict[str, Any] = {
        "windows": windows,
        "quiet_since": incident.quiet_since or quiet_ends[0],
        "verdict": "transient" if is_transient else incident.verdict,
    }
    judged_by_models = quiet.source == "models" and "models" not in incident.sources
    needed = 1 if judged_by_models else settings.resolve_after_windows
    if incident.is_taken:
        if incident.quiet_since is not None and not is_transient:
            return None  # that it is quiet is known, and people close it
        return changed(incident, "quiet", now, quiet.source, "Not flagged any more; people close it", changes)
    if len(quiet_ends) < needed:
        return changed(incident, "quiet", now, quiet.source, "Not flagged in this window", changes)
    many = f"{needed} window{'s' if needed > 1 else ''} in a row"
    note = "It was transient" if is_transient else f"Not flagged for {many}"
    return changed(incident, "recover", now, quiet.source, note, {**changes, **closed_by_recovery(now)})


def withdrawn_from(incident: Incident, withdrawn: Withdrawn, now: datetime) -> IncidentEvent | None:
    """What it means that evidence of the stream was none; None where the incident knows nothing of it."""
    left = tuple(onset for onset in incident.onsets if onset.evidence_id != withdrawn.evidence_id)
    if left == incident.onsets:
        return None
    changes: dict[str, Any] = {"onsets": left}
    note = "Withdrawn: readings that came late show that it did not begin then"
    if not left:
        changes |= {"sources": incident.sources - {"streaming"}, "verdict": ""}
    if incident.is_open and not left and incident.sources == {"streaming"}:
        if incident.is_taken:
            changes |= {"quiet_since": incident.quiet_since or incident.last_window}
        else:
            changes |= {**closed_by_recovery(now), "closed_because": "withdrawn"}
    return changed(incident, "withdraw", now, "streaming", note, changes, evidence_id=withdrawn.evidence_id)
