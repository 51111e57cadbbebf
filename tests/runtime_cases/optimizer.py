import numpy as np

import gradproof as gp

from .arrays import normal, positive


def stepped(rate, correction1, correction2, eps=1e-8):
    """A step of Adam, element by element."""

    def f(p, m, v):
        steps = [
            rate * (a / correction1) / ((b / correction2) ** 0.5 + eps) for a, b in zip(m.flat, v.flat, strict=True)
        ]
        return p - np.array(steps).reshape(p.shape)

    return f


def late(p, m, v):
    return gp.adam_update(p, m, v, 0.1, 1.0, 1.0)


PAIR = (normal(2, 3), normal(2, 3, seed=1))
CASES = [
    ("sgd_update", lambda p, g: gp.sgd_update(p, g, 0.3), lambda p, g: p - 0.3 * g, PAIR),
    ("sgd_update-rate-0", lambda p, g: gp.sgd_update(p, g, learning_rate=0), lambda p, g: p, PAIR),
    ("sgd_update-0d", lambda p, g: gp.sgd_update(p, g, 2), lambda p, g: p - g - g, (normal(), normal(seed=1))),
    ("sgd_update-empty", lambda p, g: gp.sgd_update(p, g, 0.3), lambda p, g: p, (normal(0, 2), normal(0, 2))),
    ("momentum_update", lambda v, g: gp.momentum_update(v, g, 0.9), lambda v, g: 0.9 * v + g, PAIR),
    ("momentum_update-dampening", lambda v, g: gp.momentum_update(v, g, 0.5, dampening=0.25),
     lambda v, g: v / 2 + g * 3 / 4, PAIR),
    ("momentum_update-0d", lambda v, g: gp.momentum_update(v, g, momentum=1), np.add, (normal(), normal(seed=1))),
    ("momentum_update-empty", lambda v, g: gp.momentum_update(v, g, 0.9), np.add, (normal(2, 0), normal(2, 0))),
    ("exponential_average", lambda a, x: gp.exponential_average(a, x, 0.9), lambda a, x: a + (x - a) / 10, PAIR),
    ("exponential_average-no-memory", lambda a, x: gp.exponential_average(a, x, decay=0), lambda a, x: x, PAIR),
    ("exponential_average-0d", lambda a, x: gp.exponential_average(a, x, 0.5), lambda a, x: (a + x) / 2,
     (normal(), normal(seed=1))),
    ("exponential_average-empty", lambda a, x: gp.exponential_average(a, x, 0.9), np.add, (normal(0), normal(0))),
    ("adam_update", lambda p, m, v: gp.adam_update(p, m, v, 0.1, 0.19, 0.002), stepped(0.1, 0.19, 0.002),
     (*PAIR, positive(2, 3))),
    ("adam_update-eps", lambda p, m, v: gp.adam_update(p, m, v, 0.5, correction1=1, correction2=0.5, eps=2),
     stepped(0.5, 1, 0.5, 2), (*PAIR, positive(2, 3))),
    ("adam_update-0d", late, lambda p, m, v: p - 0.1 * m / (v**0.5 + 1e-8), (normal(), normal(seed=1), positive())),
    ("adam_update-empty", late, lambda p, m, v: p, (normal(0), normal(0), positive(0))),
]  # fmt: skip
