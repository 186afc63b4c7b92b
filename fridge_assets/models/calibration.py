"""What a score means: how rare the raw output is on healthy training windows, in [0, 1] (SPEC 2.2)."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fridge_assets.core.errors import FridgeError
from fridge_assets.settings import CalibrationSettings

_FEWEST_TAIL_POINTS = 20
_FEWEST_POINTS_FOR_SHAPE = 20
_APPROACH = 1.0
"""In log p: how far above its limit a probability begins to be held back."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """A strictly increasing map from raw score to [0, 1], frozen into the model version.

    Raw score → log of the tail probability: straight lines between sample quantiles (the body); above the
    last quantile a generalised Pareto tail with shape >= 0, so that no raw value is ever beyond its end;
    below the first one a hyperbola towards probability 1; never below ``least_log_p``, which is approached over the
    last factor of e. Log probability → score: straight lines between the
    anchors, and ``1 - (1 - s) * log(p_last) / log(p)`` beyond the last anchor ``(p_last, s)``. Everything
    works in log p, so that nothing underflows.

    Args:
        knots: raw values of the body, strictly increasing; the last one is where the tail starts.
        log_p: log tail probability at each knot, strictly decreasing.
        tail_shape: generalised Pareto shape, 0 means exponential.
        tail_scale: its scale, > 0, in units of the raw score.
        lower_scale: how fast the probability approaches 1 below the first knot.
        anchor_log_p: log tail probability of the anchors, decreasing, from 0.
        anchor_scores: scores of the anchors, increasing, from 0.
        least_log_p: log of the smallest probability that the sample allows to say; None, no limit, in versions of
            earlier releases.
    """

    knots: tuple[float, ...]
    log_p: tuple[float, ...]
    tail_shape: float
    tail_scale: float
    lower_scale: float
    anchor_log_p: tuple[float, ...]
    anchor_scores: tuple[float, ...]
    least_log_p: float | None = None

    @classmethod
    def fit(cls, raw: Array, settings: CalibrationSettings, independent: int | None = None) -> Self:
        """A calibration on the raw scores of (device, window) training rows.

        Args:
            raw: shape (n,), n >= 1, any order; ties and constant samples are fine.
            settings: anchors, tail share, body points, and how far beyond the sample a score may go.
            independent: how many of them are independent of one another; all where not given.

        Raises:
            FridgeError: ``raw`` is empty or holds NaN or infinity.
        """
        sample = np.sort(np.asarray(raw, dtype=np.float64))
        if sample.size == 0 or not np.isfinite(sample).all():
            raise FridgeError(
                f"{np.isfinite(sample).sum()} of {sample.size} raw scores to calibrate on are finite",
                "Look at the training rows for impossible values and train again.",
            )
        n = sample.size
        tail_points = max(round(settings.tail_share * n), min(_FEWEST_TAIL_POINTS, n // 3))
        last = n - 1 - tail_points
        ranks = np.unique(np.linspace(0, last, settings.body_points).round().astype(np.intp))
        knots = np.unique(sample[ranks])
        # Mid-probability: ties count half, so that no knot has probability 0 or 1.
        above = n - np.searchsorted(sample, knots, side="right")
        equal = n - np.searchsorted(sample, knots, side="left") - above
        log_p = np.log((above + 0.5 * equal) / n)
        independent = n if independent is None else min(independent, n)
        excess = sample[sample > knots[-1]] - knots[-1]
        shape, scale = _fit_tail(excess, excess.size * independent / n, _typical_step(sample))
        return cls(
            knots=tuple(knots.tolist()),
            log_p=tuple(log_p.tolist()),
            tail_shape=shape,
            tail_scale=scale,
            lower_scale=_typical_step(sample),
            anchor_log_p=tuple(math.log(p) for p, _ in settings.anchors),
            anchor_scores=tuple(score for _, score in settings.anchors),
            least_log_p=-math.log(max(independent * settings.beyond, 2.0)),
        )

    def log_tail_probability(self, raw: Array) -> Array:
        """Log of the share of healthy windows that are at least this strange; NaN in raises FridgeError."""
        raw = np.asarray(raw, dtype=np.float64)
        if np.isnan(raw).any():
            raise FridgeError(
                f"{int(np.isnan(raw).sum())} of {raw.size} raw scores are not numbers",
                "Look at the features of these rows; a score is never made from NaN.",
            )
        knots, log_p = np.asarray(self.knots), np.asarray(self.log_p)
        body = _interpolate(raw, knots, log_p)
        with np.errstate(over="ignore"):
            excess = np.maximum(raw - knots[-1], 0.0) / self.tail_scale
            tail = np.log1p(self.tail_shape * excess) / self.tail_shape if self.tail_shape > 0 else excess
            below = np.maximum(knots[0] - raw, 0.0) / self.lower_scale
        found = np.where(raw > knots[-1], log_p[-1] - tail, np.where(raw < knots[0], log_p[0] / (1.0 + below), body))
        return found if self.least_log_p is None else _bounded(found, self.least_log_p)

    def to_score(self, raw: Array) -> Array:
        """Scores in [0, 1], shape (n,): strictly increasing in ``raw`` as far as float64 can tell.

        Raises:
            FridgeError: ``raw`` holds NaN.
        """
        return self._score(-self.log_tail_probability(raw))

    @property
    def unlimited(self) -> Self:
        """The same without a limit to how rare it may say that something is."""
        return replace(self, least_log_p=None)

    @property
    def highest_score(self) -> float:
        """What no score of it exceeds."""
        return 1.0 if self.least_log_p is None else float(self._score(np.array([-self.least_log_p]))[0])

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and floats; JSON keeps every bit of them."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The calibration that :meth:`to_dict` described."""
        restored: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        return cls(**restored)

    def _score(self, minus_log_p: Array) -> Array:
        anchors, scores = -np.asarray(self.anchor_log_p), np.asarray(self.anchor_scores)
        # max: no division by zero for the rows that the anchors serve
        beyond = 1.0 - (1.0 - scores[-1]) * anchors[-1] / np.maximum(minus_log_p, anchors[-1])
        return np.where(minus_log_p > anchors[-1], beyond, _interpolate(minus_log_p, anchors, scores))


def tail_probability(score: float, settings: CalibrationSettings) -> float:
    """How often a calibrated model gives a healthy window a score above ``score``: log-linear between the anchors.

    Beyond the last anchor it is that anchor's.
    """
    probabilities, scores = zip(*settings.anchors, strict=True)
    return float(np.exp(np.interp(score, scores, np.log(probabilities))))


def _bounded(log_p: Array, least: float) -> Array:
    """``log_p``, strictly increasing still, but never below ``least``; what is far above it stays as it is."""
    width = min(_APPROACH, -least / 2)
    beyond = np.maximum(least + width - log_p, 0.0) / width
    return np.where(beyond > 0, least + width / (1.0 + beyond), log_p)


def _interpolate(x: Array, knots: Array, values: Array) -> Array:
    """Straight lines between the knots, constant outside; monotone to the last bit, unlike ``np.interp``."""
    if len(knots) == 1:
        return np.full(x.shape, values[0])
    right = np.clip(np.searchsorted(knots, x, side="right"), 1, len(knots) - 1)
    x0, x1, y0, y1 = knots[right - 1], knots[right], values[right - 1], values[right]
    fraction = (np.clip(x, x0, x1) - x0) / (x1 - x0)
    result = y0 + (y1 - y0) * fraction
    # Rounding may carry the right end past its knot, which would break the order with the next segment.
    return np.clip(result, np.minimum(y0, y1), np.maximum(y0, y1))


def _typical_step(sample: Array) -> float:
    """A positive length in units of the raw score, also for a constant sample."""
    low, high = np.quantile(sample, (0.25, 0.75))
    for width in (high - low, sample[-1] - sample[0]):
        if width > 0:
            return float(width)
    return float(max(abs(sample[0]) * 1e-3, 1e-9))


def _fit_tail(excess: Array, independent: float, fallback_scale: float) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution by maximum likelihood, shape >= 0.

    Grimshaw (1993): with theta = shape / scale the best shape is mean(log(1 + theta * excess)), which leaves
    a search over theta > 0 alone; theta → 0 is the exponential distribution. Of few independent values the mean is in
    doubt: the exponential distribution, averaged over all means that they allow, is a generalised Pareto
    distribution of shape 1 / ``independent`` (Geisser, 1993), and no tail is taken for a lighter one.

    Args:
        excess: how far values are above the start of the tail, shape (n,).
        independent: how many of them are independent of one another, about.
        fallback_scale: scale where there are none.
    """
    doubt = 1.0 / max(independent, 1.0)
    if excess.size == 0:
        return doubt, fallback_scale
    mean = float(excess.mean())
    if excess.size < _FEWEST_POINTS_FOR_SHAPE:
        return doubt, mean
    y = excess / mean

    def negative_log_likelihood(log_theta: float) -> float:
        theta = math.exp(log_theta)
        shape = float(np.log1p(theta * y).mean())
        return math.log(shape / theta) + 1.0 + shape

    from scipy.optimize import minimize_scalar  # noqa: PLC0415 (half of a second, which only training pays)

    best = minimize_scalar(negative_log_likelihood, bounds=(-12.0, 6.0), method="bounded")
    theta = math.exp(best.x)
    shape = float(np.log1p(theta * y).mean())
    if best.fun >= 1.0 or shape < doubt:  # 1.0 is the exponential's
        return doubt, mean
    return shape, shape / theta * mean
