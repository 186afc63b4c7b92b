"""What every step needs, imported once: by the executor's fork server, and by the demo while it simulates."""

import matplotlib.figure
import mlflow.tracking

import fridge_assets.definitions

__all__ = ["fridge_assets", "matplotlib", "mlflow"]
