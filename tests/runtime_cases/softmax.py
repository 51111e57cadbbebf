import numpy as np

import gradproof as gp

from .arrays import normal


def softmax_reference(x, axis):
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


CASES = [
    ("softmax", gp.softmax, lambda x: softmax_reference(x, -1), (normal(2, 3),)),
    ("softmax-axis", lambda x: gp.softmax(x, 1), lambda x: softmax_reference(x, 1), (normal(2, 3, 2),)),
    ("softmax-0d", gp.softmax, np.ones_like, (np.array(3.0),)),
    ("softmax-empty", gp.softmax, lambda x: x, (normal(2, 0),)),
    ("log_softmax", gp.log_softmax, lambda x: np.log(softmax_reference(x, -1)), (normal(2, 3),)),
    ("log_softmax-axis", lambda x: gp.log_softmax(x, 0), lambda x: np.log(softmax_reference(x, 0)), (normal(4, 2),)),
    ("log_softmax-0d", gp.log_softmax, np.zeros_like, (np.array(3.0),)),
    ("log_softmax-empty", gp.log_softmax, lambda x: x, (normal(2, 0),)),
    ("logsumexp", gp.logsumexp, lambda x: np.array([np.log(sum(np.exp(row))) for row in x]), (normal(2, 3),)),
    ("logsumexp-axes", lambda x: gp.logsumexp(x, (2, 0)), lambda x: np.log(np.exp(x).sum((0, 2))), (normal(2, 3, 4),)),
    ("logsumexp-all", lambda x: gp.logsumexp(x, None), lambda x: np.log(sum(np.exp(x.ravel()))), (normal(2, 3),)),
    ("logsumexp-keep", lambda x: gp.logsumexp(x, 0, True), lambda x: np.log(np.exp(x).sum(0))[None], (normal(3, 2),)),
    ("logsumexp-none", lambda x: gp.logsumexp(x, ()), lambda x: x, (normal(2, 3),)),
    ("logsumexp-0d", gp.logsumexp, lambda x: x, (np.array(3.0),)),
    ("logsumexp-outside-empty", lambda x: gp.logsumexp(x, 1), lambda x: np.zeros(0), (normal(0, 3),)),
]  # fmt: skip
