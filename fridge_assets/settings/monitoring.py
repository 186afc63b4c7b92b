"""Settings of the monitoring."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class MonitoringSettings(Group):
    """Watching the models: limits of SPEC 8, and of SPEC 4 for scores that are withheld."""

    min_rows: int = Field(200, ge=1, description="on fewer rows a metric says 'not enough data'")
    min_runs: int = Field(3, ge=1, description="and with fewer earlier runs to compare with")
    trailing_runs: int = Field(24, ge=1, description="scored windows before this one that its scores are held against")
    max_kl: float = Field(
        0.5, gt=0, description="KL divergence from the trailing runs above this is an anomalous distribution (nat)"
    )
    bins: int = Field(20, ge=2, description="bins of the KL divergence, equally full of the trailing scores")
    smoothing: float = Field(0.5, gt=0, description="rows added to every bin, so that none is empty")
    max_rows: int = Field(200_000, ge=1000, description="scores of several windows are sampled to about this many")
    level_span: timedelta = Field(timedelta(days=7), description="mean and p95 are held against those of this span")
    max_mean_shift: float = Field(0.05, gt=0, description="the mean score may be this far from that of the span")
    max_p95_shift: float = Field(0.10, gt=0, description="and the 95th percentile this far")
    max_flagged_points: float = Field(
        0.03, gt=0, le=1, description="the flagged share may be this far from the calibrated one (0.03 is 3 points)"
    )
    max_flagged_factor: float = Field(3.0, gt=1, description="and by this factor, up or down")
    chance: float = Field(
        1e-3, gt=0, lt=1, description="and is only worth a warning if chance alone gives it more rarely than this"
    )
    min_agreement: float = Field(0.85, ge=0, le=1, description="share of devices that two families must judge alike")
    min_unanimous: float = Field(0.75, ge=0, le=1, description="share of devices that all families must judge alike")
    max_psi: float = Field(0.2, gt=0, description="population stability index of a feature above this is drift")
    drift_bins: int = Field(10, ge=2, description="bins of the PSI, equally full of the training rows")
    drift_day: timedelta = Field(timedelta(hours=24), description="windows that are held against the training rows")
    drift_span: timedelta = Field(
        timedelta(hours=20), description="less data than this, now or in training, differ by the time of day alone"
    )
    drift_rows: int = Field(20_000, ge=1000, description="rows that each of them is sampled to")
