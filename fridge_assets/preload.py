"""What every step needs, imported once by the executor's fork server."""

import atexit
import os

import matplotlib.figure
import mlflow.tracking
import scipy.stats
import sklearn.ensemble
import skops.io

import fridge_assets.definitions
from fridge_assets.contracts.validation import warm_up

warm_up()

# The fork server has nothing to clean up, and DuckDB's binding would print pages about references that Dagster and
# torch still hold when its interpreter is torn down. The steps themselves are forks, which end without this.
atexit.register(os._exit, 0)

__all__ = ["fridge_assets", "matplotlib", "mlflow", "scipy", "sklearn", "skops"]
