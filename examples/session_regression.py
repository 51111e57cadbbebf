"""Fit a curve with a network of 2, 8 and 1 units in a session: ops are called one by one, then differentiated.

    python examples/session_regression.py

Exits with 1 unless the loss falls to a hundredth of the first. Data and parameters come from gradproof.rand_uniform,
the same on every machine. Needs only gradproof.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gradproof as gp

Array = NDArray[Any]

SEED, SAMPLES, HIDDEN, STEPS, LEARNING_RATE, REQUIRED_FALL, EVERY = 0, 16, 8, 601, 0.2, 100, 100


def data(seed: int = SEED) -> tuple[Array, Array]:
    """x (N,2) uniform in [-1, 1), and y (N,1) = x0² - x0 x1 + x1."""
    x = 2 * gp.rand_uniform((SAMPLES, 2), seed, stream=0, dtype=np.float64) - 1
    return x, x[:, :1] ** 2 - x[:, :1] * x[:, 1:] + x[:, 1:]


def initial_values(seed: int = SEED) -> dict[str, Array]:
    """Uniform in ±1 / sqrt(fan-in)."""

    def uniform(shape: tuple[int, ...], fan_in: int, stream: int) -> Array:
        u = gp.rand_uniform(shape, seed, stream, dtype=np.float64)
        return np.asarray((2 * u - 1) / np.sqrt(fan_in))

    return {
        "weight1": uniform((HIDDEN, 2), 2, stream=1),
        "bias1": uniform((HIDDEN,), 2, stream=2),
        "weight2": uniform((1, HIDDEN), HIDDEN, stream=3),
        "bias2": uniform((1,), HIDDEN, stream=4),
    }


class Regression:
    """The network and its session."""

    def __init__(self, seed: int = SEED) -> None:
        self.session = gp.Session()
        self.parameters = {name: self.session.param(value, name) for name, value in initial_values(seed).items()}

    def step(self, x: Array, y: Array) -> float:
        """One step of gradient descent on all samples; the loss before it."""
        session = self.session
        session.reset()
        w1, b1, w2, b2 = (session.use(parameter) for parameter in self.parameters.values())
        hidden = session.tanh(session.linear(session.input(x, "x"), w1, b1))
        loss = session.mse_loss(session.linear(hidden, w2, b2), session.input(y, "y"))
        session.sgd_step_all(LEARNING_RATE, session.backward_scalar(loss))
        return float(session.value(loss))


def main(steps: int = STEPS) -> list[float]:
    """The loss before each step."""
    x, y = data()
    model = Regression()
    losses = []
    for step in range(steps):
        losses.append(model.step(x, y))
        if step % EVERY == 0 or step == steps - 1:
            print(f"step {step:3}   loss {losses[-1]:.6f}")
    return losses


if __name__ == "__main__":
    losses = main()
    sys.exit(losses[-1] > losses[0] / REQUIRED_FALL)
