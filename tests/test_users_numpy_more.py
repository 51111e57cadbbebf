"""More of NumPy in users' code: closeness, sums of truth values, views and the order in memory, einsum into arrays.
The terms give what NumPy gives; and the wrong gradients that a careless meaning would prove are not proved."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from test_users_numpy import agrees

from gradproof_spec import check
from gradproof_spec.obligations import Verdict
from gradproof_spec.symbolic import Unsupported, UserArray, as_terms, explore, symbols

SHAPES = {"x": (2, 3), "y": (2, 3), "v": (3,), "w": (3,), "m": (3, 3), "q": (2, 2, 2)}
TRUTHS = np.array([True, False, True])


def written(x, change):
    """x copied, changed, and returned: a view that is a copy on symbols shows."""
    change(x)
    return x


def into(out, call):
    call(out)
    return out * 2


def diagonal_set(m, v):
    y = m.copy()
    np.einsum("ii->i", y)[...] = v
    return y


def strided_diagonal(v):
    y = np.zeros((3, 3))
    as_strided(y, (3,), (4 * y.itemsize,))[...] = v
    return y


def transposed_view(x, v):
    z = +x.T
    flat = z.T.reshape(6)
    flat[0] = v[0]
    return z


def transposed_copy(x, v):
    z = np.array(x.T)
    flat = z.reshape(6)  # a copy: z is in the order of x.T
    flat[0] = v[0]
    return z


def like_transposed(x, v):
    z = np.zeros_like(x.T)
    z.reshape(6)[:] = 1.0
    z += x.T
    return z


MORE = {
    "isclose": lambda x, y: np.isclose(x, y) * 1.0 + np.isclose(x, 0.0, atol=0.5) * 2 + np.isclose(x, y, rtol=0.3),
    "isclose_is_not_symmetric": lambda x, y: np.isclose(x, 2 * x, rtol=0.5, atol=0.0) * 1.0 + np.isclose(
        2 * x, x, rtol=0.5, atol=0.0),
    "isclose_infinite": lambda x: np.isclose(np.where(x > 0, np.inf, x), np.where(x > 1, -np.inf, np.inf)) * 1.0
    + np.isclose(np.where(x > 0, np.inf, x), np.inf) + np.isclose(x, np.where(x > 0, np.inf, 1.0)),
    "isclose_integers": lambda x: np.isclose(x.argmax(1), np.array([1, 2])) * 1.0 + np.isclose(x.argmax(1), 1, 1, 0),
    "allclose": lambda v, w: v if np.allclose(v, w, atol=0.5) else w,
    "array_equal": lambda v, w: v + np.array_equal(v, v) + np.array_equal(v, v[:2]) if np.array_equal(v, w) else w,
    "sinc": lambda x: np.sinc(x) + np.sinc(2 * x),
    "cbrt": lambda x: np.cbrt(x * x) + np.cbrt(-8 * x) + np.cbrt(x * np.abs(x)) + np.cbrt(x**3),
    "product_of_truths": lambda x, y: (x > 0) * (y > 0) * 1.0 + ((x > 0) * (y > 0)).sum() + x * ((x > 0) * (y < 1)),
    "sum_of_truths": lambda x, y: x * ((x > 0) + (y > 0)) + ((x > 0) + (x > -1)).sum() + ((x > 0) + TRUTHS) * 2.0,
    "extrema_of_truths": lambda x, y: np.maximum(x > 0, y > 0) * 1.0 + np.minimum(x > 0, TRUTHS) + np.fmax(x > 0, True),
    "truths_in_place": lambda x, y: into(x > 0, lambda b: b.__iadd__(y > 0)) + np.multiply(
        x > 0, y > 0, out=np.zeros((2, 3))),
    "truths_are_counted": lambda x: (x > 0).sum(axis=0) + np.add.reduce(x > 0, axis=0) + sum(x > 0) + (x > 0) * 3,
    "index_by_product": lambda x, y: x[(x > 0) * (y > 0)].sum(),
    "diagonal_set": diagonal_set,
    "strided_diagonal": strided_diagonal,
    "transposed_view": transposed_view,
    "transposed_copy": transposed_copy,
    "like_transposed": like_transposed,
    "windows": lambda v: sliding_window_view(np.zeros(3) + v, 2).sum(1) + as_strided(v, (2, 2), v.strides * 2)[:, 0],
    "write_through_reshape": lambda x: written(np.zeros((2, 3)), lambda z: z.reshape(-1).__setitem__(slice(3), x[0])),
    "write_through_ravel": lambda x: written(x + 0, lambda z: np.ravel(z).__setitem__(1, 7.0)),
    "write_through_einsum": lambda x: written(x + 0, lambda z: np.einsum("ij->ji", z).__setitem__((2, 0), 7.0)),
    "einsum_views": lambda m, q: np.einsum("ii->i", m) + np.einsum(m, [0, 0], [0]) + np.einsum("iji->ij", q)[0, 0],
    "einsum_sums": lambda m, q: np.einsum("ii", m) + np.einsum("iii->i", q) + np.einsum("ij->j", m)[:2],
    "einsum_constant": lambda v: np.einsum("ii->i", np.zeros((3, 3)) + 1.0) * v,
    "einsum_out": lambda x, v: into(np.zeros(2), lambda out: np.einsum("ij,j->i", x, v, out=out)),
    "dot_out": lambda x, v: into(np.empty(2), lambda out: np.dot(x, v, out=out)) + into(
        np.zeros(2), lambda out: np.dot(x, v, out)),
    "outer_out": lambda v, w: into(np.zeros((3, 3)), lambda out: np.outer(v, w, out)),
    "einsum_dtype": lambda x, v: np.einsum("ij,j->i", x, v, dtype=float),
    "empty_index": lambda x, v: x[[]].sum() + written(v + 0, lambda z: z.__setitem__([], 3.0)) + x[:, []].sum(),
    "orders": lambda x: np.zeros((2, 3), order="F") + np.array(x.T, order="C").reshape(2, 3) + np.copy(x, "C"),
    "where_sums": lambda x, y: np.sum(x, axis=0, where=y > 0) + np.sum(x, where=TRUTHS) + np.mean(x, where=TRUTHS),
    "norms": lambda x: np.linalg.norm(x + 3, 1.5, axis=1) + np.linalg.norm(x + 3, -1, axis=1),
    "powers_of_zero": lambda x: 0.0 ** np.abs(x) + np.power(np.zeros(3), np.abs(x)),
    "dsplit": lambda q: np.dsplit(q, 2)[1],
}  # fmt: skip


@pytest.mark.parametrize("name", MORE)
def test_meaning_agrees_with_numpy(name):
    agrees(MORE[name], cases=12, shapes=SHAPES)


# ---------------------------------------------------------------- the order in memory
ORDERED = {
    "positive": lambda x: +x,
    "copy": lambda x: x.copy(),
    "copy_function": np.copy,
    "array": np.array,
    "array_c": lambda x: np.array(x, order="C"),
    "zeros_like": np.zeros_like,
    "ones_like": np.ones_like,
    "empty_like": lambda x: np.empty_like(x, shape=(4, 5)),
    "full_like": lambda x: np.full_like(x, 2.5),
    "like_f": lambda x: np.zeros_like(x, order="F"),
    "where": lambda x: np.where(x > 0, x, 0),
    "astype": lambda x: x.astype(float),
    "astype_c": lambda x: x.astype(float, order="C"),
    "sort": lambda x: np.sort(x, 0),
    "roll": lambda x: np.roll(x, 1, 0),
    "pad": lambda x: np.pad(x, 1),
    "piecewise": lambda x: np.piecewise(x, [x > 0], [1.0, 2.0]),
    "nan_to_num": lambda x: np.nan_to_num(x, posinf=1.0, neginf=0.0),
    "gradient": lambda x: np.gradient(x, axis=0),
    "max": lambda x: np.max(x[:, None] + x[None], axis=1),
    "max_keepdims": lambda x: np.max(x[:, None] + x[None], axis=1, keepdims=True),
    "vectorize": lambda x: np.vectorize(lambda t: t * 2.0)(x),
    "matmul": lambda x: x @ x.T,
    "sum": lambda x: (x[None] * x[:, None]).sum(0),
    "einsum": lambda x: np.einsum("ij->ji", x),
    "einsum_of_two": lambda x: np.einsum("ij,ij->ji", x, x),
    "concatenate": lambda x: np.concatenate([x, x]),
    "take": lambda x: np.take(x, [0, 1], 0),
    "broadcast": lambda x: np.broadcast_to(x, (2, *x.shape)) + 0,
    "clip": lambda x: np.clip(x, 0, 1),
    "isclose": lambda x: np.isclose(x, 0.0) * 1.0,
}
LAYOUTS = {
    "c": ((3, 2), lambda x: x),
    "transposed": ((2, 3), lambda x: x.T),
    "sliced": ((4, 6), lambda x: x[:2, ::2].T),
}


@pytest.mark.parametrize("name", ORDERED)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_order_in_memory_is_numpy_s(name, layout):
    """Whether reshape gives a view depends on it."""
    shape, of = LAYOUTS[layout]
    floats, found = ORDERED[name](of(np.ones(shape))), []
    explore(lambda: found.append(ORDERED[name](of(symbols("x", shape, UserArray)))), users=True, max_paths=1)
    strides = [tuple(s // a.itemsize for s, n in zip(a.strides, a.shape, strict=True) if n > 1)
               for a in (floats, np.asarray(found[0]))]  # fmt: skip
    assert found[0].shape == floats.shape
    assert strides[0] == strides[1]


REFUSED = {
    "einsum_out_of_integers": (lambda x: np.einsum("ij->i", x, out=np.zeros(2, int)), "out="),
    "einsum_out_in_its_operand": (lambda x: (lambda z: np.einsum("ij->i", z, out=z[:, 0]))(x + 0), "out="),
    "einsum_dtype": (lambda x: np.einsum("ij->i", x, dtype=int), "dtype"),
    "strided_beyond": (lambda x: as_strided(x, (7,), (8,)), "beyond"),
    "strided_before": (lambda x: as_strided(x[1], (3,), (-8,)) * as_strided(x, (2,), (-8,)), "beyond"),
    "array_f": (lambda x: np.array(x, order="F"), "order"),
    "truths_subtracted": (lambda x: np.subtract(x > 0, x > 1), "Boolean"),
    "sum_where_initial": (lambda x: np.sum(x, where=x > 0, initial=1.0), "initial"),
    "floats_into_truths": (lambda x: (x > 0).__imul__(x), "truncated"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_modelled_is_refused_by_name(name):
    f, said = REFUSED[name]
    with pytest.raises(Unsupported, match=said):
        explore(lambda: as_terms(f(symbols("x", (2, 3), UserArray))), users=True)


# ---------------------------------------------------------------- gradients that only a careless meaning proves
def reshaped(x):
    y = x.copy()
    y.reshape(4)[0] = 0.0
    return y * y


def reshaped_backward(g, x):
    kept = np.ones((2, 2))
    kept[0, 0] = 0.0
    return 2 * g * x * kept


def copied(x):
    y = np.array(x.T)
    y.reshape(4)[0] = 0.0  # of a copy: y is in the order of x.T
    return y.T * y.T


def close_to_one(x):
    return np.where(np.isclose(x, 1.0), x / 2, x)


def close_to(x, y):
    return np.where(np.isclose(x, y, rtol=0.5, atol=0.0), x * y, x)


def set_diagonal(x):
    y = x.copy()
    np.einsum("ii->i", y)[...] = 0.0
    return y * 2


def into_buffer(x):
    total = np.zeros(2)
    np.einsum("ij,ij->i", x, x, out=total)
    return total


def share(x):
    return x * (1.0 * (x == x.max())) / (x == x.max()).sum()


ONE, TWO, SQUARE = {"x": (1,)}, {"x": (2,), "y": (2,)}, {"x": (2, 2)}
RIGHT = {
    "reshaped": (reshaped, reshaped_backward, SQUARE),
    "copied": (copied, lambda g, x: 2 * g * x, SQUARE),
    "close to one": (close_to_one, lambda g, x: g * np.where(np.isclose(x, 1.0), 0.5, 1.0), ONE),
    "close": (close_to, lambda g, x, y: (g * np.where(np.isclose(x, y, rtol=0.5, atol=0.0), y, 1.0),
                                         g * np.where(np.isclose(x, y, rtol=0.5, atol=0.0), x, 0.0)), TWO),
    "either": (lambda x, y: x * ((x > 0) + (y > 0)) * y,
               lambda g, x, y: (g * y * ((x > 0) | (y > 0)), g * x * ((x > 0) | (y > 0))), TWO),
    "both": (lambda x, y: x * y * ((x > 0) * (y > 0)),
             lambda g, x, y: (g * y * np.minimum(x > 0, y > 0), g * x * ((x > 0) & (y > 0))), TWO),
    "diagonal": (set_diagonal, lambda g, x: 2 * g * (1 - np.eye(2)), SQUARE),
    "out": (into_buffer, lambda g, x: 2 * g[:, None] * x, SQUARE),
    "cube root": (np.cbrt, lambda g, x: g / (3 * np.cbrt(x**2)), ONE),
    "sinc": (np.sinc, lambda g, x: g * np.where(x == 0, 0.0, (np.cos(np.pi * x) - np.sinc(x)) / np.where(
        x == 0, 1.0, x)), ONE),
}  # fmt: skip
WRONG = {
    "reshaped": (reshaped, lambda g, x: 2 * g * x, SQUARE),
    "copied": (copied, reshaped_backward, SQUARE),
    "close is not equal": (close_to_one, lambda g, x: g * np.where(x == 1.0, 0.5, 1.0), ONE),
    "close the other way": (close_to, lambda g, x, y: (
        g * np.where(np.isclose(y, x, rtol=0.5, atol=0.0), y, 1.0),
        g * np.where(np.isclose(y, x, rtol=0.5, atol=0.0), x, 0.0)), TWO),
    "either is not two": (lambda x, y: x * ((x > 0) + (y > 0)) * y,
                          lambda g, x, y: (g * y * ((x > 0) + 1.0 * (y > 0)), g * x * ((x > 0) | (y > 0))), TWO),
    "either is not one of": (lambda x, y: x * ((x > 0) + (y > 0)) * y,
                             lambda g, x, y: (g * y * ((x > 0) ^ (y > 0)), g * x * ((x > 0) ^ (y > 0))), TWO),
    "diagonal": (set_diagonal, lambda g, x: 2 * g, SQUARE),
    "out": (into_buffer, lambda g, x: g[:, None] * x, SQUARE),
    "cube root": (np.cbrt, lambda g, x: g / (3 * np.cbrt(x) * np.cbrt(np.abs(x))), ONE),
    "sinc": (np.sinc, lambda g, x: g * np.where(x == 0, 1.0, (np.cos(np.pi * x) - np.sinc(x)) / np.where(
        x == 0, 1.0, x)), ONE),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_ones_are_proved(name):
    forward, backward, shapes = RIGHT[name]
    assert check(forward, backward, shapes=shapes).verdict is Verdict.PROVED


@pytest.mark.parametrize("name", WRONG)
def test_wrong_ones_are_refuted(name):
    forward, backward, shapes = WRONG[name]
    assert check(forward, backward, shapes=shapes).verdict is Verdict.REFUTED


# ---------------------------------------------------------------- many cases, of which few can hold
def shared_tangent(p, t):
    top = p[0] == p[0].max()
    return (t[0] * top).sum() / top.sum()


def test_maxima_of_four_entries_are_decided():
    assert check(lambda x: x.max(), jvp=shared_tangent, shapes={"x": (4,)}).verdict is Verdict.PROVED
    assert check(lambda x: x.max(), jvp=lambda p, t: 2 * shared_tangent(p, t) - t[0][p[0].argmax()] * (
        1 + (p[0] > p[0].max() - 1e-3).sum() > 2), shapes={"x": (4,)}).verdict is Verdict.REFUTED


# ---------------------------------------------------------------- slopes along the axes, and no derivative
def near(x, y):
    return np.abs(x - y) <= 0.5 * np.abs(y)


BENT = {  # at 0 all slopes agree in most directions, but not in all
    "in a cone": (lambda x, y: np.where(near(x, y), x * y, x),
                  lambda g, x, y: (g * np.where(near(x, y), y, 1.0), g * np.where(near(x, y), x, 0.0))),
    "in a narrow cone": (lambda x, y: np.where(np.isclose(x, 3 * y, atol=0.0), 0.0, x),
                         lambda g, x, y: (g * np.where(np.isclose(x, 3 * y, atol=0.0), 0.0, 1.0), 0 * g)),
    "on a line": (lambda x, y: np.where(x == y, 0.0, x), lambda g, x, y: (g * np.where(x == y, 0.0, 1.0), 0 * g)),
    "on a slanted line": (lambda x, y: np.where(x == 3 * y, 0.0, x),
                          lambda g, x, y: (g * np.where(x == 3 * y, 0.0, 1.0), 0 * g)),
    "on a curve": (lambda x, y: np.where(x == y + y * y, 0.0, x),
                   lambda g, x, y: (g * np.where(x == y + y * y, 0.0, 1.0), 0 * g)),
}  # fmt: skip


@pytest.mark.parametrize("name", BENT)
def test_slopes_along_the_axes_are_no_derivative(name):
    assert check(*BENT[name], shapes={"x": (), "y": ()}).verdict is not Verdict.REFUTED


def divided(x, y):
    return np.where(x == y, np.exp(x), (np.exp(x) - np.exp(y)) / np.where(x == y, 1, x - y))


def divided_backward(at_equal):
    def backward(g, x, y):
        d = np.where(x == y, 1, x - y)
        slope = (np.exp(x) - np.exp(y)) / d**2
        return (g * np.where(x == y, at_equal * np.exp(x), np.exp(x) / d - slope),
                g * np.where(x == y, at_equal * np.exp(x), slope - np.exp(y) / d))  # fmt: skip

    return backward


@pytest.mark.parametrize("shape", [(), (2,)], ids=str)
def test_a_derivative_at_a_value_of_its_own_is_still_seen(shape):
    shapes = {"x": shape, "y": shape}
    assert check(divided, divided_backward(0.5), shapes=shapes).verdict is Verdict.PROVED
    assert check(divided, divided_backward(1.0), shapes=shapes).verdict is Verdict.REFUTED
