"""layer_norm to instance_norm."""
from math import prod

import hypothesis.strategies as st
import numpy as np
import torch
import torch.nn.functional as F

import gradproof as gp

from .common import Call, array, case, composed, extent, one_axis, positive, shape


def eps_for(draw, x, axis):
    """Where x is constant over `axis`, PyTorch's x/sqrt(eps) - mean/sqrt(eps) loses float32's digits at a small eps.
    The elements are quarters, so other variances are not small."""
    small = x.dtype == np.float64 or x.var(axis).min() > 0
    return draw(st.sampled_from((1e-5, 1e-3, 0.5))) if small else 0.5


@case
def layer_norm(draw, dtype):
    d = extent(draw)
    x = array(draw, dtype, *shape(draw), d)
    eps = eps_for(draw, x, -1)
    return Call(gp.layer_norm, lambda x, gamma, beta: F.layer_norm(x, (d,), gamma, beta, eps),
                [x, array(draw, dtype, d), array(draw, dtype, d)], {"eps": eps})


@case
def rms_norm(draw, dtype):
    d, eps = extent(draw), draw(st.sampled_from((1e-6, 1e-3, 0.5)))
    return Call(gp.rms_norm, lambda x, gamma: F.rms_norm(x, (d,), gamma, eps),
                [array(draw, dtype, *shape(draw), d), array(draw, dtype, d)], {"eps": eps})


def channels(draw, dtype):
    """x with a channel axis anywhere, the number of channels, and the attributes."""
    drawn = shape(draw, least=1)
    axis = one_axis(draw, len(drawn))
    x = array(draw, dtype, *drawn)
    attributes = {"channel_axis": axis, "eps": eps_for(draw, np.moveaxis(x, axis, 0).reshape(drawn[axis], -1), 1)}
    if axis % len(drawn) == 1 and draw(st.booleans()):
        del attributes["channel_axis"]  # the default
    return x, drawn[axis], axis, attributes


def channels_second(function, axis):
    """`function` on x whose channels are axis 1, where PyTorch has them."""

    def call(x, *others):
        y = x.movedim(axis, 0)
        rest = y.shape
        return function(y.reshape(1, len(y), prod(rest[1:])), *others).reshape(rest).movedim(0, axis)

    return call


@case
def batch_norm(draw, dtype):
    x, c, axis, attributes = channels(draw, dtype)
    # torch.batch_norm and not F.batch_norm, which refuses one element per channel.
    theirs = channels_second(lambda x, gamma, beta: torch.batch_norm(
        x, gamma, beta, None, None, True, 0.0, attributes["eps"], False), axis)
    return Call(gp.batch_norm, theirs, [x, array(draw, dtype, c), array(draw, dtype, c)], attributes)


@composed("PyTorch has no gradient to mean and var; the formula, and F.batch_norm for the gradients that it has")
def batch_norm_eval(draw, dtype):
    x, c, axis, attributes = channels(draw, dtype)
    gamma, beta, mean, var = *(array(draw, dtype, c) for _ in range(3)), positive(draw, dtype, c)
    eps = attributes["eps"]
    if draw(st.booleans()):
        fixed = [torch.from_numpy(statistic) for statistic in (mean, var)]
        theirs = channels_second(lambda x, gamma, beta: F.batch_norm(x, *fixed, gamma, beta, eps=eps), axis)
        return Call(gp.batch_norm_eval, theirs, [x, gamma, beta], {"mean": mean, "var": var, **attributes})

    def formula(x, gamma, beta, mean, var):
        return (gamma[:, None] * (x - mean[:, None]) / torch.sqrt(var + eps)[:, None]) + beta[:, None]

    return Call(gp.batch_norm_eval, channels_second(formula, axis), [x, gamma, beta, mean, var], attributes)


@case
def group_norm(draw, dtype):
    groups, n = extent(draw, 1, 3), extent(draw, 1, 2)
    c = groups * extent(draw, 1, 3)
    x = array(draw, dtype, n, c, *shape(draw, most=2))
    eps = eps_for(draw, x.reshape(n, groups, -1), -1)
    # torch.group_norm and not F.group_norm, which refuses one element per group.
    return Call(gp.group_norm, lambda x, gamma, beta: torch.group_norm(x, groups, gamma, beta, eps),
                [x, array(draw, dtype, c), array(draw, dtype, c)], {"num_groups": groups, "eps": eps})


@case
def instance_norm(draw, dtype):
    n, c = extent(draw, 1, 2), extent(draw, 1, 3)
    x = array(draw, dtype, n, c, *shape(draw, least=1))
    eps = eps_for(draw, x.reshape(n, c, -1), -1)
    # torch.instance_norm and not F.instance_norm, which refuses one element per channel.
    return Call(gp.instance_norm,
                lambda x, gamma, beta: torch.instance_norm(x, gamma, beta, None, None, True, 0.0, eps, False),
                [x, array(draw, dtype, c), array(draw, dtype, c)], {"eps": eps})
