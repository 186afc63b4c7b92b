"""A small dense network: scored in plain numpy, trained elsewhere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_ROWS_PER_CHUNK = 2048
"""Rows whose layers fit the processor's cache together."""


@dataclass(frozen=True)
class DenseNetwork:
    """Dense layers with softsign, x / (1 + \\|x\\|), between them and none after the last.

    Softsign needs no more than addition and division, which IEEE 754 rounds alike on every machine; the last
    bit of a hyperbolic tangent depends on the processor.

    Args:
        weights: one matrix per layer, shape (inputs, outputs).
        biases: one vector per layer, shape (outputs,).
    """

    weights: tuple[Matrix, ...]
    biases: tuple[Matrix, ...]

    def apply(self, values: Matrix) -> Matrix:
        """The last layer's outputs, shape (n, outputs of the last layer).

        Term by term instead of a matrix product: the order in which a product adds up depends on the library, the
        processor and the number of rows, and with it the last bit of a score.
        """
        outputs = np.empty((len(values), self.weights[-1].shape[1]))
        for start in range(0, len(values), _ROWS_PER_CHUNK):
            # Units in rows: each unit's values of all rows of the chunk lie side by side.
            layer = np.ascontiguousarray(values[start : start + _ROWS_PER_CHUNK].T)
            for number, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
                layer = _sums(layer, weights, biases)
                if number < len(self.weights) - 1:
                    layer = layer / (1.0 + np.abs(layer))
            outputs[start : start + _ROWS_PER_CHUNK] = layer.T
        return outputs


def _sums(units: Matrix, weights: Matrix, biases: Matrix) -> Matrix:
    sums = np.repeat(biases[:, None], units.shape[1], axis=1)
    term = np.empty_like(sums)
    for unit, row in zip(units, weights, strict=True):
        np.multiply(row[:, None], unit[None, :], out=term)
        sums += term
    return sums
