"""Training of the autoencoder's networks; the only module that needs torch, and only while it trains."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fridge_assets.core.errors import FridgeError
from fridge_assets.models._dense_network import DenseNetwork
from fridge_assets.settings import AutoencoderSettings

if TYPE_CHECKING:
    import torch

Matrix = NDArray[np.float64]

_HELD_OUT = 0.1
_LEAST_GAIN = 1e-3
_HUBER = 1.0
_LEAST_STEPS = 8
_DECAY, _SQUARE_DECAY, _NEVER_ZERO = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class Lesson:
    """What a network is trained on.

    Args:
        values: standardised and clipped features, shape (n, features).
        moments: number of each row's window, shape (n,); whole windows are held out.
        sensors: which features depend on each sensor, shape (sensors, features).
    """

    values: Matrix
    moments: NDArray[np.intp]
    sensors: NDArray[np.bool_]


def untrained(inputs: int, settings: AutoencoderSettings, rng: np.random.Generator) -> DenseNetwork:
    """A network with random weights (Glorot and Bengio, 2010)."""
    hidden = min(settings.hidden, inputs)
    sizes = (inputs, hidden, min(settings.bottleneck, hidden), hidden, inputs)
    weights = tuple(
        rng.uniform(-1.0, 1.0, (size, following)) * np.sqrt(6.0 / (size + following))
        for size, following in pairwise(sizes)
    )
    return DenseNetwork(weights, tuple(np.zeros(size) for size in sizes[1:]))


def trained(
    start: DenseNetwork, lesson: Lesson, settings: AutoencoderSettings, rng: np.random.Generator
) -> DenseNetwork:
    """``start`` trained to reproduce its input, until the windows held out are no longer reproduced better.

    A denoising autoencoder (Vincent et al., 2008): in a part of the rows one sensor reads what it read in another row,
    and the network is to restore it. So it learns to believe a sensor no more than the others confirm, and a
    faulty sensor shows in its own error instead of in everybody's.

    Raises:
        FridgeError: a graphics processor is asked for, and there is none.
    """
    import torch  # noqa: PLC0415 (3 s, which scoring must not pay)

    device = _device(settings)
    threads = torch.get_num_threads()
    # One thread: the order of a floating-point sum decides its last bit, and these layers are too thin for more.
    torch.set_num_threads(1)
    try:
        return _trained(start, lesson, settings, rng, device)
    finally:
        torch.set_num_threads(threads)


def _trained(
    start: DenseNetwork, lesson: Lesson, settings: AutoencoderSettings, rng: np.random.Generator, device: str
) -> DenseNetwork:
    import torch  # noqa: PLC0415

    arrays = [array for pair in zip(start.weights, start.biases, strict=True) for array in pair]
    flat = torch.tensor(np.concatenate([array.ravel() for array in arrays]), dtype=torch.float32, device=device)
    shapes = [array.shape for array in arrays]
    seen, unseen = _split(lesson.moments, rng)
    values = torch.tensor(lesson.values, dtype=torch.float32, device=device)
    held_out = values[torch.from_numpy(unseen).to(device)]
    size = min(settings.batch, max(len(seen) // _LEAST_STEPS, 1))
    step = _Adam(flat, settings.learning_rate)
    best, best_loss, patience = flat.clone(), np.inf, settings.patience
    for _ in range(settings.max_epochs):
        order, donors = torch.from_numpy(rng.permutation(seen)).to(device), torch.from_numpy(rng.permutation(seen))
        swapped = torch.from_numpy(_swapped(lesson.sensors, len(seen), settings.blurred_share, rng)).to(device)
        wanted = values[order]
        given = torch.where(swapped, values[donors.to(device)], wanted)
        for first in range(0, len(seen), size):
            batch = slice(first, first + size)
            flat.requires_grad = True
            (gradient,) = torch.autograd.grad(_loss(_parameters(flat, shapes), given[batch], wanted[batch]), flat)
            flat.requires_grad = False
            step.take(flat, gradient)
        loss = float(_loss(_parameters(flat, shapes), held_out, held_out))
        if loss < best_loss * (1 - _LEAST_GAIN):
            best, best_loss, patience = flat.clone(), loss, settings.patience
        elif (patience := patience - 1) == 0:
            break
    learned = [parameter.cpu().numpy().astype(np.float64) for parameter in _parameters(best, shapes)]
    return DenseNetwork(tuple(learned[::2]), tuple(learned[1::2]))


class _Adam:
    """Adam (Kingma and Ba, 2015) on one vector; torch's own loads its compiler first, which takes seconds."""

    def __init__(self, flat: "torch.Tensor", rate: float) -> None:
        self._mean, self._square = flat.new_zeros(flat.shape), flat.new_zeros(flat.shape)
        self._rate, self._steps = rate, 0

    def take(self, flat: "torch.Tensor", gradient: "torch.Tensor") -> None:
        """Move ``flat`` by one step, in place."""
        self._steps += 1
        self._mean.lerp_(gradient, 1 - _DECAY)
        self._square.mul_(_SQUARE_DECAY).addcmul_(gradient, gradient, value=1 - _SQUARE_DECAY)
        typical = (self._square / (1 - _SQUARE_DECAY**self._steps)).sqrt_().add_(_NEVER_ZERO)
        flat.addcdiv_(self._mean, typical, value=-self._rate / (1 - _DECAY**self._steps))


def _parameters(flat: "torch.Tensor", shapes: list[tuple[int, ...]]) -> "list[torch.Tensor]":
    """Weights and biases, layer by layer, as views of one vector."""
    parts = flat.split([int(np.prod(shape)) for shape in shapes])  # type: ignore[no-untyped-call]
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def _swapped(sensors: NDArray[np.bool_], rows: int, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which values to take from another row: those of one sensor in a ``share`` of the rows, shape (rows, features)."""
    chosen = sensors[rng.integers(0, len(sensors), rows)]
    return chosen & (rng.random(rows) < share)[:, None]


def _loss(parameters: "list[torch.Tensor]", given: "torch.Tensor", wanted: "torch.Tensor") -> "torch.Tensor":
    """Huber's loss: the few rows that are faulty already must not decide what is learned."""
    import torch  # noqa: PLC0415

    layer = given
    for number in range(0, len(parameters), 2):
        layer = torch.addmm(parameters[number + 1], layer, parameters[number])
        if number < len(parameters) - 2:
            layer = torch.nn.functional.softsign(layer)
    return torch.nn.functional.huber_loss(layer, wanted, delta=_HUBER)


def _split(moments: NDArray[np.intp], rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to learn from, and rows to stop by: whole windows, or single rows where there is one window only."""
    units = moments if moments.max() > moments.min() else np.arange(len(moments))
    distinct = np.unique(units)
    chosen = rng.permutation(distinct)[: max(round(_HELD_OUT * len(distinct)), 1)]
    held_out = np.isin(units, chosen)
    if held_out.all():  # a single row
        return np.arange(len(units)), np.arange(len(units))
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _device(settings: AutoencoderSettings) -> str:
    import torch  # noqa: PLC0415

    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise FridgeError(
            "the autoencoder is set to train on a graphics processor (cuda), and torch finds none",
            "Set FRIDGE_AUTOENCODER__DEVICE=auto, or install a build of torch with CUDA on a machine that has one.",
        )
    return "cuda" if available and settings.device != "cpu" else "cpu"
