"""What every step needs, imported once by the executor's fork server."""

import matplotlib.figure
import mlflow.tracking
import scipy.stats
import sklearn.ensemble
import skops.io

import fridge_assets.definitions
from fridge_assets.contracts.validation import warm_up

warm_up()

__all__ = ["fridge_assets", "matplotlib", "mlflow", "scipy", "sklearn", "skops"]
