"""Features by the sensor behind them, so that an explanation names sensors and not one of them five times."""

import numpy as np
from numpy.typing import NDArray

from fridge_assets.contracts.device_features import sensors_of
from fridge_assets.models.base import Explanation

Matrix = NDArray[np.float64]
SensorGroup = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Positions of a sensor's own features, and of all that are computed from it."""


def sensor_groups(features: tuple[str, ...]) -> list[SensorGroup]:
    """One group per sensor; a feature of several sensors belongs to each, or is alone where there is none."""
    sources = [sensors_of(name) for name in features]
    own: dict[tuple[str, ...], list[int]] = {}
    for position, sensors in enumerate(sources):
        if len(sensors) == 1:
            own.setdefault(sensors, []).append(position)
    groups = [
        (np.array(positions), np.array([i for i, sensors in enumerate(sources) if sensor in sensors]))
        for (sensor,), positions in own.items()
    ]
    covered = {int(i) for _, members in groups for i in members}
    return groups + [(np.array([i]), np.array([i])) for i in range(len(features)) if i not in covered]


def strongest_sensors(
    features: tuple[str, ...], groups: list[SensorGroup], deviations: Matrix, strengths: Matrix, top: int
) -> Explanation:
    """The strongest sensors of each row, each named by its oddest feature.

    Args:
        features: names of the features.
        groups: what :func:`sensor_groups` made of them.
        deviations: how odd each feature is, shape (n, features); of a sensor's own, the largest one is named.
        strengths: how strongly each group counts, shape (n, groups).
        top: most names per row; those without any strength are left out, except for the first.
    """
    oddest = np.column_stack([own[np.argmax(deviations[:, own], axis=1)] for own, _ in groups])
    order = np.argsort(-strengths, axis=1, kind="stable")[:, :top]
    largest = np.maximum(np.take_along_axis(strengths, order, axis=1), 0.0)
    kept = np.maximum((largest > 0).sum(axis=1), 1)
    chosen = np.take_along_axis(oddest, order, axis=1)
    return (
        [[features[i] for i in row[:k]] for row, k in zip(chosen, kept, strict=True)],
        [row[:k].tolist() for row, k in zip(largest, kept, strict=True)],
    )
