"""sgd_update to adam_update. The optimizers that are made of them: test_optimizers_torch.py."""
import hypothesis.strategies as st
import numpy as np
import torch

import gradproof as gp

from .common import Call, array, case, composed, positive, shape_or_empty

RATES, DECAYS = st.sampled_from((0.1, 1e-3, 1.0, 0.0)), st.sampled_from((0.9, 0.999, 0.5, 0.0, 1.0))


def scalar(number, dtype):
    """A number as a tensor: beside a Python float, the tangent of a 0-d float32 is float64."""
    return torch.from_numpy(np.asarray(number, dtype))


@case
def sgd_update(draw, dtype):
    shape, rate = shape_or_empty(draw), draw(RATES)
    return Call(gp.sgd_update, lambda p, g: torch.addcmul(p, g, scalar(-rate, dtype)),
                [array(draw, dtype, *shape), array(draw, dtype, *shape)], {"learning_rate": rate})


@composed("PyTorch has it inside torch.optim.SGD only")
def momentum_update(draw, dtype):
    shape, factors = shape_or_empty(draw), {"momentum": draw(DECAYS), "dampening": draw(DECAYS)}
    kept, new = scalar(factors["momentum"], dtype), scalar(1 - factors["dampening"], dtype)
    return Call(gp.momentum_update, lambda v, g: kept * v + new * g,
                [array(draw, dtype, *shape), array(draw, dtype, *shape)], factors)


@case
def exponential_average(draw, dtype):
    shape, decay = shape_or_empty(draw), draw(DECAYS)
    return Call(gp.exponential_average, lambda a, x: torch.lerp(a, x, scalar(1 - decay, dtype)),
                [array(draw, dtype, *shape), array(draw, dtype, *shape)], {"decay": decay})


@composed("PyTorch has it inside torch.optim.Adam only")
def adam_update(draw, dtype):
    shape, t = shape_or_empty(draw), draw(st.integers(1, 2000))
    given = {"learning_rate": draw(RATES), "correction1": 1 - 0.9**t, "correction2": 1 - 0.99**t,
             "eps": draw(st.sampled_from((1e-8, 1e-3, 1.0)))}
    rate, first, second, eps = (scalar(number, dtype) for number in given.values())

    def theirs(p, m, v):
        return p - rate * torch.div(m / first, torch.sqrt(v / second) + eps)

    return Call(gp.adam_update, theirs,
                [array(draw, dtype, *shape), array(draw, dtype, *shape), positive(draw, dtype, *shape)], given)
