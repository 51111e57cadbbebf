import numpy as np

import gradproof as gp

from .arrays import normal


def upsample_reference(*size):
    """Output cell p reads the cell floor(p in / out), along each of the last axes."""

    def f(x):
        lead, extents = x.shape[: -len(size)], x.shape[-len(size) :]
        y = np.zeros((*lead, *size))
        for p in np.ndindex(*size):
            y[(..., *p)] = x[(..., *(at * n // m for at, n, m in zip(p, extents, size, strict=True)))]
        return y

    return f


CASES = [
    ("concat", lambda *xs: gp.concat(xs), lambda *xs: np.concatenate(xs), (normal(2, 3), normal(1, 3), normal(0, 3))),
    ("concat-axis", lambda *xs: gp.concat(list(xs), -1), lambda *xs: np.concatenate(xs, -1),
     (normal(2, 3), normal(2, 1))),
    ("concat-one", lambda x: gp.concat([x]), lambda x: x, (normal(3),)),
    ("slice_range", lambda x: gp.slice_range(x, 1, 2), lambda x: x[1:3], (normal(4, 2),)),
    ("slice_range-axis", lambda x: gp.slice_range(x, 0, 2, -1), lambda x: x[..., :2], (normal(2, 3),)),
    ("slice_range-none", lambda x: gp.slice_range(x, 3, 0), lambda x: x[:0], (normal(3),)),
    ("reshape", lambda x: gp.reshape(x, (3, 2)), lambda x: x.reshape(3, 2), (normal(2, 3),)),
    ("reshape-open", lambda x: gp.reshape(x, (2, -1)), lambda x: x.reshape(2, -1), (normal(2, 3, 2),)),
    ("reshape-0d", lambda x: gp.reshape(x, ()), lambda x: x.reshape(()), (normal(1, 1),)),
    ("reshape-empty", lambda x: gp.reshape(x, (3, -1)), lambda x: x.reshape(3, 0), (normal(0, 2),)),
    ("transpose", gp.transpose, np.transpose, (normal(2, 3, 4),)),
    ("transpose-axes", lambda x: gp.transpose(x, (2, 0, -2)), lambda x: x.transpose(2, 0, 1), (normal(2, 3, 4),)),
    ("transpose-0d", gp.transpose, np.transpose, (np.array(1.5),)),
    ("transpose-5d", lambda x: gp.transpose(x, (4, 2, 0, 3, 1)), lambda x: x.transpose(4, 2, 0, 3, 1),
     (normal(2, 1, 3, 2, 2),)),
    ("broadcast_to", lambda x: gp.broadcast_to(x, (4, 2, 3)), lambda x: np.broadcast_to(x, (4, 2, 3)), (normal(2, 1),)),
    ("broadcast_to-empty", lambda x: gp.broadcast_to(x, (0, 3)), lambda x: np.zeros((0, 3)), (normal(1, 3),)),
    ("pad", lambda x: gp.pad(x, ((1, 0), (2, 1))), lambda x: np.pad(x, ((1, 0), (2, 1))), (normal(2, 3),)),
    ("pad-value", lambda x: gp.pad(x, [[1, 1]], value=2), lambda x: np.pad(x, 1, constant_values=2), (normal(3),)),
    ("pad-0d", lambda x: gp.pad(x, ()), lambda x: x, (np.array(1.5),)),
    ("pad-empty", lambda x: gp.pad(x, ((1, 0), (0, 0))), lambda x: np.zeros((1, 3)), (normal(0, 3),)),
    ("flip", lambda x: gp.flip(x, -1), lambda x: np.flip(x, -1), (normal(2, 3),)),
    ("flip-axes", lambda x: gp.flip(x, (0, 2)), lambda x: np.flip(x, (0, 2)), (normal(2, 3, 4),)),
    ("flip-all", lambda x: gp.flip(x, None), np.flip, (normal(2, 3),)),
    ("flip-0d", lambda x: gp.flip(x, ()), lambda x: x, (np.array(1.5),)),
    ("roll", lambda x: gp.roll(x, 1, 0), lambda x: np.concatenate([x[-1:], x[:-1]]), (normal(3, 2),)),
    ("roll-back", lambda x: gp.roll(x, -7, 1), lambda x: x[:, [3, 0, 1, 2]], (normal(3, 4),)),
    ("roll-empty", lambda x: gp.roll(x, 3, 0), lambda x: x, (normal(0, 2),)),
    ("upsample_nearest", lambda x: gp.upsample_nearest(x, (5,)), upsample_reference(5), (normal(2, 3),)),
    ("upsample_nearest-2d", lambda x: gp.upsample_nearest(x, (4, 3)), upsample_reference(4, 3), (normal(2, 2, 3),)),
    ("upsample_nearest-3d", lambda x: gp.upsample_nearest(x, (2, 5, 1)), upsample_reference(2, 5, 1),
     (normal(1, 2, 2),)),
    ("upsample_nearest-down", lambda x: gp.upsample_nearest(x, (2, 3)), upsample_reference(2, 3), (normal(5, 4),)),
    ("upsample_nearest-no-batch", lambda x: gp.upsample_nearest(x, (4,)), upsample_reference(4), (normal(0, 2),)),
]  # fmt: skip
