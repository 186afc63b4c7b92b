"""Settings of training, calibration and the model families."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from fridge_assets.settings._group import Group


class CalibrationSettings(Group):
    """What a score means: tail probability to [0, 1] (SPEC 2.2)."""

    anchors: tuple[tuple[float, float], ...] = Field(
        ((1.0, 0.0), (1e-2, 0.60), (3e-4, 0.70), (2e-5, 0.85), (1e-6, 0.95)),
        description="(tail probability, score) pairs; scores are linear in log probability between them",
    )
    threshold: float = Field(0.60, gt=0, lt=1, description="a score above this is flagged")
    tail_share: float = Field(
        0.01, gt=0, lt=0.5, description="share of the sample the generalised Pareto tail is fitted to"
    )
    body_points: int = Field(1000, ge=10, description="quantiles kept below the tail")
    folds: int = Field(3, ge=2, description="time blocks of the cross-fitting that calibrates on unseen windows")
    thin_rows: int = Field(5000, ge=1, description="with fewer windows than this there are thin_folds blocks")
    thin_folds: int = Field(6, ge=2, description="so many that each block's model knows nearly as much as the version")
    max_rows: int = Field(
        100_000, ge=1000, description="cross-fitting takes some devices only where all have more windows than this"
    )
    independent_span: timedelta = Field(
        timedelta(hours=1), description="windows of one device within this count as one of its independent blocks"
    )
    independent_devices: int = Field(
        400, ge=1, description="at most so many devices seen at the same time count: they share weather and season"
    )
    state_rows: int = Field(
        50, ge=10, description="windows of an operating state from which it may have a calibration of its own"
    )
    cohort_rows: int = Field(
        500, ge=100, description="windows of a cohort in an operating state from which it may have one of its own"
    )
    provisional_score: float = Field(
        0.85, gt=0, le=1, description="a version that has seen too little to say more than this is provisional"
    )
    beyond: float = Field(
        100.0, ge=1, description="a score may say that a window is so many times rarer than one in its blocks"
    )


class TrainingSettings(Group):
    """Which windows models learn from (SPEC 2.1)."""

    history: timedelta = Field(timedelta(days=28), description="training looks this far back from the newest window")
    max_rows: int = Field(200_000, ge=1000, description="windows sampled evenly over time and cohorts")
    max_day_rows: int = Field(
        40_000,
        ge=1000,
        description="days sampled instead, for models of day-level behaviour; each averages many windows",
    )
    min_rows: int = Field(32, ge=1, description="fewer usable windows than this and training is refused")
    min_completeness: float = Field(
        0.7, ge=0, le=1, description="values there are, of the sensors that the device has (own_completeness)"
    )
    min_reading_share: float = Field(
        0.6, ge=0, le=1, description="readings in a window, of those that the device's interval lets expect"
    )
    max_flagged_share: float = Field(
        0.34,
        ge=0,
        description="quality flags on a window per reading; unusual and missing values are none of them",
    )
    after_maintenance: timedelta = Field(
        timedelta(hours=48), description="windows this soon after maintenance are left out"
    )
    min_state_rows: int = Field(
        100, ge=1, description="windows of each operating state of a cohort that are taken where the history has them"
    )
    known_state_rows: int = Field(
        5, ge=1, description="windows of a cohort, and of an operating state in it, from which a model knows them"
    )
    max_self_cleaning: float = Field(0.10, ge=0, le=0.10, description="at most this share is dropped as contaminated")
    seed: int = 20240615


class ForestSettings(Group):
    """Isolation forest (SPEC 2.1)."""

    trees: int = Field(1500, ge=1, description="so many that another seed names nearly the same strangest devices")
    samples_per_tree: int = Field(1024, ge=2)
    shortlist_trees: int = Field(200, ge=1, description="trees that score every row")
    shortlist_share: float = Field(
        0.05, gt=0, le=1, description="share of rows, the strangest by these, that all trees score"
    )


class BaselineSettings(Group):
    """Statistical baseline (SPEC 2.1)."""

    full_trust: timedelta = Field(
        timedelta(days=1),
        description="with less history of its own a device's statistics are shrunk to its cohort's",
    )
    strongest: int = Field(3, ge=1, description="largest robust z-scores that make up the raw score")
    max_z: float = Field(50.0, gt=1, description="a single z-score counts at most this much")
    prior_windows: int = Field(
        20,
        ge=1,
        description="windows at which a device's own scale counts as much as its cohort's typical one",
    )
    min_scale: float = Field(
        0.25,
        gt=0,
        description="smallest scale of a device, as a share of the fleet's typical within-device scale",
    )
    max_scale: float = Field(
        2.0, gt=1, description="largest own spread of a device, as a multiple of its cohort's typical one"
    )
    min_cohort_devices: int = Field(5, ge=2, description="a cohort with fewer devices uses the fleet's statistics")


class AutoencoderSettings(Group):
    """Autoencoder (SPEC 2.1)."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where to train; auto takes a graphics processor when torch finds one; scoring needs none"
    )
    min_cohort_devices: int = Field(50, ge=2, description="a cohort with fewer devices uses the fleet's network")
    hidden: int = Field(24, ge=2, description="units of the layers beside the bottleneck")
    bottleneck: int = Field(8, ge=1, description="units of the bottleneck")
    max_network_rows: int = Field(12_000, ge=1000, description="rows that one network learns from")
    max_epochs: int = Field(20, ge=1, description="most passes over the rows")
    patience: int = Field(2, ge=1, description="passes without progress on held-out windows that end the training")
    batch: int = Field(512, ge=1, description="most rows per step")
    learning_rate: float = Field(1e-2, gt=0, description="step size (Adam)")
    blurred_share: float = Field(0.5, ge=0, le=1, description="rows in which one sensor is replaced while training")
    clip: float = Field(5.0, gt=0, description="the network sees values up to this many typical deviations")
    max_error: float = Field(50.0, gt=1, description="a single standardised error counts at most this much")
    strongest: int = Field(3, ge=1, description="largest standardised errors that make up the raw score")


class DbscanSettings(Group):
    """Density clusters of day-level behaviour (SPEC 2.1)."""

    day: timedelta = Field(timedelta(hours=24), description="span up to the window's end that a day's means cover")
    min_windows: int = Field(4, ge=1, description="windows in that span without which a device has no day yet")
    spacing: timedelta = Field(
        timedelta(hours=1), description="training takes about one day of a device per span of this length"
    )
    min_cohort_devices: int = Field(50, ge=2, description="a cohort with fewer devices uses the fleet's clusters")
    min_points: int = Field(5, ge=2, description="days within eps that make one of them a core point")
    eps_quantile: float = Field(
        0.90, gt=0, le=1, description="share of the days that have min_points others within eps, which decides eps"
    )
    explained: float = Field(
        0.995,
        gt=0,
        le=1,
        description="share of the variance that the principal components keep; a fault hides in what they leave out",
    )
    max_points: int = Field(4000, ge=100, description="days that one clustering is made of, and so most core points")
    clip: float = Field(20.0, gt=1, description="a feature counts up to this many typical deviations")
