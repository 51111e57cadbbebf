"""add to where."""
import hypothesis.strategies as st
import numpy as np
import torch
import torch.nn.functional as F

import gradproof as gp

from .common import CALLS, Call, array, booleans, case, composed, narrowed, nonzero, positive, shape_or_empty


def unary(name, theirs, values=array):
    def call(draw, dtype):
        return Call(getattr(gp, name), theirs, [values(draw, dtype, *shape_or_empty(draw))])

    CALLS[name] = st.composite(call)


def binary(name, theirs, second=array):
    def call(draw, dtype):
        full = shape_or_empty(draw)
        return Call(getattr(gp, name), theirs,
                    [array(draw, dtype, *narrowed(draw, full)), second(draw, dtype, *narrowed(draw, full))])

    CALLS[name] = st.composite(call)


binary("add", torch.add)
binary("sub", torch.sub)
binary("mul", torch.mul)
binary("div", torch.div, second=nonzero)
unary("neg", torch.neg)
unary("square", torch.square)
unary("reciprocal", torch.reciprocal, nonzero)
unary("abs", torch.abs)
unary("sqrt", torch.sqrt, positive)
unary("exp", torch.exp)
unary("log", torch.log, positive)
unary("sigmoid", torch.sigmoid)
unary("tanh", torch.tanh)
unary("softplus", F.softplus)  # PyTorch's is x itself above 20; ours is softplus everywhere
binary("maximum", torch.maximum)
binary("minimum", torch.minimum)
unary("relu", F.relu)
unary("silu", F.silu)
unary("sin", torch.sin)
unary("cos", torch.cos)
unary("detach", torch.detach)


def number(draw):
    return draw(st.integers(-8, 8)) / 4


@case
def scale(draw, dtype):
    c = number(draw)
    like = torch.from_numpy(np.asarray(c, dtype))  # beside a Python float, the tangent of a 0-d float32 is float64
    return Call(gp.scale, lambda x: x * like, [array(draw, dtype, *shape_or_empty(draw))], {"c": c})


@composed("log of clamp has slope 1/eps at x = eps, where ours is 0")
def safe_log(draw, dtype):
    eps = draw(st.sampled_from((1e-6, 0.25, 1.0)))  # the last two make ties

    def theirs(x):
        above = x > eps
        return torch.where(above, torch.log(torch.where(above, x, 1)), float(np.log(eps)))

    return Call(gp.safe_log, theirs, [array(draw, dtype, *shape_or_empty(draw))], {"eps": eps})


@case
def clamp(draw, dtype):
    low, high = sorted((number(draw), number(draw)))
    bounds = draw(st.sampled_from(({"min": low, "max": high}, {"min": low}, {"max": high})))
    return Call(gp.clamp, lambda x: torch.clamp(x, **bounds), [array(draw, dtype, *shape_or_empty(draw))], bounds)


@case
def clamp_min(draw, dtype):
    bound = {"min": number(draw)}
    return Call(gp.clamp_min, lambda x: torch.clamp(x, **bound), [array(draw, dtype, *shape_or_empty(draw))], bound)


@case
def clamp_max(draw, dtype):
    bound = {"max": number(draw)}
    return Call(gp.clamp_max, lambda x: torch.clamp(x, **bound), [array(draw, dtype, *shape_or_empty(draw))], bound)


@case
def hardtanh(draw, dtype):
    low, high = sorted((number(draw), number(draw)))
    bounds = {"min_val": low, "max_val": high + (low == high)}  # PyTorch wants min < max
    return Call(gp.hardtanh, lambda x: F.hardtanh(x, **bounds), [array(draw, dtype, *shape_or_empty(draw))], bounds)


@case
def leaky_relu(draw, dtype):
    slope = {"negative_slope": number(draw)}
    return Call(gp.leaky_relu, lambda x: F.leaky_relu(x, **slope), [array(draw, dtype, *shape_or_empty(draw))], slope)


@case
def elu(draw, dtype):
    alpha = {"alpha": number(draw)}
    return Call(gp.elu, lambda x: F.elu(x, **alpha), [array(draw, dtype, *shape_or_empty(draw))], alpha)


@case
def gelu(draw, dtype):
    form = {"approximate": draw(st.sampled_from(("none", "tanh")))}
    return Call(gp.gelu, lambda x: F.gelu(x, **form), [array(draw, dtype, *shape_or_empty(draw))], form)


@case
def pow(draw, dtype):
    exponent = draw(st.sampled_from((2, 0, 1, 3, -1, -2, 2.0, 0.5, -0.5, 1.5, 2.25)))
    values = positive if exponent % 1 else nonzero if exponent < 0 else array  # the domain
    return Call(gp.pow, lambda x: torch.pow(x, exponent), [values(draw, dtype, *shape_or_empty(draw))],
                {"exponent": exponent})


@case
def where(draw, dtype):
    full = shape_or_empty(draw)
    condition = booleans(draw, *narrowed(draw, full))
    return Call(lambda x, y, condition: gp.where(condition, x, y),
                lambda x, y: torch.where(torch.from_numpy(condition), x, y),
                [array(draw, dtype, *narrowed(draw, full)) for _ in range(2)], {"condition": condition})
