"""Which asset must be how fresh: the staleness tiers as Dagster sees them (SPEC 4)."""

import dagster as dg

from fridge_assets.contracts import DEVICE_ALERTS, DEVICE_FEATURES, DEVICE_STATUS, MODEL_SCORES, SITE_STATUS
from fridge_assets.models.families import FAMILIES
from fridge_assets.scoring.score import scores_table
from fridge_assets.settings import StalenessSettings
from fridge_assets.staleness.tiers import FreshnessWindow, expiry_window, serving_window

_SERVING = (
    DEVICE_FEATURES.name,
    *(scores_table(family) for family in FAMILIES),
    MODEL_SCORES.name,
    DEVICE_ALERTS.name,
)
_SHOWN_TO_PEOPLE = (DEVICE_STATUS.name, SITE_STATUS.name)


def with_freshness(definitions: dg.Definitions, settings: StalenessSettings) -> dg.Definitions:
    """``definitions`` with a freshness policy on every serving asset."""
    for window, assets in ((serving_window(settings), _SERVING), (expiry_window(settings), _SHOWN_TO_PEOPLE)):
        definitions = definitions.map_resolved_asset_specs(
            selection=dg.AssetSelection.assets(*assets), func=lambda spec, window=window: _apply(spec, window)
        )
    return definitions


def _apply(spec: dg.AssetSpec, window: FreshnessWindow) -> dg.AssetSpec:
    policy = dg.FreshnessPolicy.time_window(warn_window=window.warn, fail_window=window.fail)
    return dg.apply_freshness_policy(spec, policy)
