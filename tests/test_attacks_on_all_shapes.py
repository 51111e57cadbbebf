"""Wrong gradients that `check` with named extents once PROVED: what it traced was not what NumPy does."""

import numpy as np
import pytest

from gradproof_spec import check
from gradproof_spec.gradient_check.named_arrays import Decisions
from gradproof_spec.symbolic import Unsupported
from gradproof_spec.terms import variable

N, NN = {"x": ("N",)}, {"x": ("N", "N")}


def identity(x):
    return x * 1.0


def all_ones(g, x):
    return g * np.ones_like(x)


def asks_for_the_type(g, x):
    return 5 * g if x.shape[0] >= 14 and type(x) is np.ndarray else g


def asks_for_the_type_of_an_extent(g, x):
    return 5 * g if type(x.shape[0]) is int and x.shape[0] > 5 else g


def formats_an_extent(g, x):
    return 5 * g if f"{x.shape[0]}" == "14" else g


def hashes_an_extent(g, x):
    try:
        hash(x.shape[0])
    except TypeError:
        return g
    return 5 * g if x.shape[0] > 5 else g


def keeps_a_view(x):
    y = x * 1.0
    if y.shape[0] >= 14:
        v = y[:-1]
        y[1:] = v
        return v * 1.0
    return y[:-1] * 1.0


def of_what_was_viewed(g, x):
    gx = np.zeros_like(x)
    gx[:-1] = g
    return gx


def far_away(x):
    """Not 0 for many elements of a large sum only."""
    return np.maximum(x.sum() - 1e6, 0) * np.minimum(np.maximum(x.shape[0] - 6, 0), 1)


def array_without_axes(x):
    y = np.where(x.sum() > 1e300, x.sum(), x.sum())
    z = y
    z += far_away(x)
    return y * 1.0


def asarray_without_axes(x):
    y = np.asarray(x.sum())
    z = y
    z += far_away(x)
    return y * 1.0


def diagonal_by_einsum(x):
    y = x * 1.0
    np.einsum("ii->i", y)[...] += np.maximum(x[0, 0] - 1e6, 0) * np.where(np.arange(x.shape[0]) > 7, 1.0, 0.0)
    return y


def like_truths(x):
    y = np.zeros_like(x > 0)
    y[...] = np.where(np.arange(x.shape[0]) > 7, x, 0)
    return x + y


def mask_changes(x):
    mask = x > 0
    kept = x[mask]
    mask &= x < 1e6 * np.maximum(10 - np.arange(x.shape[0]), 1)
    return kept.sum()


def by_the_changed_mask(g, x):
    return g * np.where((x > 0) & (x < 1e6 * np.maximum(10 - np.arange(x.shape[0]), 1)), 1.0, 0.0)


@pytest.mark.parametrize(("forward", "backward", "shapes"), [
    (identity, asks_for_the_type, N), (identity, asks_for_the_type_of_an_extent, N), (identity, formats_an_extent, N),
    (identity, hashes_an_extent, N), (keeps_a_view, of_what_was_viewed, N), (array_without_axes, all_ones, N),
    (asarray_without_axes, all_ones, N), (diagonal_by_einsum, lambda g, x: g, NN),
    (like_truths, lambda g, x: g * np.where(np.arange(x.shape[0]) > 7, 2.0, 1.0), N),
    (mask_changes, by_the_changed_mask, N)])  # fmt: skip
def test_wrong_is_not_proved(forward, backward, shapes):
    assert check(forward, backward, shapes=shapes).verdict.name != "PROVED"


def test_other_branches_when_called_again():
    """The second case of the extents must be the other side of the first's question."""
    n = variable("N")
    assert Decisions([~(n > 5)]).choose(n > 5, lambda c: True) is False
    with pytest.raises(Unsupported, match="other branches"):
        Decisions([~(n > 5)]).choose(n > 3, lambda c: True)


def test_ravel_in_memory_order_is_refused():
    def flat(x):
        return x.T.ravel(order="K")

    result = check(flat, lambda g, x: g.reshape(x.shape), shapes={"x": ("N", "D")})
    assert result.verdict.name != "REFUTED" and "order=K" in result.message


def test_an_extent_may_have_any_name():
    for name in ("earlier", "x", "g", "k", "i", "eps"):
        result = check(lambda x, eps: np.cumsum(x / x.shape[0]) * eps,
                       lambda g, x, eps: np.tri(x.shape[0]).T @ g / x.shape[0] * eps,
                       shapes={"x": (name,)}, params={"eps": "real"})  # fmt: skip
        assert result.verdict.name == "PROVED", (name, result.message)


def test_a_tie_at_some_indices_only_is_not_said_to_be_a_kink_everywhere():
    def forward(x):
        return np.where(x > 0, x, np.where(np.arange(x.shape[0]) < 3, 2.0, 1.0) * x)

    def backward(g, x):
        return g * np.where(x > 0, 1.0, np.where(np.arange(x.shape[0]) < 3, 2.0, 1.0))

    (line,) = check(forward, backward, shapes=N).assumptions
    assert "not always differentiable" in line
