"""Train a transformer of one block to predict the next character of a small text, and show it as a graph.

    python examples/transformer.py

Exits with 1 unless the loss falls to 2.6 nats per character. It starts at 4.4; to guess among the 51 characters of the
text costs log 51 = 3.9. The text is the beginning of Lewis Carroll, Alice's Adventures in Wonderland, 1865, in the
public domain. Parameters and batches come from gradproof.rand_uniform, the same on every machine. Needs only gradproof.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gradproof as gp

Array = NDArray[Any]

TEXT = (Path(__file__).parent / "text.txt").read_text(encoding="utf-8")
ALPHABET = sorted(set(TEXT))
IDS = np.array([ALPHABET.index(letter) for letter in TEXT])

SEED, STEPS, LEARNING_RATE, REQUIRED_LOSS = 0, 60, 1e-2, 2.6
BATCH, CONTEXT, WIDTH, HEADS, HIDDEN = 16, 32, 32, 4, 128
INIT, BATCHES, SAMPLE = 0, 1000, 2000  # the first number of the streams of random numbers


def init(seed: int = SEED, dtype: Any = np.float32) -> dict[str, Any]:
    """The parameters: weights uniform in ±sqrt(3 / fan-in), so of variance 1 / fan-in; embeddings of deviation 0.1."""
    stream = INIT

    def uniform(shape: tuple[int, ...], deviation: float) -> Array:
        nonlocal stream
        stream += 1
        u = gp.rand_uniform(shape, seed, stream)  # the float32 numbers in float64 too: both start at the same point
        return ((2 * u - 1) * np.float32(3**0.5 * deviation)).astype(dtype)

    def norm() -> dict[str, Array]:
        return {"gamma": np.ones(WIDTH, dtype), "beta": np.zeros(WIDTH, dtype)}

    def layer(outputs: int, inputs: int) -> dict[str, Array]:
        return {"weight": uniform((outputs, inputs), inputs**-0.5), "bias": np.zeros(outputs, dtype)}

    return {
        "embedding": uniform((len(ALPHABET), WIDTH), 0.1),
        "positions": uniform((CONTEXT, WIDTH), 0.1),
        "norm1": norm(),
        "attention": {name: uniform((WIDTH, WIDTH), WIDTH**-0.5) for name in ("wq", "wk", "wv", "wo")},
        "norm2": norm(),
        "mlp": [layer(HIDDEN, WIDTH), layer(WIDTH, HIDDEN)],
        "norm3": norm(),
        "out": layer(len(ALPHABET), WIDTH),
    }


def logits(params: dict[str, Any], ids: Array) -> Array:
    """ids (B,n) of at most CONTEXT characters -> scores of the next character at each place (B,n,V)."""
    n = ids.shape[1]
    causal = np.tri(n, dtype=bool)
    x = gp.embedding(ids, params["embedding"]) + gp.slice_range(params["positions"], 0, n)
    x = x + gp.multi_head_attention(
        gp.layer_norm(x, **params["norm1"]), **params["attention"], num_heads=HEADS, mask=causal
    )
    wide, narrow = params["mlp"]
    x = x + gp.linear(gp.gelu(gp.linear(gp.layer_norm(x, **params["norm2"]), **wide)), **narrow)
    return gp.linear(gp.layer_norm(x, **params["norm3"]), **params["out"])


def loss(params: dict[str, Any], ids: Array, labels: Array) -> Array:
    """The mean cross-entropy, in nats per character: ids (B,n) and the characters after them (B,n) -> ()."""
    return gp.cross_entropy(gp.permute(logits(params, ids), (0, 2, 1)), labels)


def batch(step: int) -> tuple[Array, Array]:
    """ids and labels (BATCH,CONTEXT): passages that start anywhere in the text."""
    u = gp.rand_uniform((BATCH,), SEED, BATCHES + step, np.float64)
    places = (u * (len(IDS) - CONTEXT)).astype(np.int64)[:, None] + np.arange(CONTEXT)
    return IDS[places], IDS[places + 1]


def sample(params: dict[str, Any], length: int = 80, start: str = "Alice ") -> str:
    """`start`, continued by characters drawn from the model's probabilities."""
    text = start
    for u in gp.rand_uniform((length,), SEED, SAMPLE, np.float64):
        ids = np.array([[ALPHABET.index(letter) for letter in text[-CONTEXT:]]])
        cumulated = gp.softmax(logits(params, ids)[0, -1].astype(np.float64)).cumsum()
        text += ALPHABET[min(int(np.searchsorted(cumulated, u, side="right")), len(ALPHABET) - 1)]
    return text


def recorded() -> gp.Graph:
    """The loss as a graph: its inputs are the parameters, the ids and the labels."""
    passages = gp.TensorSpec((BATCH, CONTEXT), "int64")
    return gp.trace(loss, init(), passages, passages)


def train_step(params: Any, state: Any, ids: Array, labels: Array) -> tuple[Any, Any, Array]:
    """The parameters and the optimizer's state after a step, and the loss before it."""
    value, gradients = gp.value_and_grad(loss)(params, ids, labels)
    return *gp.optimizers.adamw(params, gradients, state, learning_rate=LEARNING_RATE), value


def main(steps: int = STEPS) -> list[float]:
    """The loss before each step of training."""
    params, state, losses = init(), None, list[float]()
    compiled = gp.compile(train_step, donate=(0, 1))
    for step in range(steps):
        params, state, value = compiled(params, state, *batch(step))
        losses.append(float(value))
        if step % 10 == 0 or step == steps - 1:
            print(f"step {step:3}  loss {value:.3f}")
    graph = recorded()
    print(f"the loss is a graph of {len(graph.nodes)} nodes, {len(graph.inputs)} of them inputs")
    print(sample(params))
    return losses


if __name__ == "__main__":
    sys.exit(0 if main()[-1] <= REQUIRED_LOSS else 1)
