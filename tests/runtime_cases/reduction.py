import numpy as np

import gradproof as gp

from .arrays import apart, normal


def variance(x, correction):
    """Of a vector."""
    return sum((item - sum(x) / len(x)) ** 2 for item in x) / (len(x) - correction)


CASES = [
    ("reduce_sum-all", gp.reduce_sum, np.sum, (normal(2, 3),)),
    ("reduce_sum-axis", lambda x: gp.reduce_sum(x, -1), lambda x: x.sum(-1), (normal(2, 3, 4),)),
    ("reduce_sum-axes", lambda x: gp.reduce_sum(x, (2, 0)), lambda x: x.sum((0, 2)), (normal(2, 3, 4),)),
    ("reduce_sum-keep", lambda x: gp.reduce_sum(x, 1, True), lambda x: x.sum(1, keepdims=True), (normal(2, 3),)),
    ("reduce_sum-none", lambda x: gp.reduce_sum(x, ()), lambda x: x, (normal(2, 3),)),
    ("reduce_sum-0d", gp.reduce_sum, lambda x: x, (np.array(2.5),)),
    ("reduce_sum-empty", lambda x: gp.reduce_sum(x, 0), lambda x: np.zeros(3), (normal(0, 3),)),
    ("reduce_mean-all", gp.reduce_mean, np.mean, (normal(2, 3),)),
    ("reduce_mean-axes", lambda x: gp.reduce_mean(x, (0, -1)), lambda x: x.mean((0, 2)), (normal(2, 3, 4),)),
    ("reduce_mean-keep", lambda x: gp.reduce_mean(x, 0, True), lambda x: x.mean(0, keepdims=True), (normal(2, 3),)),
    ("reduce_mean-outside-empty", lambda x: gp.reduce_mean(x, 1), lambda x: np.zeros(0), (normal(0, 3),)),
    ("var", gp.var, lambda x: variance(x.ravel(), 1), (normal(2, 3),)),
    ("var-axis", lambda x: gp.var(x, -1), lambda x: np.array([variance(row, 1) for row in x]), (normal(2, 3),)),
    ("var-axes", lambda x: gp.var(x, (2, 0), correction=0), lambda x: x.var((0, 2)), (normal(2, 3, 4),)),
    ("var-correction", lambda x: gp.var(x, correction=2), lambda x: variance(x, 2), (normal(5),)),
    ("var-keep", lambda x: gp.var(x, 0, keepdims=True), lambda x: x.var(0, ddof=1, keepdims=True), (normal(3, 2),)),
    ("var-0d", lambda x: gp.var(x, correction=0), np.zeros_like, (np.array(2.5),)),
    ("var-outside-empty", lambda x: gp.var(x, 1), lambda x: np.zeros(0), (normal(0, 3),)),
    ("max_axis", gp.max_axis, lambda x: np.array(max(x.ravel())), (apart(2, 3),)),
    ("max_axis-axis", lambda x: gp.max_axis(x, -1), lambda x: np.array([max(row) for row in x]), (apart(3, 4),)),
    ("max_axis-axes", lambda x: gp.max_axis(x, (2, 0)), lambda x: np.sort(x.swapaxes(0, 1).reshape(3, -1))[:, -1],
     (apart(2, 3, 4),)),
    ("max_axis-keep", lambda x: gp.max_axis(x, 0, True), lambda x: np.sort(x, 0)[-1:], (apart(3, 2),)),
    ("max_axis-none", lambda x: gp.max_axis(x, ()), lambda x: x, (apart(2, 3),)),
    ("max_axis-0d", gp.max_axis, lambda x: x, (np.array(2.5),)),
    ("max_axis-outside-empty", lambda x: gp.max_axis(x, 1), lambda x: np.zeros(0), (normal(0, 3),)),
    ("min_axis", gp.min_axis, lambda x: np.array(min(x.ravel())), (apart(2, 3),)),
    ("min_axis-axis", lambda x: gp.min_axis(x, 0), lambda x: np.array([min(column) for column in x.T]), (apart(3, 4),)),
    ("min_axis-axes", lambda x: gp.min_axis(x, (-1, 0)), lambda x: np.sort(x.swapaxes(0, 1).reshape(3, -1))[:, 0],
     (apart(2, 3, 4),)),
    ("min_axis-keep", lambda x: gp.min_axis(x, None, True), lambda x: np.array([[min(x.ravel())]]), (apart(3, 2),)),
    ("min_axis-0d", gp.min_axis, lambda x: x, (np.array(2.5),)),
    ("cumsum", lambda x: gp.cumsum(x, 0), lambda x: np.array([sum(x[: n + 1]) for n in range(len(x))]), (normal(4),)),
    ("cumsum-axis", lambda x: gp.cumsum(x, -1), lambda x: x @ np.triu(np.ones((4, 4))), (normal(2, 3, 4),)),
    ("cumsum-middle", lambda x: gp.cumsum(x, 1), lambda x: np.stack([x[:, : n + 1].sum(1) for n in range(3)], 1),
     (normal(2, 3, 2),)),
    ("cumsum-empty", lambda x: gp.cumsum(x, 1), lambda x: x, (normal(2, 0),)),
]  # fmt: skip
