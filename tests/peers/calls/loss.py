"""mse_loss to kl_div."""
from math import prod

import hypothesis.strategies as st
import numpy as np
import torch
import torch.nn.functional as F

import gradproof as gp

from .common import Call, array, case, extent, positive, shape, wide

REDUCTIONS = st.sampled_from(("mean", "sum", "none"))


@case
def mse_loss(draw, dtype):
    drawn, reduction = shape(draw), {"reduction": draw(REDUCTIONS)}
    return Call(gp.mse_loss, lambda *xs: F.mse_loss(*xs, **reduction),
                [array(draw, dtype, *drawn), array(draw, dtype, *drawn)], reduction)


@case
def bce_with_logits(draw, dtype):
    drawn, reduction = shape(draw), {"reduction": draw(REDUCTIONS)}
    return Call(gp.bce_with_logits, lambda *xs: F.binary_cross_entropy_with_logits(*xs, **reduction),
                [wide(draw, dtype, *drawn), array(draw, dtype, *drawn)], reduction)


def with_labels(ours, theirs, draw, dtype):
    """Scores (C), (N,C) or (N,C,...), and a label for each."""
    c, lead = extent(draw), shape(draw, most=1)
    rest = shape(draw, most=2) if lead else ()
    count = prod(lead + rest)
    labels = np.array(draw(st.lists(st.integers(0, c - 1), min_size=count, max_size=count))).reshape(lead + rest)
    reduction = {"reduction": draw(REDUCTIONS)}
    narrow = labels.astype(draw(st.sampled_from((np.int64, np.int32, np.uint8))))
    long = torch.from_numpy(labels.astype(np.int64))
    return Call(ours, lambda x: theirs(x, long, **reduction), [array(draw, dtype, *lead, c, *rest)],
                {"labels": narrow, **reduction})


@case
def cross_entropy(draw, dtype):
    return with_labels(gp.cross_entropy, F.cross_entropy, draw, dtype)


@case
def nll_loss(draw, dtype):
    return with_labels(gp.nll_loss, F.nll_loss, draw, dtype)


@case
def kl_div(draw, dtype):
    drawn, reduction = shape(draw), draw(REDUCTIONS)
    log_p, target = array(draw, dtype, *drawn), positive(draw, dtype, *drawn)

    def theirs(log_p, target):
        if reduction == "mean":  # PyTorch says that its "mean" will divide by the batch size alone
            return F.kl_div(log_p, target, reduction="none").mean()
        return F.kl_div(log_p, target, reduction=reduction)

    if draw(st.booleans()):
        return Call(gp.kl_div, theirs, [log_p, target], {"reduction": reduction})
    # With zeros, where the gradient to the target is infinite.
    fixed = np.where(array(draw, dtype, *drawn) > 0, target, dtype(0))
    return Call(gp.kl_div, lambda log_p: theirs(log_p, torch.from_numpy(fixed)), [log_p],
                {"target": fixed, "reduction": reduction})
