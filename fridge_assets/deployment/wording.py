"""Decisions in sentences."""

from fridge_assets.deployment.state import Decision, Deployment


def sentence(decision: Decision, state: Deployment) -> str:
    """What ``decision`` did and when it is felt, given the ``state`` after it."""
    version = f"{decision.family} {decision.version}"
    instead = f" instead of {decision.from_version}" if decision.from_version else ""
    replaced = f"{decision.family} {decision.from_version}"
    regions = ", ".join(decision.regions)
    match decision.action:
        case "stage":
            return f"{version} is staged{instead}: from the next canary run on it is compared with {state.released}."
        case "promote" if decision.regions and state.rollout:
            reached = ", ".join(sorted(state.rollout.regions))
            said = f"{version} is released to {reached}; elsewhere {state.released} stays"
        case "promote":
            said = f"{version} is released everywhere{instead}"
        case "roll_back" if decision.regions:
            said = f"{replaced} is taken back from {regions}; {decision.version} scores"
        case "roll_back":
            said = f"{version} is the release again{instead}"
        case "pin":
            said = f"{version} is pinned{instead}, whatever is released"
        case "unpin":
            said = f"{replaced} is no longer pinned; the release {decision.version} scores"
        case "archive":
            return f"{version} is archived and no longer a candidate."
        case "pause":
            return (
                f"{decision.family} is paused: it does not score and counts for no alert until "
                f"`fridge-assets resume {decision.family}`."
            )
        case "resume":
            said = f"{decision.family} scores again, with {decision.version}"
    pinned = state.pinned if decision.action in ("promote", "roll_back") else None
    if pinned:
        return f"{said}. It scores once the pin of {pinned} is taken out: `fridge-assets models unpin {state.family}`."
    return f"{said}, from the next run on."
