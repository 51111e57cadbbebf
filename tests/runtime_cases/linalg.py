import math
from functools import partial

import numpy as np

import gradproof as gp

from .arrays import normal


def einsum_reference(equation):
    """Σ over all values of the letters, one by one, of the product of the elements."""
    inputs, output = equation.split("->")
    terms = inputs.split(",")
    letters = sorted(set("".join(terms)))

    def f(*xs):
        extent = {letter: n for term, x in zip(terms, xs, strict=True) for letter, n in zip(term, x.shape, strict=True)}
        y = np.zeros([extent[letter] for letter in output])
        for values in np.ndindex(*(extent[letter] for letter in letters)):
            at = dict(zip(letters, values, strict=True))
            elements = [x[tuple(at[letter] for letter in term)] for term, x in zip(terms, xs, strict=True)]
            y[tuple(at[letter] for letter in output)] += math.prod(elements)
        return y

    return f


CASES = [
    ("linear", gp.linear, lambda x, w, b: x @ w.T + b, (normal(2, 3), normal(4, 3), normal(4))),
    ("linear-1d", gp.linear, lambda x, w: x @ w.T, (normal(3), normal(4, 3))),
    ("linear-3d", gp.linear, lambda x, w, b: x @ w.T + b, (normal(2, 1, 3), normal(2, 3), normal(2))),
    ("linear-no-rows", gp.linear, lambda x, w, b: x @ w.T + b, (normal(0, 3), normal(4, 3), normal(4))),
    ("linear-no-inputs", gp.linear, lambda x, w, b: x @ w.T + b, (normal(2, 0), normal(4, 0), normal(4))),
    ("matmul", gp.matmul, np.matmul, (normal(2, 3), normal(3, 4))),
    ("matmul-dot", gp.matmul, np.matmul, (normal(3), normal(3, seed=1))),
    ("matmul-row", gp.matmul, np.matmul, (normal(3), normal(3, 4))),
    ("matmul-column", gp.matmul, np.matmul, (normal(2, 3), normal(3))),
    ("matmul-batch", gp.matmul, np.matmul, (normal(2, 3, 4), normal(2, 4, 2))),
    ("matmul-batch-matrix", gp.matmul, np.matmul, (normal(2, 5, 3, 4), normal(4, 2))),
    ("matmul-batch-column", gp.matmul, np.matmul, (normal(2, 3, 4), normal(4))),
    ("matmul-matrix-batch", gp.matmul, np.matmul, (normal(3, 4), normal(2, 4, 2))),
    ("matmul-row-batch", gp.matmul, np.matmul, (normal(4), normal(2, 4, 3))),
    ("matmul-broadcast", gp.matmul, np.matmul, (normal(2, 1, 3, 4), normal(5, 4, 2))),
    ("matmul-no-inner", gp.matmul, np.matmul, (normal(2, 0), normal(0, 3))),
]  # fmt: skip
for tag, equation, shapes in [
    ("product", "ij,jk->ik", [(2, 3), (3, 2)]),
    ("transpose", "ij->ji", [(2, 3)]),
    ("diagonal", "ii->i", [(3, 3)]),
    ("trace", "ii->", [(3, 3)]),
    ("sum", "ij->j", [(2, 3)]),
    ("outer", "i,j->ji", [(2,), (3,)]),
    ("repeated-in-both", "iij,jji->i", [(2, 2, 3), (3, 3, 2)]),
    ("three", "ab,bc,ad->dc", [(2, 3), (3, 2), (2, 4)]),
    ("summed-alone", "ab,cd->bc", [(2, 3), (2, 3)]),
    ("empty", "ij,jk->ik", [(2, 0), (0, 3)]),
    ("0d", ",->", [(), ()]),
]:
    xs = tuple(normal(*shape, seed=position) for position, shape in enumerate(shapes))
    CASES.append((f"einsum-{tag}", partial(gp.einsum, equation), einsum_reference(equation), xs))
CASES += [
    ("einsum-implicit", partial(gp.einsum, "bca,cB"), einsum_reference("bca,cB->Bab"),
     (normal(2, 3, 2), normal(3, 2))),
    ("einsum-ellipsis", partial(gp.einsum, "...ij,...jk->...ik"), np.matmul, (normal(2, 3), normal(4, 3, 2))),
    ("einsum-ellipsis-broadcasts", partial(gp.einsum, "...i,i...->..."), lambda a, b: (a * b.T).sum(-1),
     (normal(1, 3), normal(3, 2))),
]  # fmt: skip
