"""Which channel looks after which part of the graph: that of the team that owns it (SPEC 4, 7)."""

from typing import Self

import dagster as dg

from fridge_assets.notifications.message import CHANNELS, Channel

OWNER_TAG = "fridge/owner"
"""Tag of a step that makes no asset: the team that owns it, as ``owners`` of an asset name it."""

LATE_DATA = "FeaturesStale"
"""The error of a model that was given no young features: nothing is wrong with the model."""

_CHANNELS: dict[str, Channel] = {f"team:{channel.replace('_', '-')}": channel for channel in CHANNELS}
_UNOWNED: Channel = "ml"


class Routes:
    """Who is told about an asset, a step or a job.

    Args:
        channels: channel by name; what is not in it belongs to the models.
    """

    def __init__(self, channels: dict[str, Channel]) -> None:
        self._channels = channels

    @classmethod
    def of_graph(cls, graph: dg.RepositoryDefinition | None) -> Self:
        """Those of the owners of assets: a step belongs to the owner of what it makes or checks, a job to its last one.

        Args:
            graph: assets and jobs; None where there is no graph, as in a sensor that is evaluated by itself.
        """
        if graph is None:
            return cls({})
        owners = {node.key: node.owners[0] for node in graph.asset_graph.asset_nodes if node.owners}
        channels = {key.to_user_string(): _CHANNELS[owner] for key, owner in owners.items()}
        for made in graph.asset_graph.assets_defs:
            if made.is_executable:
                key = min(made.keys or {check.asset_key for check in made.check_keys})
                channels[made.op.name] = _CHANNELS[owners[key]]
        for job in graph.get_all_jobs():
            for step in job.nodes_in_topological_order:
                if owner := step.tags.get(OWNER_TAG):
                    channels[step.name] = _CHANNELS[owner]
                channels[job.name] = channels.get(step.name, _UNOWNED)
        return cls(channels)

    def channel_of(self, name: str, error: str = "") -> Channel:
        """Who is told about ``name``.

        Args:
            name: asset, step or job.
            error: class of the error that it failed with; empty when unknown.
        """
        return "data_platform" if error == LATE_DATA else self._channels.get(name, _UNOWNED)
