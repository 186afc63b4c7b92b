"""What a second replay does otherwise than the first: other versions, other settings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from fridge_assets.core.errors import FridgeError
from fridge_assets.core.names import unknown
from fridge_assets.deployment.state import Deployment
from fridge_assets.models.families import require_family
from fridge_assets.settings import Settings

GROUPS = ("scoring", "dbscan", "monitoring", "staleness", "alerts")
"""Groups of settings that decide what people are told; the others were at work when readings came or models learned."""


@dataclass(frozen=True)
class Change:
    """What is other than today; nothing when both are empty.

    Args:
        versions: family → the version that scores instead of the one that serves now.
        settings: name, as ``alerts.medium_score`` → value as text.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """The change in words."""
        parts = [f"{family} {version}" for family, version in self.versions.items()]
        parts += [f"{name}={value}" for name, value in self.settings.items()]
        return ", ".join(parts) or "as it is now"


def parse_pairs(texts: Sequence[str], option: str, example: str) -> dict[str, str]:
    """``NAME=VALUE`` texts by name.

    Raises:
        FridgeError: one is no pair.
    """
    pairs = dict(text.partition("=")[::2] for text in texts)
    for name, value in pairs.items():
        if not name or not value:
            raise FridgeError(f"{option} {name} is not a pair", f"Write it as {option} {example}.")
    return pairs


def require_versions(change: Change, deployments: Mapping[str, Deployment]) -> None:
    """Refuse a comparison with what scores already, or with a family that says nothing.

    Raises:
        FridgeError: a family does not exist, is paused, has no release, or serves this version already.
    """
    for family, version in change.versions.items():
        require_family(family)
        state = deployments[family]
        if state.production is None:
            raise FridgeError(f"{family} has no release to compare with", f"Train it: `fridge-assets train {family}`.")
        if state.pause is not None:
            raise FridgeError(f"{family} is paused and says nothing in a replay", f"See `resume {family}`.")
        if state.production == version:
            raise FridgeError(
                f"{family} {version} is what scores now", f"Compare with another one: `models list` has {family}'s."
            )


def changed_settings(settings: Settings, change: Change) -> Settings:
    """``settings`` with those of ``change``.

    Raises:
        FridgeError: there is no such setting, it plays no part in a replay, or its value does not fit.
    """
    for name, text in change.settings.items():
        group_name, _, field_name = name.partition(".")
        if group_name not in GROUPS:
            raise FridgeError(
                f"{name} is no setting that a replay depends on", f"Choose one of the groups {', '.join(GROUPS)}."
            )
        group = getattr(settings, group_name)
        fields = type(group).model_fields
        if field_name not in fields:
            raise unknown("setting", name, [f"{group_name}.{field}" for field in fields])
        try:
            value = json.loads(text) if text.startswith(("[", "{")) else text
            changed = type(group).model_validate({**group.model_dump(), field_name: value})
        except json.JSONDecodeError as error:
            raise FridgeError(
                f"{name} cannot be {text!r}: it is no JSON ({error})", "Give a value that fits."
            ) from error
        except ValidationError as error:
            said = error.errors()[0]["msg"]
            raise FridgeError(f"{name} cannot be {text!r}: {said}", "Give a value that fits.") from error
        settings = settings.model_copy(update={group_name: changed})
    return settings
