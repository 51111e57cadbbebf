"""Einsum for any string: the specification that `einsum_op` builds is proved for all shapes, and the runtime agrees."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradproof as gp
from gradproof.errors import ShapeError
from gradproof_spec import any_shape
from gradproof_spec.obligations import Verdict
from gradproof_spec.op import SpecificationError
from gradproof_spec.ops.linalg import einsum_op

KINDS = ("bounds", "derivative", "adjoint")
EXAMPLES = settings(max_examples=40, deadline=None, derandomize=True, database=None)


@st.composite
def equations(draw):
    """1 to 3 operands over 4 letters, repeats inside an operand too; any of the letters in the output, in any order."""
    terms = draw(st.lists(st.text("ijkl", max_size=3), min_size=1, max_size=3))
    letters = sorted(set("".join(terms)))
    output = draw(st.permutations(letters))[: draw(st.integers(0, len(letters)))]
    return f"{','.join(terms)}->{''.join(output)}"


def shapes_of(equation, extent):
    return [tuple(extent[letter] for letter in term) for term in equation.split("->")[0].split(",")]


@EXAMPLES
@given(equations())
def test_the_rules_of_a_random_string_are_proved_for_all_shapes(equation):
    op = einsum_op(equation)
    outcomes = {kind: any_shape.check(kind, op) for kind in KINDS}
    assert [o.message for o in outcomes.values() if o.verdict is not Verdict.PROVED] == []


@settings(EXAMPLES, max_examples=200)
@given(equations(), st.tuples(*[st.integers(0, 3)] * 4), st.integers(0, 999))
def test_the_runtime_gives_what_numpy_gives_and_its_pullback_is_the_adjoint(equation, extents, seed):
    rng = np.random.default_rng(seed)
    shapes = shapes_of(equation, dict(zip("ijkl", extents, strict=True)))
    xs, dxs = ([rng.normal(size=s) for s in shapes] for _ in "xd")

    def f(*xs):
        return gp.einsum(equation, *xs)

    y, dy = gp.jvp(f, tuple(xs), tuple(dxs))
    g = rng.normal(size=y.shape)
    _, pull = gp.vjp(f, *xs)
    replaced = [np.einsum(equation, *xs[:k], dx, *xs[k + 1:]) for k, dx in enumerate(dxs)]
    np.testing.assert_allclose(y, np.einsum(equation, *xs), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dy, sum(replaced), rtol=1e-10, atol=1e-12)
    right = sum(float((dx * gx).sum()) for dx, gx in zip(dxs, pull(g), strict=True))
    np.testing.assert_allclose((g * dy).sum(), right, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_wrong_rule_of_a_built_op_is_refuted(kind):
    op = einsum_op("ii,ij->j")
    right = op.jvp_rule
    op.jvp_rule = lambda xs, dxs, case, index, size: 2 * right(xs, dxs, case, index, size)
    assert any_shape.check(kind, op).verdict is Verdict.REFUTED


def test_the_letter_of_the_cotangent_is_refused():
    with pytest.raises(SpecificationError, match="the letter g"):
        einsum_op("fg,gh->fh")


@pytest.mark.parametrize(("equation", "shapes"), [
    ("ij,jk", ((2, 3), (3, 2))), ("ba", ((2, 3),)), ("i i", ((2, 2),)), ("bca,cB", ((2, 3, 2), (3, 2))),
    ("...ij,...jk", ((2, 3), (4, 3, 2))), ("i...", ((2, 3, 4),)), ("...,...", ((2, 1), (3,))), ("...->...", ((2, 3),)),
    ("...i,i...->...", ((2, 3), (3, 2))), ("i...->i", ((2,),)), ("ij...,jk...->ik...", ((2, 3, 1, 2), (3, 2, 4, 1))),
    (" i j , j k -> i k ", ((2, 3), (3, 2))), ("i,i->i", ((1,), (3,))), ("ii,i->i", ((1, 1), (3,))), ("->", ((),)),
    ("ij,jk,kl,lm->im", ((2, 3), (3, 2), (2, 2), (2, 1))), (",ij,", ((), (2, 2), ())), ("Ij,jK->KI", ((2, 3), (3, 2)))])
def test_ellipsis_implicit_output_and_extents_of_1_are_numpys(equation, shapes):
    xs = [np.random.default_rng(0).normal(size=s) for s in shapes]
    expected = np.einsum(equation, *xs)
    y, pull = gp.vjp(lambda *xs: gp.einsum(equation, *xs), *xs)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    for x, gx in zip(xs, pull(np.ones_like(expected)), strict=True):
        slope = np.zeros(x.shape)
        for i in np.ndindex(*x.shape):
            unit = np.zeros(x.shape)
            unit[i] = 1
            replaced = [unit if z is x else z for z in xs]
            slope[i] = np.einsum(equation, *replaced).sum()
        np.testing.assert_allclose(gx, slope, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("equation", "shapes"), [
    ("i..j->ij", ((2, 2),)), ("ij->iij", ((2, 2),)), ("ij->k", ((2, 2),)), ("ij->i->j", ((2, 2),)), ("i1", ((2, 2),)),
    ("ij", ((2,),)), ("i", ((2, 2),)), ("i,j", ((2,),)), ("ij,jk->ik", ((2, 3), (2, 3))), ("ii->i", ((2, 3),)),
    ("ii->i", ((1, 3),)), ("...i->i", ((2, 3),)), ("......", ((2,),)), ("i,i->i", ((2,), (3,)))])
def test_what_numpy_refuses_is_a_shape_error(equation, shapes):
    xs = [np.zeros(s) for s in shapes]
    with pytest.raises(ValueError, match=r"\w"):
        np.einsum(equation, *xs)
    with pytest.raises(ShapeError, match="einsum"):
        gp.einsum(equation, *xs)


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_a_view_of_an_operand_is_never_returned(dtype):
    x = np.arange(4, dtype=dtype).reshape(2, 2)
    for equation in ("ij->ji", "ii->i", "ij->ij"):
        y = gp.einsum(equation, x)
        assert y.dtype == dtype and y.flags.writeable and not np.shares_memory(x, y)
