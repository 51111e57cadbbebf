"""The transformer of examples/, trained beside the same model in PyTorch: loss, gradients, parameters of each step."""
import importlib.util
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import gradproof as gp
from gradproof.trees import leaves, map_leaves

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "transformer.py"
SPEC = importlib.util.spec_from_file_location("transformer", EXAMPLE)
transformer = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(transformer)

torch.set_num_threads(1)
STEPS = 5


def attention(x, wq, wk, wv, wo):
    batch, n, width = x.shape
    q, k, v = ((x @ w).view(batch, n, transformer.HEADS, -1).transpose(1, 2) for w in (wq, wk, wv))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, n, width) @ wo


def norm(x, gamma, beta):
    return F.layer_norm(x, x.shape[-1:], gamma, beta)


def torch_loss(params, ids, labels):
    x = F.embedding(ids, params["embedding"]) + params["positions"][: ids.shape[1]]
    x = x + attention(norm(x, **params["norm1"]), **params["attention"])
    wide, narrow = params["mlp"]
    x = x + F.linear(F.gelu(F.linear(norm(x, **params["norm2"]), **wide)), **narrow)
    scores = F.linear(norm(x, **params["norm3"]), **params["out"])
    return F.cross_entropy(scores.flatten(0, 1), labels.flatten())


def furthest(ours, theirs, of=lambda x: x):
    """The largest difference between two trees."""
    differences = []
    for mine, tensor in zip(leaves(ours), leaves(theirs), strict=True):
        array = of(tensor).detach().numpy()
        assert mine.shape == array.shape
        assert mine.dtype == array.dtype == np.float64
        differences.append(np.abs(mine - array).max())
    return max(differences)


# Loss and gradients differ by the rounding of sums of up to 512 terms of size 1 (2e-16 measured).
SUMS = 1e-14
# Adam divides a gradient by its own size, so that its relative error counts; some are 1e-6 (6e-15 measured).
UPDATES = 1e-12


def test_every_step_of_training_agrees_with_torch():
    params = transformer.init(dtype=np.float64)
    theirs = map_leaves(lambda x: torch.from_numpy(x.copy()).requires_grad_(), params)
    optimizer = torch.optim.AdamW(list(leaves(theirs)), lr=transformer.LEARNING_RATE)
    state, step_of = None, gp.value_and_grad(transformer.loss)
    for step in range(STEPS):
        ids, labels = transformer.batch(step)
        value, gradients = step_of(params, ids, labels)
        optimizer.zero_grad()
        loss = torch_loss(theirs, torch.from_numpy(ids), torch.from_numpy(labels))
        loss.backward()
        optimizer.step()
        before, (params, state) = params, gp.optimizers.adamw(
            params, gradients, state, learning_rate=transformer.LEARNING_RATE)
        assert abs(value - loss.item()) <= SUMS
        assert furthest(gradients, theirs, of=lambda tensor: tensor.grad) <= SUMS
        assert furthest(params, theirs) <= UPDATES
        # What is compared moves: each step changes parameters by up to the learning rate.
        assert max(np.abs(a - b).max() for a, b in zip(leaves(before), leaves(params), strict=True)) > 1e-3
    assert value < 3.5
