"""Promotion with the canary's word on it (SPEC 3.1)."""

from collections.abc import Sequence

from fridge_assets.canary.gate import gate, stored_reports
from fridge_assets.canary.store import canary_reports
from fridge_assets.deployment.decide import Proof, Request
from fridge_assets.deployment.state import Decision
from fridge_assets.models.lifecycle import ModelLifecycle
from fridge_assets.registry.devices import active_devices, effective_registry
from fridge_assets.settings import CanarySettings, Settings
from fridge_assets.stores.warehouse import Warehouse


def proof_of(
    models: ModelLifecycle, warehouse: Warehouse, family: str, version: str, settings: CanarySettings
) -> Proof:
    """Whether ``version`` has passed against what scores now, and what is missing if not."""
    production = models.deployments.of(family).production
    if production is None or production == version:
        return Proof(passed=False, said="there is no other version to compare it with")
    rows = canary_reports(warehouse, family, (version, production))
    return gate(stored_reports(rows), settings.windows_needed)


def promote(
    models: ModelLifecycle,
    warehouse: Warehouse,
    family: str,
    version: str,
    request: Request,
    settings: Settings,
    *,
    regions: Sequence[str] = (),
    override: bool = False,
) -> Decision:
    """Release ``version`` of ``family``, everywhere or to ``regions`` first, if its canary passed.

    Args:
        models: the versions and where they stand.
        warehouse: holds the canary's reports.
        family: model family.
        version: the version.
        request: who and why.
        settings: how many windows must have passed.
        regions: only there for now.
        override: promote although the canary did not pass; the history keeps what it said and the reason.

    Raises:
        NotAllowed: it has not proved itself.
        UnknownName: a region does not exist.
        ArtifactRefused: its files are not what training wrote.
    """
    known = active_devices(effective_registry(settings.root, warehouse))["region"].unique() if regions else ()
    proof = proof_of(models, warehouse, family, version, settings.canary)
    return models.promote(
        family, version, request, proof, regions=regions, known_regions=list(known), override=override
    )
