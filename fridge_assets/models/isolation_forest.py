"""Isolation forest over all features of the fleet (SPEC 2.1); Liu, Ting and Zhou (2008)."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fridge_assets.models.base import Explanation, Granularity, feature_matrix
from fridge_assets.settings import Settings
