"""Who owns which part of the graph."""

from fridge_assets.definitions import build_definitions
from fridge_assets.settings import Settings
from fridge_assets.telling.routes import Routes

GRAPH = build_definitions(Settings()).get_repository_def()
ROUTES = Routes.of_graph(GRAPH)
