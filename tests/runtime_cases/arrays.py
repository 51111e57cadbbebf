"""The arrays of the cases."""

import numpy as np

R = np.random.default_rng


def normal(*shape, seed=0):
    return R(seed + sum(shape) * 7 + len(shape)).normal(size=shape)


def apart(*shape, seed=0):
    """Distinct values, 0.1 from each other and 0.05 from 0: no finite difference crosses a kink."""
    size = int(np.prod(shape))
    values = (np.arange(size) - size // 2) * 0.1 + 0.05
    return R(seed).permutation(values).reshape(shape)


def positive(*shape, seed=0):
    """Between 0.5 and 3, where a function is differentiable for positive numbers only."""
    return R(seed + sum(shape)).uniform(0.5, 3, size=shape)
