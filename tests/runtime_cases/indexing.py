import numpy as np

import gradproof as gp

from .arrays import normal


def gather_reference(x, indices):
    rows = [x[i] if 0 <= i < len(x) else np.zeros(x.shape[1]) for i in indices]
    return np.reshape(rows, (len(indices), x.shape[1]))


def scatter_reference(indices):
    def f(x, v):
        y = x.copy()
        for k, i in enumerate(indices):
            if 0 <= i < len(x):
                y[i] += v[k]
        return y

    return f


CASES = [
    ("gather_rows", lambda x: gp.gather_rows(x, [2, 0, 2, -1, 9]), lambda x: gather_reference(x, [2, 0, 2, -1, 9]),
     (normal(3, 2),)),
    ("gather_rows-none", lambda x: gp.gather_rows(x, []), lambda x: np.zeros((0, 2)), (normal(3, 2),)),
    ("gather_rows-no-rows", lambda x: gp.gather_rows(x, [0, 1]), lambda x: np.zeros((2, 2)), (normal(0, 2),)),
    ("scatter_add", lambda x, v: gp.scatter_add(x, v, [1, 1, -1]), scatter_reference([1, 1, -1]),
     (normal(3, 2), normal(3, 2, seed=1))),
    ("scatter_add-vector", lambda x, v: gp.scatter_add(x, v, [0, 9]), scatter_reference([0, 9]),
     (normal(2), normal(2, seed=1))),
    ("scatter_add-3d", lambda x, v: gp.scatter_add(x, v, [2, 0, 2]), scatter_reference([2, 0, 2]),
     (normal(3, 1, 2), normal(3, 1, 2, seed=1))),
    ("scatter_add-none", lambda x, v: gp.scatter_add(x, v, []), scatter_reference([]), (normal(3), normal(0))),
    ("scatter_add-no-rows", lambda x, v: gp.scatter_add(x, v, [0]), scatter_reference([0]),
     (normal(0, 2), normal(1, 2))),
]  # fmt: skip
