"""What each metric says: a shift counts when production's own noise does not explain it (SPEC 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fridge_assets.canary.inputs import Compared
from fridge_assets.canary.metrics import Scores, count_flags, highest, score_difference, top_overlap
from fridge_assets.contracts.canary_reports import CANARY_METRICS, CANARY_VERDICTS
from fridge_assets.scoring.distribution import kl_divergence
from fridge_assets.settings import CanarySettings

Verdict = Literal["pass", "inconclusive", "investigate", "review", "block"]


@dataclass(frozen=True)
class MetricResult:
    """One metric, its noise and its verdict.

    Args:
        name: one of CANARY_METRICS.
        value: of the candidate against production; None when an input was unusable.
        noise: of production's twin against production; None without a usable twin.
        limit: what the value is held against.
        verdict: what follows from this metric alone.
        sentence: why, without a full stop; empty for a pass.
    """

    name: str
    value: float | None
    noise: float | None
    limit: float | None
    verdict: Verdict
    sentence: str


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst of ``verdicts``, of which there is at least one."""
    return max(verdicts, key=CANARY_VERDICTS.index)


def judge(
    compared: Compared, candidate_threshold: float, production_threshold: float, settings: CanarySettings
) -> tuple[MetricResult, ...]:
    """The four metrics in the order of CANARY_METRICS.

    Within its limit a metric passes, unless the noise alone is beyond it. Beyond its limit it has its consequence if
    it is clearly further out than noise, else it is inconclusive: two versions of equal worth are as far apart.
    Without anything that could be concluded all four are inconclusive, whatever their values.
    """
    if compared.refused or not len(compared.devices):
        return tuple(MetricResult(name, None, None, None, "inconclusive", "") for name in CANARY_METRICS)
    ours, production, twin = compared.candidate, compared.production, compared.twin
    results = (
        _difference(ours, production, twin, settings),
        _flagged(ours, production, twin, (candidate_threshold, production_threshold), settings),
        _overlap(ours, production, twin, settings),
        _divergence(ours, production, twin, settings),
    )
    if not compared.missing:
        return results
    return tuple(MetricResult(r.name, r.value, r.noise, r.limit, "inconclusive", "") for r in results)


def _difference(ours: Scores, production: Scores, twin: Scores | None, settings: CanarySettings) -> MetricResult:
    limit, value = settings.max_score_difference, score_difference(ours, production)
    noise = None if twin is None else score_difference(twin, production)
    return _result(
        ("score_difference", value, noise, limit),
        within=value < limit,
        noise_within=noise is not None and noise < limit,
        clear=noise is not None and value > settings.noise_factor * noise,
        consequence="investigate",
        said=(f"mean score difference {value:.3f} over {limit:g}", _noise(noise, ".3f")),
    )


def _flagged(
    ours: Scores,
    production: Scores,
    twin: Scores | None,
    thresholds: tuple[float, float],
    settings: CanarySettings,
) -> MetricResult:
    flags = count_flags(ours, production, *thresholds)
    limit = flags.limit(settings)
    noise = None if twin is None else count_flags(twin, production, thresholds[1], thresholds[1])
    clear = flags.by_chance() < settings.chance and noise is not None
    shares = f"flagged share {flags.ours / flags.rows:.2%} against {flags.production / flags.rows:.2%}"
    return _result(
        ("flagged_share", flags.shift, None if noise is None else noise.shift, limit),
        within=flags.shift <= limit,
        noise_within=noise is not None and noise.shift <= noise.limit(settings),
        clear=clear and noise is not None and flags.shift > settings.noise_factor * noise.shift,
        consequence="block",
        said=(
            f"{shares}, may move by {100 * limit:.2f} pp",
            "" if noise is None else f"noise {100 * noise.shift:.2f} pp",
        ),
    )


def _overlap(ours: Scores, production: Scores, twin: Scores | None, settings: CanarySettings) -> MetricResult:
    limit, value = settings.min_top_overlap, top_overlap(ours, production, settings)
    noise = None if twin is None else top_overlap(twin, production, settings)
    number = len(highest(production, settings))
    return _result(
        ("top_overlap", value, noise, limit),
        within=value >= limit,
        noise_within=noise is not None and noise >= limit,
        clear=noise is not None and _loses_more(value, noise, number, settings.chance),
        consequence="review",
        said=(f"overlap of the {number} highest {value:.0%} under {limit:.0%}", _noise(noise, ".0%")),
    )


def _divergence(ours: Scores, production: Scores, twin: Scores | None, settings: CanarySettings) -> MetricResult:
    limit, bins = settings.max_kl, (settings.bins, settings.smoothing)
    value = kl_divergence(ours, production, *bins)
    noise = None if twin is None else kl_divergence(twin, production, *bins)
    return _result(
        ("kl_divergence", value, noise, limit),
        within=value < limit,
        noise_within=noise is not None and noise < limit,
        clear=noise is not None and value > settings.noise_factor * noise,
        consequence="block",
        said=(f"KL divergence {value:.2g} over {limit:g}", _noise(noise, ".2g")),
    )


def _loses_more(value: float, noise: float, number: int, chance: float) -> bool:
    """Whether the candidate lost more of the highest devices than the twin, beyond chance.

    Fisher's exact test of two shares of ``number`` devices each. A factor on the noise would not do here: where the
    twin loses half of them, twice as many are all, and not even a model of pure chance would be found out.
    """
    from scipy.stats import hypergeom  # noqa: PLC0415 (most of a second, which only a comparison pays)

    lost, by_twin = round((1 - value) * number), round((1 - noise) * number)
    return bool(hypergeom.sf(lost - 1, 2 * number, lost + by_twin, number) < chance)


def _result(
    figures: tuple[str, float, float | None, float],
    *,
    within: bool,
    noise_within: bool,
    clear: bool,
    consequence: Verdict,
    said: tuple[str, str],
) -> MetricResult:
    finding, noise = said
    if within and noise_within:
        return MetricResult(*figures, "pass", "")
    if within:
        name = figures[0].replace("_", " ").replace("kl", "KL")
        return MetricResult(*figures, "inconclusive", f"{name}: production's own noise is beyond the limit ({noise})")
    if clear:
        return MetricResult(*figures, consequence, f"{finding} ({noise})")
    return MetricResult(*figures, "inconclusive", f"{finding}, which noise or chance explains ({noise})")


def _noise(noise: float | None, form: str) -> str:
    return "" if noise is None else f"noise {noise:{form}}"
