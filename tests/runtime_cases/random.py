import numpy as np

import gradproof as gp

from .arrays import normal


def uniform(shape, seed, stream=0, dtype=np.float32):
    """NumPy's own uniform numbers: in float64 those of its generator, in float32 their first 24 bits."""
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, stream], np.uint64)))
    u = generator.random(shape)
    return u if dtype == np.float64 else (np.floor(u * 2**24) / 2**24).astype(np.float32)


def dropped(keep_prob, seed, stream=0):
    def f(x):
        u = uniform(x.shape, seed, stream)
        return np.array([t / keep_prob if v < keep_prob else 0 for t, v in zip(x.flat, u.flat, strict=True)]).reshape(
            x.shape
        )

    return f


CASES = [
    ("rand_uniform", lambda: gp.rand_uniform((2, 3), 5), lambda: uniform((2, 3), 5), ()),
    ("rand_uniform-stream", lambda: gp.rand_uniform(4, 5, 2**64 - 1), lambda: uniform((4,), 5, 2**64 - 1), ()),
    ("rand_uniform-0d", lambda: gp.rand_uniform((), 0), lambda: uniform((), 0), ()),
    ("rand_uniform-empty", lambda: gp.rand_uniform((2, 0), 1), lambda: np.zeros((2, 0)), ()),
    ("bernoulli_mask", lambda: gp.bernoulli_mask(0.3, (3, 4), 5, 1), lambda: uniform((3, 4), 5, 1) < 0.3, ()),
    ("bernoulli_mask-all", lambda: gp.bernoulli_mask(1, 5, 2), lambda: np.ones(5), ()),
    ("bernoulli_mask-none", lambda: gp.bernoulli_mask(0.0, (2, 2), 2), lambda: np.zeros((2, 2)), ()),
    ("dropout", lambda x: gp.dropout(x, 0.7, 3), dropped(0.7, 3), (normal(3, 4),)),
    ("dropout-stream", lambda x: gp.dropout(x, 0.5, seed=3, stream=8), dropped(0.5, 3, 8), (normal(2, 3),)),
    ("dropout-all-kept", lambda x: gp.dropout(x, 1, 3), lambda x: x, (normal(4),)),
    ("dropout-none-kept", lambda x: gp.dropout(x, 0.0, 3), np.zeros_like, (normal(4),)),
    ("dropout-0d", lambda x: gp.dropout(x, 0.5, 0), dropped(0.5, 0), (np.array(1.5),)),
    ("dropout-empty", lambda x: gp.dropout(x, 0.5, 1), lambda x: x, (normal(0, 2),)),
]
