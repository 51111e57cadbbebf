from functools import partial

import numpy as np

import gradproof as gp

from .arrays import normal, positive


def reduced(losses, reduction):
    return {"mean": np.mean, "sum": np.sum, "none": np.array}[reduction](losses)


def elementwise(loss, a, b, reduction="mean"):
    return reduced(loss(a, b), reduction)


def squared(yhat, target):
    return (yhat - target) ** 2


def bce(logits, target):
    p = 1 / (1 + np.exp(-logits))
    return -target * np.log(p) - (1 - target) * np.log(1 - p)


def kl(log_p, target):
    return target * (np.log(target) - log_p)


def nll_reference(log_p, labels, reduction="mean"):
    """Label by label; the class axis is 1, or 0 where there is no other."""
    labels = np.array(labels, int)
    losses = np.zeros(labels.shape)
    for index in np.ndindex(labels.shape):
        where = (labels[index], *index) if log_p.ndim == 1 else (index[0], labels[index], *index[1:])
        losses[index] = -log_p[where]
    return reduced(losses, reduction)


def cross_entropy_reference(logits, labels, reduction="mean"):
    p = np.exp(logits) / np.exp(logits).sum(min(1, logits.ndim - 1), keepdims=True)
    return nll_reference(np.log(p), labels, reduction)


CASES = []
for op, reference, second in [
    (gp.mse_loss, squared, normal),
    (gp.bce_with_logits, bce, positive),
    (gp.kl_div, kl, positive),
]:
    for tag, arrays, keywords in [
        ("mean", (normal(2, 3), second(2, 3, seed=1)), {}),
        ("sum", (normal(2, 3), second(2, 3, seed=1)), {"reduction": "sum"}),
        ("none", (normal(2, 3), second(2, 3, seed=1)), {"reduction": "none"}),
        ("one", (np.array(-0.5), np.array(1.5)), {}),
        ("sum-of-nothing", (normal(2, 0), normal(2, 0)), {"reduction": "sum"}),
        ("none-of-nothing", (normal(0), normal(0)), {"reduction": "none"}),
    ]:
        case = partial(op, **keywords), partial(elementwise, reference, **keywords), arrays
        CASES.append((f"{op.__name__}-{tag}", *case))
MAPS = [[[1, 0], [2, 2]], [[0, 0], [1, 2]]]
for op, reference in [(gp.nll_loss, nll_reference), (gp.cross_entropy, cross_entropy_reference)]:
    for tag, labels, shape, keywords in [
        ("plain", [2, 0], (2, 3), {}),
        ("sum", [1, 1, 0], (3, 2), {"reduction": "sum"}),
        ("none", [2, 0], (2, 3), {"reduction": "none"}),
        ("vector", 1, (3,), {}),
        ("maps", MAPS, (2, 3, 2, 2), {}),
        ("maps-none", MAPS, (2, 3, 2, 2), {"reduction": "none"}),
        ("one-class", [0, 0], (2, 1), {}),
        ("sum-of-nothing", [], (0, 3), {"reduction": "sum"}),
    ]:
        f, theirs = (partial(function, labels=labels, **keywords) for function in (op, reference))
        CASES.append((f"{op.__name__}-{tag}", f, theirs, (normal(*shape),)))
