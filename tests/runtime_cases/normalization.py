import numpy as np

import gradproof as gp

from .arrays import normal, positive


def standard(x, eps):
    """x, all of it, with mean 0 and nearly variance 1."""
    return (x - x.mean()) / np.sqrt(((x - x.mean()) ** 2).mean() + eps)


def layer_norm_reference(x, gamma, beta, eps=1e-5):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * gamma + beta


def rms_norm_reference(x, gamma, eps=1e-6):
    y = np.zeros(x.shape)
    for row in np.ndindex(x.shape[:-1]):
        y[row] = gamma * x[row] / np.sqrt((x[row] ** 2).mean() + eps)
    return y


def batch_norm_reference(x, gamma, beta, eps=1e-5, channel_axis=1):
    channels = [gamma[c] * standard(x.take(c, channel_axis), eps) + beta[c] for c in range(x.shape[channel_axis])]
    return np.stack(channels, channel_axis)


def batch_norm_eval_reference(x, gamma, beta, mean, var, eps=1e-5, channel_axis=1):
    channels = [
        gamma[c] * (x.take(c, channel_axis) - mean[c]) / np.sqrt(var[c] + eps) + beta[c]
        for c in range(x.shape[channel_axis])
    ]
    return np.stack(channels, channel_axis)


def group_norm_reference(x, gamma, beta, num_groups, eps=1e-5):
    y, size = np.zeros(x.shape), x.shape[1] // num_groups
    for n, group in np.ndindex(len(x), num_groups):
        channels = slice(group * size, (group + 1) * size)
        y[n, channels] = standard(x[n, channels], eps)
        for c in range(group * size, (group + 1) * size):
            y[n, c] = gamma[c] * y[n, c] + beta[c]
    return y


def vectors(C, number):
    return tuple(normal(C, seed=k) for k in range(number))


CASES = [
    ("layer_norm", gp.layer_norm, layer_norm_reference, (normal(2, 3, 4), normal(4), normal(4, seed=1))),
    ("layer_norm-1d", gp.layer_norm, layer_norm_reference, (normal(5), normal(5), normal(5, seed=1))),
    ("layer_norm-one", gp.layer_norm, layer_norm_reference, (normal(3, 1), normal(1), normal(1, seed=1))),
    ("rms_norm", gp.rms_norm, rms_norm_reference, (normal(2, 3, 4), normal(4))),
    ("rms_norm-eps", lambda x, g: gp.rms_norm(x, g, 0.5), lambda x, g: rms_norm_reference(x, g, 0.5),
     (normal(5), normal(5, seed=1))),
    ("rms_norm-one", lambda x, g: gp.rms_norm(x, g, eps=1.0), lambda x, g: g * x / (x * x + 1) ** 0.5,
     (normal(3, 1), normal(1))),
    ("rms_norm-no-rows", gp.rms_norm, lambda x, g: x, (normal(0, 3), normal(3))),
    ("batch_norm", gp.batch_norm, batch_norm_reference, (normal(2, 3, 2, 2), *vectors(3, 2))),
    ("batch_norm-2d", lambda *xs: gp.batch_norm(*xs, eps=0.1), lambda *xs: batch_norm_reference(*xs, eps=0.1),
     (normal(4, 3), *vectors(3, 2))),
    ("batch_norm-channel-first", lambda *xs: gp.batch_norm(*xs, channel_axis=0),
     lambda *xs: batch_norm_reference(*xs, channel_axis=0), (normal(3, 2, 4), *vectors(3, 2))),
    ("batch_norm-channel-last", lambda *xs: gp.batch_norm(*xs, 1e-3, -1),
     lambda *xs: batch_norm_reference(*xs, 1e-3, 2), (normal(3, 2, 2), *vectors(2, 2))),
    ("batch_norm-one-element", gp.batch_norm, lambda x, gamma, beta: beta[None], (normal(1, 3), *vectors(3, 2))),
    ("batch_norm-1d", lambda *xs: gp.batch_norm(*xs, channel_axis=0), lambda x, gamma, beta: beta,
     (normal(3), *vectors(3, 2))),
    ("batch_norm_eval", gp.batch_norm_eval, batch_norm_eval_reference, (normal(2, 3, 2), *vectors(3, 3), positive(3))),
    ("batch_norm_eval-channel-last", lambda *xs: gp.batch_norm_eval(*xs, 0.1, -1),
     lambda *xs: batch_norm_eval_reference(*xs, 0.1, 1), (normal(4, 2), *vectors(2, 3), positive(2))),
    ("batch_norm_eval-negative-var", lambda *xs: gp.batch_norm_eval(*xs, eps=4),
     lambda *xs: batch_norm_eval_reference(*xs, eps=4), (normal(2, 3), *vectors(3, 3), -positive(3))),
    ("batch_norm_eval-no-rows", gp.batch_norm_eval, lambda x, *_: x, (normal(0, 3), *vectors(3, 3), positive(3))),
    ("group_norm", lambda *xs: gp.group_norm(*xs, 2), lambda *xs: group_norm_reference(*xs, 2),
     (normal(2, 4, 3, 2), *vectors(4, 2))),
    ("group_norm-2d", lambda *xs: gp.group_norm(*xs, num_groups=3, eps=0.1),
     lambda *xs: group_norm_reference(*xs, 3, 0.1), (normal(2, 6), *vectors(6, 2))),
    ("group_norm-one-group", lambda *xs: gp.group_norm(*xs, 1), lambda *xs: group_norm_reference(*xs, 1),
     (normal(3, 2, 2), *vectors(2, 2))),
    ("group_norm-each-channel", lambda *xs: gp.group_norm(*xs, 3), lambda *xs: group_norm_reference(*xs, 3),
     (normal(2, 3, 4), *vectors(3, 2))),
    ("group_norm-no-samples", lambda *xs: gp.group_norm(*xs, 2), lambda x, *_: x, (normal(0, 4, 2), *vectors(4, 2))),
]  # fmt: skip
