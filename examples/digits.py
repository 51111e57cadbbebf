"""Train a small convolutional network on handwritten digits, then prove every op that the training used.

    python examples/digits.py

Exits with 1 if the test accuracy is below 97 % or an op is not proved. Needs `gradproof[prove]` and scikit-learn.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import gradproof as gp

Array = NDArray[Any]
Params = dict[str, Array]

SEED, EPOCHS, BATCH, LEARNING_RATE, REQUIRED_ACCURACY = 0, 25, 64, 3e-3, 0.97


def load() -> tuple[Array, Array, Array, Array]:
    """1797 images of 8x8 cells from the UCI repository, 80 % to train on: x (N,1,8,8) in [0,1], labels (N,)."""
    digits = load_digits()
    images: Array = (digits.images[:, None] / 16).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.target, test_size=0.2, stratify=digits.target, random_state=SEED
    )
    return train_x, train_y, test_x, test_y


def initial_parameters(rng: np.random.Generator) -> Params:
    """He, Zhang, Ren, Sun 2015, arXiv:1502.01852: normal with variance 2 / fan-in."""

    def he(*shape: int) -> Array:
        weights: Array = (rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
        return weights

    biases = {"bias1": 32, "bias2": 64, "bias3": 10}
    return {
        "kernel1": he(32, 1, 3, 3),
        "kernel2": he(64, 32, 3, 3),
        "weight3": he(10, 64 * 2 * 2),
        **{name: np.zeros(size, np.float32) for name, size in biases.items()},
    }


def log_probabilities(params: Params, x: Array) -> Array:
    """x (N,1,8,8) -> (N,10)."""
    x = gp.max_pool(gp.relu(gp.conv(x, params["kernel1"], params["bias1"], padding=1)), (2, 2))
    x = gp.max_pool(gp.relu(gp.conv(x, params["kernel2"], params["bias2"], padding=1)), (2, 2))
    x = gp.reshape(x, (x.shape[0], -1))
    return gp.log_softmax(gp.linear(x, params["weight3"], params["bias3"]))


def loss(params: Params, x: Array, one_hot: Array) -> Array:
    """Minus the mean log-probability of the right digit."""
    return -gp.reduce_mean(gp.reduce_sum(log_probabilities(params, x) * one_hot, axis=1))


def accuracy(params: Params, x: Array, labels: Array) -> float:
    return float(np.mean(log_probabilities(params, x).argmax(axis=1) == labels))


class Adam:
    """Kingma, Ba 2014, arXiv:1412.6980."""

    def __init__(self, params: Params, learning_rate: float, beta1: float = 0.9, beta2: float = 0.999) -> None:
        self.learning_rate, self.beta1, self.beta2, self.steps = learning_rate, beta1, beta2, 0
        self.mean = {name: np.zeros_like(value) for name, value in params.items()}
        self.square = {name: np.zeros_like(value) for name, value in params.items()}

    def update(self, params: Params, gradient: Params, slowed: float) -> None:
        """One step, at `slowed` times the learning rate."""
        self.steps += 1
        for name, g in gradient.items():
            self.mean[name] += (1 - self.beta1) * (g - self.mean[name])
            self.square[name] += (1 - self.beta2) * (g * g - self.square[name])
            mean = self.mean[name] / (1 - self.beta1**self.steps)
            square = self.square[name] / (1 - self.beta2**self.steps)
            params[name] -= slowed * self.learning_rate * mean / (np.sqrt(square) + 1e-8)


def train(epochs: int = EPOCHS) -> tuple[float, tuple[str, ...]]:
    """The test accuracy, and the names of the ops that a training step uses."""
    train_x, train_y, test_x, test_y = load()
    rng = np.random.default_rng(SEED)
    params = initial_parameters(rng)
    optimizer = Adam(params, LEARNING_RATE)
    one_hot = np.eye(10, dtype=np.float32)[train_y]
    step = gp.value_and_grad(loss)
    for epoch in track(range(epochs), description="training"):
        order = rng.permutation(len(train_x))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            _, gradient = step(params, train_x[rows], one_hot[rows])
            optimizer.update(params, gradient, slowed=1 - epoch / epochs)
    return accuracy(params, test_x, test_y), gp.ops_used(loss, params, train_x[:BATCH], one_hot[:BATCH])


def proved(ops: tuple[str, ...]) -> bool:
    """Prove the ops, print each verdict, and say whether all of them passed."""
    from gradproof_spec.prove import prove_ops

    passed = True
    for entry in prove_ops(list(ops)):
        print(f"{entry.verdict:8} {entry.id}")
        passed = passed and entry.passed
    return passed


def main() -> int:
    with threadpool_limits(1):  # the matrices are small: a second BLAS thread costs more in waiting than it brings
        reached, ops = train()
    print(f"test accuracy {reached:.2%}, with {', '.join(ops)}")
    all_proved = proved(ops)
    return 0 if reached >= REQUIRED_ACCURACY and all_proved else 1


if __name__ == "__main__":
    sys.exit(main())
