"""The card of a version: what a person needs to know before trusting it, as Markdown with a plot (SPEC 3)."""

import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fridge_assets.contracts.device_features import sensors_of, unseen_sensors
from fridge_assets.models.calibration import Calibration
from fridge_assets.models.metadata import ModelMetadata
from fridge_assets.models.version import ModelVersion

_CARD = "card.md"
_PLOT = "calibration.png"
_CURVE, _MARK = "#4c78a8", "#e45756"
_BEYOND = 0.5
"""How far past the last point of the training distribution the plot goes, as a share of its length."""


def write_card(version: ModelVersion, folder: Path) -> Path:
    """Write the card and its plot into the existing ``folder`` and return the card's file."""
    (folder / _PLOT).write_bytes(calibration_plot(version.calibration.overall, version.metadata.threshold))
    file = folder / _CARD
    file.write_text(card_text(version.metadata))
    return file


def card_text(metadata: ModelMetadata) -> str:
    """The card as Markdown."""
    record = metadata.training
    sensors = sorted({sensor for feature in metadata.features for sensor in sensors_of(feature)})
    unseen = unseen_sensors(metadata.features)
    blind = (
        f"It cannot see {', '.join(unseen)}, which training had too little of." if unseen else "It sees every sensor."
    )
    facts = {
        "model": f"{metadata.model_id}, one for each {metadata.granularity}",
        "trained at": f"{metadata.trained_at:%Y-%m-%d %H:%M} UTC",
        "training windows": f"{record.rows:,} of {record.devices:,} devices, "
        f"{record.window_from:%Y-%m-%d %H:%M} to {record.window_to:%Y-%m-%d %H:%M} UTC",
        "training data hash (SHA-256)": f"`{record.hash}`",
        "dropped as contaminated": f"{record.self_cleaned:,} rows",
        "left out for nulls": f"{record.left_out:,} rows",
        "calibrated on": record.calibrated_on,
        "provisional": f"yes, {metadata.provisional}: its alerts are MEDIUM at most" if metadata.provisional else "no",
        "operating states it knows": "not recorded"
        if metadata.operating_states is None
        else ", ".join(metadata.operating_states) or "none",
        "states that a cohort has hardly shown": _hardly_shown(metadata),
        "cohorts it knows": "not recorded" if metadata.cohorts is None else ", ".join(metadata.cohorts) or "none",
        "nulls are filled from": ", then ".join(metadata.imputation),
        "seed": str(record.seed),
        "threshold": f"{metadata.threshold:g}",
    }
    return (
        "\n\n".join(
            (
                f"# {metadata.family} {metadata.version}",
                "Finds refrigeration devices that behave unlike themselves or their cohort, without labels. A "
                "score says how rare a window is among the training windows, not what is wrong; the contributors say "
                "where to look.",
                _table(("what", "value"), facts),
                "## What a score means",
                f"![raw score to tail probability and score]({_PLOT})",
                f"A score above {metadata.threshold:g} is flagged, which holds for about 1 % of healthy windows. "
                "Scores of versions of the same major number can be compared.",
                "## Figures from training",
                _table(("figure", "value"), {name: f"{value:.4g}" for name, value in metadata.metrics.items()}),
                "## Features",
                f"{len(metadata.features)} features of {len(sensors)} sensors: {', '.join(metadata.features)}. {blind}",
                "## Do not use it",
                "for sensors or equipment that were not in the training windows, or as the only guard against acute "
                "failures, which pass within minutes.",
                "## Train it again",
                f"`fridge-assets models reproduce {metadata.family} {metadata.version}` trains from the rows of that "
                "hash with these settings and libraries, and compares the scores bit by bit.",
                _table(
                    ("setting", "value"),
                    {f"{g}.{n}": str(v) for g, values in record.settings.items() for n, v in values.items()},
                ),
                _table(("library", "version"), metadata.libraries),
            )
        )
        + "\n"
    )


def _hardly_shown(metadata: ModelMetadata) -> str:
    """Cohorts with the states that others have shown and they have not."""
    if metadata.states_of_cohorts is None:
        return "not recorded"
    states = metadata.operating_states or ()
    lacking = {
        cohort: [state for state in states if state not in shown]
        for cohort, shown in metadata.states_of_cohorts.items()
        if cohort in (metadata.cohorts or ())
    }
    return "; ".join(f"{cohort}: {', '.join(some)}" for cohort, some in lacking.items() if some) or "none"


def calibration_plot(calibration: Calibration, threshold: float) -> bytes:
    """How the raw score becomes a tail probability (left) and a score (right), as a PNG."""
    first, last = calibration.knots[0], calibration.knots[-1]
    raw = np.linspace(first, last + _BEYOND * max(last - first, calibration.tail_scale), 400)
    figure = Figure(figsize=(9, 3.2), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(raw, np.exp(calibration.log_tail_probability(raw)), color=_CURVE)
    left.axvline(last, color=_MARK, linestyle="--", linewidth=1, label="fitted tail begins")
    left.set(yscale="log", xlabel="raw score", ylabel="share of healthy windows above")
    left.legend(frameon=False)
    right.plot(raw, calibration.to_score(raw), color=_CURVE)
    right.axhline(threshold, color=_MARK, linestyle="--", linewidth=1, label=f"threshold {threshold:g}")
    right.set(xlabel="raw score", ylabel="score", ylim=(0, 1))
    right.legend(frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _table(headings: tuple[str, str], rows: dict[str, str]) -> str:
    lines = [f"| {headings[0]} | {headings[1]} |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value} |" for name, value in rows.items())])
