"""The newest pictures of the assets, for their descriptions in the UI: ``/pictures/ASSET/TITLE``."""

import dagster as dg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fridge_assets.steps.results import PICTURES, png_of

_NONE = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
"""Shown where there is no picture yet: nothing."""

_HEADERS = {"Cache-Control": "no-store"}


def newest_picture(instance: dg.DagsterInstance, asset: str, title: str) -> bytes | None:
    """The PNG that ``asset`` has shown last; None before there is one.

    Args:
        instance: records what assets said.
        asset: its key.
        title: how the name of the picture in its metadata begins.
    """
    key = dg.AssetKey(asset)
    found = [*instance.fetch_materializations(key, limit=1).records, *instance.fetch_observations(key, limit=1).records]
    for record in sorted(found, key=lambda record: record.timestamp, reverse=True):
        said = record.asset_materialization or record.event_log_entry.asset_observation
        for name, shown in (said.metadata if said is not None else {}).items():
            if name.startswith(title) and isinstance(shown, dg.MarkdownMetadataValue):
                png = png_of(shown)
                if png is not None:
                    return png
    return None


def picture_route(instance: dg.DagsterInstance) -> Route:
    """Serves the pictures of ``instance``."""

    def answer(request: Request) -> Response:
        png = newest_picture(instance, request.path_params["asset"], request.path_params["title"])
        if png is None:
            return Response(_NONE, media_type="image/svg+xml", headers=_HEADERS)
        return Response(png, media_type="image/png", headers=_HEADERS)

    return Route(f"{PICTURES}/{{asset}}/{{title}}", answer)
