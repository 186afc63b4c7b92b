"""Settings of the canary."""

from datetime import timedelta

from pydantic import Field

from fridge_assets.settings._group import Group


class BatterySettings(Group):
    """Healthy states that must stay quiet and known faults that must not be lost (SPEC 3.1)."""

    max_flagged: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="share of healthy windows that may be flagged in each state; more where production does",
    )
    min_recall: float = Field(
        0.9, gt=0, le=1, description="share of each fault that must be found, of what production finds of it"
    )
    chance: float = Field(
        1e-3, gt=0, lt=1, description="windows beyond a limit count only if chance alone gives it more rarely than this"
    )
    min_windows: int = Field(20, ge=1, description="of fewer windows nothing is said")
    found_windows: int = Field(
        2, ge=1, description="flagged windows from which a failure that people confirmed counts as found"
    )
    history: timedelta = Field(
        timedelta(days=2), description="span up to now from which the fleet's healthy windows are taken"
    )
    devices: int = Field(1000, ge=1, description="devices that these windows are taken from")
    windows: int = Field(300, ge=1, description="most windows of one state, fault or kind of label")
    simulated_devices: int = Field(
        40, ge=0, description="healthy machines in each of the two simulated fleets; 0 simulates none, and says so"
    )
    simulated_faulty: int = Field(4, ge=1, description="machines in each of them with each gradual fault")
    simulated_learning: timedelta = Field(
        timedelta(days=2), description="simulated time that a version of the same settings is trained on"
    )
    simulated_seed: int = Field(20260301, ge=0, description="of the simulated fleets")


class CanarySettings(Group):
    """A staged version beside production (SPEC 3.1)."""

    max_score_difference: float = Field(0.05, gt=0, description="mean absolute score difference must be below this")
    max_flagged_points: float = Field(
        0.02, gt=0, le=1, description="flagged shares may differ by this much (0.02 is 2 percentage points)"
    )
    max_flagged_factor: float = Field(2.0, gt=1, description="and by this factor, up or down")
    min_top_overlap: float = Field(0.80, ge=0, le=1, description="share of the highest devices that both must name")
    top_devices: int = Field(100, ge=1, description="how many devices are the highest")
    top_share: float = Field(0.10, gt=0, le=1, description="but no larger share of the fleet than this")
    max_kl: float = Field(0.1, gt=0, description="KL divergence of the score distributions must be below this (nat)")
    bins: int = Field(20, ge=2, description="bins of the KL divergence, equally full of production's scores")
    smoothing: float = Field(0.5, gt=0, description="rows added to every bin, so that none is empty")
    min_rows: int = Field(200, ge=1, description="on fewer compared devices nothing is concluded")
    max_missing: float = Field(
        0.01, ge=0, lt=1, description="share of production's devices that a candidate may leave unscored"
    )
    noise_factor: float = Field(
        2.0, ge=1, description="a shift beyond its limit counts only if it is this many times production's own noise"
    )
    chance: float = Field(
        1e-3, gt=0, lt=1, description="and, where devices are counted, if chance alone gives it more rarely than this"
    )
    windows_needed: int = Field(3, ge=1, description="newest compared windows that must all pass before a release")
    watched_runs: int = Field(
        3, ge=0, description="windows in which a new release is held against the one before it (SPEC 3)"
    )
    battery: BatterySettings = BatterySettings()
