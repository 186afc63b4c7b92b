"""What steps with a process of their own need, imported once: by the server that they fork from, and by the demo.

The stores of MLflow and scikit-learn's trees are imported late by those who use them, which would be in every step.
"""

import matplotlib.figure
import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store
import mlflow.tracking
import sklearn.tree._tree

import fridge_assets.definitions

__all__ = ["fridge_assets", "matplotlib", "mlflow", "sklearn"]
