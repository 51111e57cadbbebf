"""`check` for all shapes: right gradients PROVED, wrong ones never; and what NumPy means on named extents."""

from __future__ import annotations

import os

import numpy as np
import pytest
from all_shapes_corpus import RIGHT, WRONG

from gradproof_spec import CheckError, check
from gradproof_spec.array_evaluation import ArrayEvaluation
from gradproof_spec.evaluate import Environment
from gradproof_spec.gradient_check.all_shapes import UserCase, results_of, symbol
from gradproof_spec.gradient_check.named_arrays import Tracing, number, numpy_with_names
from gradproof_spec.op import Op, TensorType
from gradproof_spec.solver import Solver
from gradproof_spec.symbolic import Unsupported
from gradproof_spec.terms import subterms, to_index, variable

# In `make nightly` only: what takes longer, or is much like another.
NIGHTLY = {"linear_relu", "attention_weights", "batchnorm", "relu", "mlp", "hinge", "batch_matmul", "entropy", "glu",
           "leaky", "silu", "logistic", "scores", "rmsnorm", "std_eps", "cosine", "log_softmax", "mahalanobis", "tanh",
           "sse_half", "linear", "mae", "clip_by_norm", "cross_entropy", "gelu_tanh", "abs_linear", "relu_mse",
           "two_heads", "l2_normalize"}  # fmt: skip
HERE = [case for case in RIGHT if case[0] not in NIGHTLY or os.environ.get("GRADPROOF_FUZZ") == "nightly"]
N, NM, ND, NN = {"x": ("N",)}, {"x": ("N",), "y": ("M",)}, {"x": ("N", "D")}, {"x": ("N", "N")}
NDK = {"x": ("N", "D", 2)}
XW, XY, XB = {**ND, "w": ("D",)}, {**ND, "y": ("N", "D")}, {**ND, "y": ("N", 1)}
MATRICES, BATCHES = {**ND, "y": ("D", "M")}, {"x": ("B", "N", "D"), "y": ("B", "D", "M")}


def written(x):
    y = np.zeros_like(x)
    y[:, 0] = x[:, 0]
    y[1:, 0] += 2 * x[1:, 0]
    y[:, 1:] = x[:, 1:] * 3
    return y


def masked(x, y):
    z = x.copy()
    z[y > 0] = 0.0
    z[y < -0.5] *= y[y < -0.5]
    z[x > 1] = (x + y)[x > 1] - 2
    return z


def through_views(x):
    y = np.zeros((x.shape[0] + 1, x.shape[1]))
    y[1:] += x
    y[:-1] -= x
    y[0] = 7
    y[-1, :] *= 2
    return y


def aliases(x):
    y = np.zeros_like(x)
    z = np.asarray(y)
    z += x
    w = y.conj()
    w[0] = 3
    total = z.sum()
    kept = total
    total += 1
    row = y[-1].copy()
    row += 100
    return y + kept


def writes_again(x):
    y = x * 1.0
    y[1:-1] += 10
    y[0] = x[1:].sum(axis=0)
    y[-1, 0] -= 4
    y[1:] = y[:-1]
    y[:, -1:] = 0.5
    mask = x > 0
    mask |= x < -1
    return y * mask


def constant_loop(x):
    y = np.empty(x.shape)
    for k in range(2):
        y[..., k] = x[..., 1 - k] * (k + 1)
    y *= 2
    y -= 1
    return y


def by_branches(x):
    if x.shape[0] == 1:
        return x * 5
    if x.shape[0] > x.shape[1] >= 2:
        return x - 1
    return x / x.shape[0] if x.sum() > 0 else -x


# what is traced, against NumPy: a function and the shapes of its arguments
FUNCTIONS = {
    "arithmetic": (lambda x, y: 2 * x - y / 3 + x * y - (-x) + y**2 + x**3 - 1 / (1 + y**2) + (+x), XY),
    "powers": (lambda x: np.abs(x) ** 0.5 + (x * x + 1) ** -1.5 + np.power(np.abs(x) + 1, 1.25) + x**0, ND),
    "elementary": (lambda x: np.exp(x) + np.tanh(x) + np.sin(x) * np.cos(x) + np.arctan(x) + np.expm1(x), ND),
    "logarithms": (lambda x: np.log(x * x + 1) + np.log1p(x * x) + np.sqrt(np.abs(x)) + np.log2(x * x + 2), ND),
    "hyperbolic": (lambda x: np.sinh(x) + np.cosh(x) + np.exp2(x) + np.logaddexp(x, 1.0) + np.hypot(x, 2), ND),
    "abs sign": (lambda x: np.abs(x) + np.sign(x) + np.square(x) + np.reciprocal(x) + np.heaviside(x, 0.5), ND),
    "extrema of two": (lambda x, y: np.maximum(x, y) + 2 * np.minimum(x, 0) + np.fmax(x, 1) - np.fmin(y, x), XY),
    "clip": (lambda x: np.clip(x, -0.5, 0.7) + x.clip(0, None) + np.clip(x, None, 0.3), ND),
    "where": (lambda x, y: np.where(x > y, x, 2 * y) + np.where(x, 1, 0), XY),
    "comparisons": (lambda x, y: (x < y) + 2.0 * (x <= y) + 4 * (x > y) + 8 * (x >= y) + (x == y) + (x != y), XY),
    "logic": (lambda x, y: ((x > 0) & (y > 0) | ~(x > y)) ^ np.logical_and(x < 1, np.logical_not(y < 0)), XY),
    "truths add as or": (lambda x, y: (x > 0) + (y > 0), XY),
    "truths multiply": (lambda x, y: ((x > 0) * (y > 0)).sum() + (x > 0).mean() + (x > 0) / 2, XY),
    "maximum of truths": (lambda x, y: np.maximum(x > 0, y > 0), XY),
    "broadcast column": (lambda x, y: x * y + (y - x), XB),
    "broadcast vector": (lambda x, w: x + w - w[None] * 2 + w[np.newaxis, :], XW),
    "broadcast outer": (lambda x, y: x[:, None] - y, NM),
    "broadcast_to": (lambda x: np.broadcast_to(x.sum(0), x.shape) + np.broadcast_to(x[:, :1], x.shape), ND),
    "constants": (lambda x: x[:, None] * np.array([1.0, -2.0, 0.5]) + np.arange(3), N),
    "constant matrix": (lambda x: x @ np.array([[1.0, 2.0], [3.0, -4.0]]), {"x": ("N", 2)}),
    "lists": (lambda x: x * [1.0, 2.0], {"x": ("N", 2)}),
    "sum": (lambda x: x.sum(), ND),
    "sum 0": (lambda x: x.sum(0), ND),
    "sum -1": (lambda x: np.sum(x, axis=-1), ND),
    "sum keepdims": (lambda x: x.sum(axis=1, keepdims=True), ND),
    "add.reduce": (lambda x: np.add.reduce(x), ND),
    "sum axes": (lambda x: x.sum(axis=(0, 2)), NDK),
    "sum empty axes": (lambda x: x.sum(axis=()), ND),
    "sum axes keepdims": (lambda x: np.sum(x, (-1, 0), keepdims=True), NDK),
    "mean": (lambda x: x.mean() + x.mean(0) + x.mean(-1, keepdims=True), ND),
    "var std": (
        lambda x: x.var() + np.var(x, axis=0) + x.std(axis=1, keepdims=True) + x.var(axis=-1, ddof=-1).sum(),
        ND,
    ),
    "small extrema": (lambda x: x.max(axis=2) - x.min(axis=-1) + np.max(x, 2, keepdims=True)[..., 0], NDK),
    "small products": (lambda x: x.prod(axis=2), NDK),
    "average": (lambda x: np.average(x, axis=0), ND),
    "norms": (lambda x: np.linalg.norm(x) + np.linalg.norm(x, axis=1).sum() + np.linalg.norm(x[0]), ND),
    "norm ord": (lambda x: np.linalg.norm(x, 2, axis=1, keepdims=True) + np.linalg.norm(x, "fro"), ND),
    "cumsum": (lambda x: np.cumsum(x, axis=0) + x.cumsum(axis=-1), ND),
    "cumsum flat": (lambda x: np.cumsum(x), ND),
    "matmul": (lambda x, y: x @ y, MATRICES),
    "matmul batch": (lambda x, y: x @ y, BATCHES),
    "matmul vector": (lambda x, w: x @ w, XW),
    "vector matmul": (lambda x, w: w @ x.T, XW),
    "matmul broadcast": (lambda x, y: x @ y, {"x": ("B", "N", "D"), "y": ("D", "M")}),
    "matmul vectors": (lambda x: x @ x, N),
    "dot": (lambda x, y: np.dot(x, y) + x.dot(y), MATRICES),
    "dot vector": (lambda x, w: x.dot(w), XW),
    "dot deep": (lambda x, y: np.dot(x, y), {"x": ("N", "D"), "y": ("B", "D", 2)}),
    "inner": (lambda x, w: np.inner(x, w), XW),
    "inner matrices": (lambda x, y: np.inner(x, y), XY),
    "vdot": (lambda x, y: np.vdot(x, y), XY),
    "outer": (lambda x, y: np.outer(x, y) + np.multiply.outer(x, y), NM),
    "outer of matrices": (lambda x, y: np.outer(x, y), {"x": ("N", 2), "y": ("M", "K")}),
    "tensordot": (lambda x, y: np.tensordot(x, y, axes=1), MATRICES),
    "tensordot 2": (np.tensordot, XY),
    "tensordot axes": (
        lambda x, y: np.tensordot(x, y, axes=([0, 2], [0, 1])),
        {"x": ("B", "N", "D"), "y": ("B", "D", "M")},
    ),
    "tensordot 0": (lambda x, y: np.tensordot(x, y, axes=0), NM),
    "einsum": (lambda x, y: np.einsum("ij,jk->ki", x, y), MATRICES),
    "einsum implicit": (lambda x, y: np.einsum("ij,jk", x, y), MATRICES),
    "einsum implicit order": (lambda x: np.einsum("ba", x), ND),
    "einsum trace": (lambda x: np.einsum("ii", x), NN),
    "einsum diagonal": (lambda x: np.einsum("ii->i", x), NN),
    "einsum sum": (lambda x: np.einsum("ij->", x), ND),
    "einsum batch": (lambda x, y: np.einsum("bnd,bdm->bnm", x, y), BATCHES),
    "einsum ellipsis": (lambda x, y: np.einsum("...nd,...dm->...nm", x, y), BATCHES),
    "einsum ellipsis broadcast": (lambda x, y: np.einsum("...d,d->...", x, y), {"x": ("B", "N", "D"), "y": ("D",)}),
    "einsum three": (lambda x, y: np.einsum("nd,dm,nm->d", x, y, x @ y), MATRICES),
    "einsum ones": (lambda x, y: np.einsum("nd,nd->d", x, y), XB),
    "trace diag": (lambda x: np.trace(x) + np.diag(x) + x.diagonal() + np.diag(x[0])[0], NN),
    "tril triu": (lambda x: np.tril(x) + np.triu(x, 1) + np.tril(x, -1) + np.triu(x, -2), ND),
    "transposes": (lambda x: x.T.sum(0) + x.transpose(1, 0).sum(0) + np.transpose(x, (0, 1)).sum(1), ND),
    "transpose 3": (lambda x: x.transpose(2, 0, 1) + np.transpose(x, (-1, 0, 1)), NDK),
    "T": (lambda x: x.T, NDK),
    "swapaxes": (lambda x: np.swapaxes(x, 0, -1), NDK),
    "moveaxis": (lambda x: np.moveaxis(x, 0, -1), NDK),
    "moveaxis two": (lambda x: np.moveaxis(x, (0, 1), (2, 0)), NDK),
    "mT": (lambda x: x.mT, NDK),
    "expand_dims": (lambda x: np.expand_dims(x, 1) + np.expand_dims(x, (0,)).transpose(1, 0, 2), ND),
    "squeeze": (lambda x, y: y.squeeze() + np.squeeze(y, 1) + np.squeeze(x).sum(), XB),
    "reshape flat": (lambda x: x.reshape(-1) * 2, ND),
    "ravel": (lambda x: x.ravel() + x.flatten() + np.ravel(x), NDK),
    "reshape back": (lambda x: x.reshape(-1).reshape(x.shape), ND),
    "reshape ones": (lambda x: x.reshape(x.shape[0], 1, -1, 1) + 0, ND),
    "reshape merge": (lambda x: x.reshape(-1, 2), NDK),
    "reshape groups": (lambda x: np.reshape(x, (x.shape[0], x.shape[1] * 2)), NDK),
    "reshape swapped": (lambda x: x.reshape(x.shape[1], x.shape[0]), ND),
    "reshape mixed": (lambda x: x.reshape((x.shape[1], 2, x.shape[0])), NDK),
    "ints": (lambda x: x[0] + x[-1], ND),
    "ints 2": (lambda x: x[0, 0] + x[-1, -1] + x[0][0], ND),
    "slices": (lambda x: x[1:] - x[:-1], ND),
    "slices far": (lambda x: x[2:5], N),
    "slices back": (lambda x: x[-3:-1], N),
    "slices step": (lambda x: x[::2], N),
    "slices step 3": (lambda x: x[1::3], N),
    "reversed": (lambda x: x[::-1, ::-1], ND),
    "slices cut": (lambda x: x[: x.shape[1]], ND),
    "ellipsis": (lambda x: x[..., 0] + x[:, 0, ...].sum() + x[0, ..., -1].sum(), NDK),
    "None": (lambda x: x[None, :, None] + x[:, None].sum(), ND),
    "of extents": (lambda x: x[: x.shape[0] - 1, x.shape[1] - 1], ND),
    "zeros ones": (lambda x: np.zeros_like(x) + np.ones_like(x) * 3 + np.full_like(x, 2.5) + np.zeros(x.shape), ND),
    "fills": (
        lambda x: np.ones((x.shape[0], 2)) + np.full((x.shape[0], 1), x.sum()) + np.zeros(x.shape[0])[:, None],
        ND,
    ),
    "eye": (lambda x: np.eye(x.shape[0]) + np.eye(x.shape[0], k=1) + np.identity(x.shape[0]) + np.tri(x.shape[0]), N),
    "eye wide": (lambda x: np.eye(x.shape[0], x.shape[1]), ND),
    "arange": (lambda x: np.arange(x.shape[0]) * x + np.arange(1, x.shape[0] + 1), N),
    "mask by arange": (lambda x: np.where(np.arange(x.shape[0])[:, None] >= np.arange(x.shape[1]), x, 0.5), ND),
    "sizes": (
        lambda x: x / x.shape[0] + x * x.size + x.ndim + 0.5 * x.shape[1] - (x.shape[0] - 1) / 2 + x.shape[0] ** 2,
        ND,
    ),
    "sizes 2": (
        lambda x: x * np.sqrt(x.shape[1]) + x.shape[0] ** -0.5 + np.prod(x.shape) + 1 / x.shape[0] + x.shape[0] / 3.0,
        ND,
    ),
    "sizes 3": (
        lambda x: x * (x.shape[0] // 2 + x.shape[0] % 3) + -x.shape[1] + max(x.shape[0], 2) + 3 // x.shape[0],
        ND,
    ),
    "np.shape": (lambda x: x + np.shape(x)[0] + np.ndim(x) + np.size(x) + np.size(x, 1), ND),
    "stack": (lambda x, y: np.stack([x, y, x + y]), XY),
    "stack 1": (lambda x, y: np.stack((x, y), axis=-1), XY),
    "np.array of arrays": (lambda x: np.array([x.sum(), x[0] * 2, 3.0]), N),
    "concatenate": (lambda x, y: np.concatenate([x, y, x]), NM),
    "concatenate 1": (lambda x, y: np.concatenate((x, y), axis=1), XB),
    "concatenate flat": (lambda x, y: np.concatenate((x, y), axis=None), {"x": ("N",), "y": ("M", 2)}),
    "flip": (lambda x: np.flip(x) + np.flip(x, 0) + np.flip(x, (1,)), ND),
    "roll": (lambda x: np.roll(x, 1) + np.roll(x, -2), N),
    "roll 1": (lambda x: np.roll(x, 3, axis=1), ND),
    "diff": (lambda x: np.diff(x, axis=0), ND),
    "diff -1": (lambda x: np.diff(x), ND),
    "astype": (lambda x: (x > 0).astype(float) + x.astype(np.float64) + np.asarray(x) + np.array(x, dtype=float), ND),
    "copies": (lambda x: x.copy() + np.copy(x) + x.conj() + x.real + np.ascontiguousarray(x), ND),
    "writes": (written, {"x": ("N", "D")}),
    "masks": (masked, XY),
    "through views": (through_views, ND),
    "branches": (by_branches, ND),
    "aliases": (aliases, ND),
    "writes again": (writes_again, ND),
    "constant loop": (constant_loop, NDK),
    "sum of mask": (lambda x: x[x > 0].sum() + 0, ND),
    "loops": (lambda x: sum(row.sum() * k for k, row in enumerate(x.transpose(2, 0, 1))), NDK),
    "several": (lambda x, y: (x @ y, x.sum(), 1.5), MATRICES),
}


def extent_term(n):
    return variable(n) if isinstance(n, str) else to_index(n)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_on_named_extents_is_numpys(name):
    """In every case of the extents, at small ones and random values, the terms are what NumPy computes."""
    f, shapes = FUNCTIONS[name]
    names = list(dict.fromkeys(n for s in shapes.values() for n in s if isinstance(n, str)))
    extents = {n: [extent_term(k) for k in s] for n, s in shapes.items()}
    inputs = tuple(TensorType(n, tuple(f"@{k}" for k in range(len(s)))) for n, s in extents.items())
    case = UserCase(
        Op("f", "-> y[]"), "", 0, inputs, TensorType("y", ()), tensors={n: tuple(s) for n, s in extents.items()}
    )
    rng = np.random.default_rng(1)
    rows = [
        (1, 1, 1, 1),
        (1, 2, 3, 2),
        (2, 1, 2, 3),
        (3, 2, 1, 4),
        (2, 3, 4, 1),
        (4, 4, 2, 2),
        (5, 3, 1, 2),
        (7, 1, 2, 1),
    ]
    seen = set()
    pending = [[]]
    while pending:
        tracing = Tracing([variable(n) >= 1 for n in names], pending.pop(), Solver())
        with tracing, numpy_with_names():
            arrays = [symbol(n, extents[n]) for n in shapes]

            def function(arrays=arrays):
                y = f(*arrays)
                return y if isinstance(y, tuple) else [y]

            try:
                results = results_of(function, tracing)
            except (IndexError, ValueError) as error:
                results = error
        pending.extend(tracing.extents.alternatives)
        for row in rows:
            sizes = dict(zip(names, row, strict=False))
            environment = Environment(case, sizes, {})
            if not all(environment.condition(c) for c in tracing.extents.taken):
                continue
            seen.add(row)
            for _ in range(3):
                values = {n: rng.normal(size=[environment.index(k) for k in s]) for n, s in extents.items()}
                if isinstance(results, Exception):
                    with pytest.raises(type(results)):
                        f(*values.values())
                    continue
                want = f(*values.values())
                want = want if isinstance(want, tuple) else (want,)
                assert len(want) == len(results)
                for x, y in zip(results, want, strict=True):
                    shape = [environment.index(n) for n in x.extents]
                    assert list(np.shape(y)) == shape
                    assert (np.asarray(y).dtype == bool) == x.boolean
                    order = {f"@{k}": n for k, n in enumerate(shape)}
                    if 0 not in shape:  # what is not filled is nan
                        empty = {
                            n: np.full([environment.index(k) for k in s], np.nan) for n, s in tracing.opaque.items()
                        }
                        got = ArrayEvaluation(case, sizes, {**values, **empty}, {}).array(number(x.body), order)
                        np.testing.assert_allclose(got, np.asarray(y, float), rtol=1e-9, atol=1e-12)
    assert seen == set(rows)


def on_named(f, shapes):
    tracing = Tracing([variable(n) >= 1 for s in shapes.values() for n in s if isinstance(n, str)], [], Solver())
    with tracing, numpy_with_names():
        arrays = [symbol(n, [extent_term(k) for k in s]) for n, s in shapes.items()]
        return results_of(lambda: [f(*arrays)], tracing)


def write_under_view(x):
    y = x + 1
    row = y[0]
    y[0] = 5
    return row


def write_into_transpose(x):
    y = x + 1
    y.T[0] = 5
    return y


def write_through_two_views(x):
    y = x + 1
    first, second = y[0], y[:, 0]
    first += 1
    return second


def caught(x):
    try:
        return x * len(x)
    except Exception:
        return x * 2


REFUSED = {
    "argument": lambda x: x.__iadd__(1),
    "under a view": write_under_view,
    "into a view": write_into_transpose,
    "two views": write_through_two_views,
    "caught": caught,
    "len": lambda x: x * len(x),
    "range": lambda x: [x[i] for i in range(x.shape[0])],
    "float": lambda x: float(x.sum()),
    "machine array": lambda x: np.float64(x.sum()),
    "sort": lambda x: np.sort(x),
    "other extents": lambda x: x + np.ones((x.shape[1], x.shape[0])),
    "matmul": lambda x: x @ x,
    "truth": lambda x: x if x > 0 else -x,
    "all": lambda x: x if (x > 0).all() else -x,
    "indices": lambda x: x[[0, 1]],
    "infinite": lambda x: np.where(x > 0, x, -np.inf),
    "np.add out": lambda x: np.add(x, 1, out=np.zeros((2, 2))),
    "dtype": lambda x: np.zeros(x.shape, dtype=int) + x,
    "astype": lambda x: x.astype(np.float32),
    "keyword": lambda x: x.sum(where=x > 0),
    "initial": lambda x: x.sum(initial=1.0),
    "floor": lambda x: np.floor(x) + x // 1,
    "argmax": lambda x: x.argmax(),
    "reshape": lambda x: x.reshape(3, -1),
    "attribute": lambda x: x.strides,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_modelled_is_refused(name):
    with pytest.raises(Unsupported):
        for x in on_named(REFUSED[name], ND):
            if any(t.op == "function" and t.args[0] == "floor" for t in subterms(x.body)):
                raise Unsupported("refused when the terms are judged")


def test_isinstance_sees_what_numpy_would_give():
    def f(x):
        assert isinstance(x, np.ndarray) and isinstance(x.sum(), np.float64) and isinstance(x.shape[0], int)
        return x

    assert [y.ndim for y in on_named(f, ND)] == [2]


# ---------------------------------------------------------------- the check
@pytest.mark.parametrize("case", HERE, ids=[case[0] for case in HERE])
def test_a_right_gradient_is_proved_for_all_shapes(case):
    _, forward, backward, shapes, question = case
    result = check(forward, backward, shapes=shapes, **question)
    assert str(result.verdict) == "PROVED", result.message
    assert result.over.startswith("all shapes: ")


@pytest.mark.parametrize("case", WRONG, ids=[case[0] for case in WRONG])
def test_a_wrong_gradient_is_refuted(case):
    _, forward, backward, shapes, question = case
    result = check(forward, backward, shapes=shapes, **question)
    assert str(result.verdict) == "REFUTED", result.message
    assert result.counterexample and "at N = " in result.message


def test_the_corpora_are_large_enough():
    assert len(HERE) >= 25 and len(WRONG) >= 25


def square(x):
    return x * x


def wrong_far_away(g, x):
    return g * x if x.shape[0] * x.shape[1] == 13 * 17 else 2 * g * x


def wrong_at_13_17(g, x):
    return g * x if (x.shape[0], x.shape[1]) == (13, 17) else 2 * g * x


def by_loop(g, x):
    return np.array([2 * g[k] * x[k] for k in range(x.shape[0])])


@pytest.mark.parametrize(("backward", "reason"), [
    (wrong_far_away, "is not shown to be the derivative"), (wrong_at_13_17, "where N = 13 and D = 17"),
    (by_loop, "the extent N as a machine integer")])  # fmt: skip
def test_what_is_shown_at_small_shapes_only_is_unknown(backward, reason):
    result = check(square, backward, shapes=ND)
    assert str(result.verdict) == "UNKNOWN"
    assert reason in result.message and "proved for N = 2, D = 2" in result.message


def test_ties_and_assumptions_are_named():
    result = check(lambda x: np.abs(x).sum(), lambda g, x: g * np.sign(x), shapes=ND)
    assert result.assumptions == ("off the tie x[n,d] = 0, where the forward is not always differentiable",)
    result = check(np.log, lambda g, x: g / x, shapes=N)
    assert result.assumptions == ("where the forward is defined (log): 0 < x[n]",)
    result = check(np.log, lambda g, x: g / x, shapes=N, domain=lambda x: x > 0)
    assert result and result.assumptions == ()
    result = check(lambda x, a: x * a + 0.1, lambda g, x, a: g * a, shapes=N, params={"a": "real"})
    assert result.assumptions == ("a is any real number", "the constant 0.1 is read as 1/10")


def test_a_domain_may_restrict_the_extents():
    def variance(x):
        return ((x - x.mean()) ** 2).sum() / (x.shape[0] - 1)

    def backward(g, x):
        return 2 * g * (x - x.mean()) / (x.shape[0] - 1)

    result = check(variance, backward, shapes=N, domain=lambda x: x.shape[0] >= 2)
    assert result.assumptions == ("nothing is claimed where not (2 ≤ N), outside of the domain",), result.message


def test_a_tie_at_which_the_forward_is_differentiable_is_not_left_out():
    def identity(x):
        return np.maximum(x, 0) - np.maximum(-x, 0)

    assert not check(identity, lambda g, x: g * (x != 0), shapes=N)
    assert not check(identity, lambda g, x: g * ((x > 0) + (x < 0.0) * 1.0), shapes=N)


def test_tangents_residuals_surrogates_and_several_results():
    assert check(square, jvp=lambda xs, ts: 2 * xs[0] * ts[0], shapes=ND)
    assert str(check(square, jvp=lambda xs, ts: xs[0] * ts[0], shapes=ND).verdict) == "REFUTED"
    assert check(lambda x: (np.exp(x), (x,)), lambda kept, g: np.exp(kept[0]) * g, shapes=ND, residuals=True)
    assert check(lambda x: np.where(x > 0, 1.0, 0.0), lambda g, x: g, shapes=N, surrogate=lambda x: x)
    assert check(square, shapes=ND)
    assert check(lambda x: (x.sum(), x.mean(axis=0)), lambda g, x: g[0] + g[1] / x.shape[0] + 0 * x, shapes=ND)


def test_a_shape_that_is_wrong_is_refuted():
    assert str(check(lambda x: x.T * 1.0, lambda g, x: g, shapes=ND).verdict) == "REFUTED"


def test_names_of_extents_are_checked():
    with pytest.raises(CheckError, match="no tuple of extents"):
        check(square, lambda g, x: g, shapes={"x": ("N M",)})


def test_named_arrays_leave_numpy_as_it_was():
    before = {name: getattr(np, name) for name in ("zeros", "asarray", "eye")}
    assert check(lambda x: np.zeros(x.shape) + x, lambda g, x: g, shapes=ND)
    assert before == {name: getattr(np, name) for name in before}
