"""Which asset must be how fresh: the staleness tiers as Dagster sees them (SPEC 4)."""

from collections.abc import Iterable, Sequence

import dagster as dg

from fridge_assets.contracts import DEVICE_ALERTS, DEVICE_FEATURES, DEVICE_STATUS, MODEL_SCORES, SITE_STATUS
from fridge_assets.models.families import FAMILIES, HOURLY_FAMILIES
from fridge_assets.scoring.score import scores_table
from fridge_assets.settings import StalenessSettings
from fridge_assets.staleness.tiers import daily_window, expiry_window, serving_window, stream_window
from fridge_assets.streaming.assets import streaming_alerts

_SERVING = (
    DEVICE_FEATURES.name,
    *(scores_table(family) for family in HOURLY_FAMILIES),
    MODEL_SCORES.name,
    DEVICE_ALERTS.name,
)
_DAILY = tuple(scores_table(family) for family in FAMILIES if family not in HOURLY_FAMILIES)
_SHOWN_TO_PEOPLE = (DEVICE_STATUS.name, SITE_STATUS.name)
_STREAM = (streaming_alerts.key.to_user_string(),)

WATCHED = (*_SERVING, *_DAILY, *_SHOWN_TO_PEOPLE, *_STREAM)
"""Assets with a freshness policy."""


def with_freshness(
    assets: Iterable[dg.AssetsDefinition | dg.AssetSpec], settings: StalenessSettings
) -> Sequence[dg.AssetsDefinition | dg.AssetSpec]:
    """``assets`` with a freshness policy on each that serves scores or shows them to people, and on the stream."""
    policies = {}
    for window, names in (
        (serving_window(settings), _SERVING),
        (daily_window(settings), _DAILY),
        (expiry_window(settings), _SHOWN_TO_PEOPLE),
        (stream_window(settings), _STREAM),
    ):
        policy = dg.FreshnessPolicy.time_window(warn_window=window.warn, fail_window=window.fail)
        policies.update(dict.fromkeys(names, policy))

    def apply(spec: dg.AssetSpec) -> dg.AssetSpec:
        policy = policies.get(spec.key.to_user_string())
        return spec if policy is None else spec.replace_attributes(freshness_policy=policy)

    return list(dg.map_asset_specs(apply, assets))
