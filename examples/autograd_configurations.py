"""What is tried of HIPS autograd: one line per call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import autograd.numpy as anp
import autograd.numpy.linalg as anpla
import autograd.scipy.signal
import autograd.scipy.special
import autograd.scipy.stats
import numpy as np
import scipy.special  # type: ignore[import-untyped]
from auditing import Case, R, Real, Shape, Whole, shown
from autograd.core import VSpace, primitive_vjps
from autograd.numpy import numpy_vjps as vjps
from autograd.numpy import numpy_wrapper as raw
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vspaces import ArrayVSpace
from autograd.util import func

Maker = Callable[..., Case]  # case(primitive, *args, domain=, plain=, spelled=, **kwargs)
Ways = Sequence[tuple[Shape, dict[str, Any]]]
POSITIVE, INSIDE_ONE, ANYWHERE_BUT_0 = "x > 0", "[x > -1, x < 1]", "x != 0"


def invertible(n: int) -> str:
    return ANYWHERE_BUT_0 if n == 1 else "x[..., 0, 0] * x[..., 1, 1] != x[..., 0, 1] * x[..., 1, 0]"


REDUCTIONS = {"sum": anp.sum, "mean": raw._primitive_mean, "prod": anp.prod, "var": raw._primitive_var,
              "std": raw._primitive_std, "max": anp.max, "min": anp.min}
WHERE = next(f for f in primitive_vjps if f.fun is np.where)  # anp.where is a function around it


def pointwise(case: Maker) -> Iterator[Case]:
    everywhere = ("negative abs fabs exp exp2 expm1 sin cos arctan sinh cosh tanh arcsinh rad2deg degrees deg2rad "
                  "radians square real conj nan_to_num imag angle")
    for name in everywhere.split():
        yield case(getattr(anp, name), R(2))
        yield case(getattr(anp, name), R())
    for shape in ((2,), ()):
        yield case(anp.sinc, R(*shape), plain=lambda x: np.where(x == 0, 1.0, np.sin(np.pi * x) / (np.pi * x)))
        yield case(anp.sinc, R(*shape), domain="x != 0", plain=lambda x: np.sin(np.pi * x) / (np.pi * x))
        yield case(anp.real_if_close, R(*shape), plain=lambda x: 1.0 * x)
    domains: dict[str, str] = {
        "log": POSITIVE, "log2": POSITIVE, "log10": POSITIVE, "sqrt": POSITIVE, "log1p": "x > -1",
        "reciprocal": ANYWHERE_BUT_0, "tan": INSIDE_ONE, "arcsin": INSIDE_ONE, "arccos": INSIDE_ONE,
        "arctanh": INSIDE_ONE, "arccosh": "x > 1",
    }
    for name, domain in domains.items():
        yield case(getattr(anp, name), R(2), domain=domain)
        yield case(getattr(anp, name), R(), domain=domain)
    pairs: list[tuple[Shape, Shape]] = [((2,), (2,)), ((), ()), ((2, 1), (3,)), ((), (2,)), ((1, 2), (2, 1))]
    names = ("add subtract multiply divide true_divide maximum minimum fmax fmin logaddexp logaddexp2 hypot mod "
             "remainder")
    for name in names.split():
        domain = "y != 0" if "div" in name or "mod" in name or "rem" in name else ""
        for a, b in pairs:
            yield case(getattr(anp, name), R(*a), R(*b), domain=domain)
    for a, b in pairs:
        yield case(anp.hypot, R(*a), R(*b), domain="x * x + y * y > 0")
        yield case(anp.arctan2, R(*a), R(*b), domain="y != 0", plain=lambda x, y: np.arctan(x / y))
        yield case(anp.arctan2, R(*a), R(*b), domain="x != 0", plain=lambda x, y: -np.arctan(y / x))
    for name in ("maximum", "minimum", "add", "multiply"):
        yield case(getattr(anp, name), R(3), 0.0)
        yield case(getattr(anp, name), 1.0, R(2))
    yield case(anp.divide, R(2), 2.0)
    yield case(anp.divide, 1.0, R(2), domain="x != 0")
    for a, b in pairs:
        yield case(anp.power, R(*a), R(*b), domain=POSITIVE)
    for exponent in (0, 1, 2, 3, 4, 0.0, 1.0, 2.0, 3.0):
        yield case(anp.power, R(2), exponent)
    for exponent in (-1, -2, -1.0, -2.0):
        yield case(anp.power, R(2), exponent, domain="x != 0")
    for exponent in (0.5, 1.5, -0.5):
        yield case(anp.power, R(2), exponent, domain=POSITIVE)
    yield case(anp.power, R(2), 1.5, domain="x >= 0")
    yield case(anp.power, R(3), np.array([0.0, 1.0, 2.0]))
    yield case(anp.power, R(3), np.array([0, 1, 2]))
    yield case(anp.power, R(2), Whole(0, 4, (2,)))
    yield case(anp.power, 2.0, R(2))
    yield case(anp.power, 0.0, R(2), domain=POSITIVE)
    yield case(anp.clip, R(3), -1.0, 1.0)
    yield case(anp.clip, R(), 0.0, 2.0)
    yield case(anp.clip, R(2), 0.0, None, plain=lambda x, low, high: np.maximum(x, low))
    yield case(anp.clip, R(2), None, 1.0, plain=lambda x, low, high: np.minimum(x, high))
    yield case(anp.clip, R(2), 1.0, 1.0)
    yield case(anp.clip, R(2), 1.0, 0.0)
    yield case(anp.clip, R(2), np.array([0.0, 1.0]), np.array([2.0, 3.0]))
    yield case(anp.clip, R(1), np.array([0.0, 1.0]), np.array([2.0, 3.0]))
    yield case(WHERE, Whole(0, 2, (2,), True), R(2), R(2))
    yield case(WHERE, Whole(0, 2, (), True), R(), R())
    yield case(WHERE, Whole(0, 2, (2,), True), R(), R(2))
    yield case(WHERE, Whole(0, 2, (2,), True), R(2), R(1))
    yield case(WHERE, Whole(0, 2, (2, 1), True), R(2, 2), R(2))
    yield case(WHERE, Whole(0, 2, (2,), True), R(2), 0.0)


def reductions(case: Maker) -> Iterator[Case]:
    ways: list[dict[str, Any]] = [
        {}, {"axis": 0}, {"axis": 1}, {"axis": -1}, {"axis": (0, 1)}, {"axis": (-1, 0)}, {"keepdims": True},
        {"axis": 1, "keepdims": True}, {"axis": (0, 1), "keepdims": True},
    ]
    for name, primitive in REDUCTIONS.items():
        for way in ways:
            yield case(primitive, R(2, 2), **way)
        yield case(primitive, R())
        yield case(primitive, R(1))
        yield case(primitive, R(3))
        yield case(primitive, R(2, 1), axis=1)
        if name in ("sum", "mean", "max"):
            yield case(primitive, R(2, 1, 2), axis=(0, 2))
            yield case(primitive, R(2, 1, 2), axis=(0, -1), keepdims=True)
        if name in ("sum", "prod"):
            yield case(primitive, R(2, 0))
        if name == "std":
            for way in ways:
                text = ", ".join(f"{k}={v}" for k, v in way.items())
                yield case(primitive, R(2, 2), domain=f"x.var({text}) > 0", **way)
            for ddof in (0, 1, 0.5):
                yield case(primitive, R(3), ddof=ddof, domain="x.var() > 0")
            yield case(primitive, R(2, 2), axis=0, ddof=1, domain="x.var(axis=0) > 0")
        if name in ("var", "std"):
            for ddof in (1, 0.5):
                yield case(primitive, R(3), ddof=ddof)
            yield case(primitive, R(2, 2), axis=0, ddof=1)
            yield case(primitive, R(2, 2), axis=(0, 1), ddof=1)
            yield case(primitive, R(2, 1), axis=1, ddof=0)
    some: list[dict[str, Any]] = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}]
    for primitive in (anp.amax, anp.amin):
        for way in some:
            yield case(primitive, R(2, 2), **way)
    yield case(anp.cumsum, R(3))
    yield case(anp.cumsum, R(2, 2))
    for axis in (0, 1, -1, -2):
        yield case(anp.cumsum, R(2, 3), axis=axis)
    yield case(anp.cumsum, R(2, 2, 2), axis=0)
    yield case(anp.cumsum, R(2, 2, 2), axis=1)
    yield case(anp.cumsum, R())


def moving(case: Maker) -> Iterator[Case]:
    shape: Shape
    kwargs: dict[str, Any]
    yield case(anp.reshape, R(2, 3), (3, 2))
    yield case(anp.reshape, R(2, 3), -1)
    yield case(anp.reshape, R(2, 3), (3, 2), order="F")
    yield case(anp.reshape, R(1), ())
    yield case(anp.ravel, R(2, 3))
    yield case(anp.ravel, R(2, 3), order="F")
    yield case(anp.transpose, R(2, 3))
    for axes in ((1, 0, 2), (1, 2, 0), (2, 0, 1), (-1, 0, 1), (-1, -2, -3), (0, -1, 1), (1, -1, 0)):
        yield case(anp.transpose, R(2, 1, 3), axes)
    yield case(anp.transpose, R(2, 2, 2), (-1, 0, 1))
    yield case(anp.swapaxes, R(2, 1, 3), 0, 2)
    yield case(anp.swapaxes, R(2, 1, 3), -1, 0)
    yield case(anp.moveaxis, R(2, 1, 3), 0, -1)
    yield case(anp.moveaxis, R(2, 1, 3), (0, 1), (-1, 0))
    for axis, start in ((0, 2), (0, 3), (2, 0), (1, 0), (1, 3), (2, 1), (1, 1), (1, 2), (-1, 0), (0, -1)):
        yield case(anp.rollaxis, R(2, 1, 3), axis, start)
    yield case(anp.squeeze, R(2, 1, 1))
    yield case(anp.squeeze, R(2, 1, 1), axis=-1)
    yield case(anp.squeeze, R(1))
    yield case(anp.expand_dims, R(2), 0)
    yield case(anp.expand_dims, R(2), (0, -1))
    yield case(anp.roll, R(3), 1)
    yield case(anp.roll, R(2, 3), -2)
    yield case(anp.roll, R(2, 3), 1, axis=1)
    yield case(anp.roll, R(2, 3), (1, 2), axis=(0, 1))
    yield case(anp.flipud, R(2, 2))
    yield case(anp.fliplr, R(2, 2))
    for k in (0, 1, 2, 3, -1, 5):
        yield case(anp.rot90, R(2, 3), k=k)
    yield case(anp.rot90, R(2, 2, 1), k=1)
    yield case(anp.rot90, R(2, 2, 2), k=1, axes=(1, 2))
    for shape, reps in (((2,), 2), ((2,), (2,)), ((2,), (2, 1)), ((2, 2), 2), ((2, 2), (2,)), ((2, 2), (1, 2)),
                        ((2, 1), (2, 3)), ((1, 2), (3,)), ((), 2), ((2,), (2, 2)), ((2,), 0)):
        yield case(anp.tile, R(*shape), reps)
    yield case(anp.repeat, R(2), 2)
    yield case(anp.repeat, R(2, 2), 2)
    for axis in (0, 1, -1, -2):
        yield case(anp.repeat, R(2, 3), 2, axis=axis)
    yield case(anp.repeat, R(2, 1), 3, axis=1)
    yield case(anp.repeat, R(2, 1), 3, axis=-1)
    yield case(anp.repeat, R(2), np.array([1, 2]))
    yield case(anp.repeat, R(2), np.array([1, 2]), axis=0)
    yield case(anp.repeat, R(1), np.array([2]), axis=0)
    yield case(anp.repeat, R(), 3)
    for axis, shapes in ((0, ((2,), (1,))), (0, ((1, 2), (2, 2))), (1, ((2, 1), (2, 2))), (-1, ((2, 1), (2, 2))),
                         (-2, ((1, 2), (2, 2))), (0, ((2,), (0,), (1,)))):
        names = ", ".join("xyz"[: len(shapes)])
        yield case(raw.concatenate_args, axis, *(R(*s) for s in shapes), plain=lambda a, *xs: np.concatenate(xs, a),
                   spelled=f"concatenate([{names}], axis={axis})")
    yield case(raw.concatenate_args, None, R(2), R(1, 2), plain=lambda a, *xs: np.concatenate([x.ravel() for x in xs]),
               spelled="concatenate([x, y], axis=None)")
    yield case(raw.array_from_args, (), {}, R(), R(), plain=lambda a, k, *xs: np.stack(xs), spelled="array([x, y])")
    yield case(raw.array_from_args, (), {}, R(2), R(2), plain=lambda a, k, *xs: np.stack(xs), spelled="array([x, y])")
    yield case(anp.split, R(4), 2)
    yield case(anp.split, R(4), (1, 3))
    yield case(anp.split, R(2, 2), 2, axis=1)
    yield case(anp.split, R(2, 2), 2, axis=-1)
    yield case(anp.array_split, R(3), 2)
    yield case(anp.vsplit, R(2, 1), 2)
    yield case(anp.hsplit, R(2, 2), 2)
    yield case(anp.hsplit, R(2), 2)
    yield case(anp.dsplit, R(1, 1, 2), 2, plain=lambda x, parts: np.split(x, parts, axis=2))
    for width in (1, (1,), (1, 2), ((1, 2),), 0, (0, 1), (2, 0)):
        yield case(anp.pad, R(2), width, mode="constant", spelled=f"pad(x, {width}, 'constant')")
    widths: list[Any] = [1, (1, 2), ((1, 0), (0, 2)), ((1, 2),)]
    for around in widths:
        yield case(anp.pad, R(2, 1), around, "constant")
    yield case(anp.pad, R(2), 1, "constant", constant_values=3.0)
    yield case(anp.pad, R(2), 1, "edge")
    for k in (0, 1, -1, 3):
        yield case(anp.triu, R(2, 3), k=k)
        yield case(anp.tril, R(2, 3), k=k)
    yield case(anp.triu, R(2, 2, 2))
    yield case(anp.triu, R(2))
    yield case(anp.tril, R(2))
    for k in (0, 1, -1):
        yield case(anp.diag, R(2), k=k)
        for shape in ((2, 2), (2, 3), (3, 2)):
            yield case(anp.diag, R(*shape), k=k)
    traces: Ways = [((2, 2), {}), ((2, 3), {}), ((3, 2), {"offset": -1}), ((2, 2, 2), {}), ((2, 2), {"offset": 1})]
    last: dict[str, Any] = {"offset": 0, "axis1": -1, "axis2": -2}
    diagonals: Ways = [((2, 2), {}), ((2, 3), {}), ((3, 2), {}), ((2, 2), {"offset": 1}), ((2, 2, 2), {}),
                       ((2, 2), last), ((2, 3), last), ((1, 2, 2), last)]
    for shape, kwargs in diagonals:
        yield case(anp.diagonal, R(*shape), **kwargs)
    yield case(raw.make_diagonal, R(2), 0, -1, -2, plain=lambda d, *_: np.eye(2) * d)
    for shape, kwargs in traces:
        yield case(anp.trace, R(*shape), **kwargs)
    yield case(anp.broadcast_to, R(1, 2), (3, 2))
    yield case(anp.broadcast_to, R(2), (3, 2))
    yield case(anp.broadcast_to, R(1), (2,))
    yield case(anp.broadcast_to, R(2, 2), (2, 2))
    yield case(anp.full, (2, 2), R())
    yield case(anp.full, (2, 2), R(2))

    def line(start: Any, stop: Any, num: int) -> Any:
        return np.stack([start + (stop - start) * (k / 2 if num == 3 else k) for k in range(num)])

    ends: list[tuple[Shape, Shape, int]] = [((), (), 3), ((2,), (2,), 3), ((), (2,), 3), ((2, 1), (2,), 3), ((), (), 1),
                                            ((), (), 2), ((2,), (), 2)]
    for a, b, num in ends:
        yield case(anp.linspace, R(*a), R(*b), num, plain=line)
    yield case(anp.atleast_1d, R())
    yield case(anp.atleast_2d, R(2))
    yield case(anp.atleast_3d, R(2))
    yield case(raw._astype, R(2), float)
    for n in (1, 2, 3):
        yield case(anp.diff, R(3), n=n)
    yield case(anp.diff, R(3), n=0)
    for axis in (0, 1, -1):
        yield case(anp.diff, R(2, 3), axis=axis)
    yield case(anp.diff, R(3, 2), n=2, axis=0)
    for size in (2, 3, 4, 5, 6):
        yield case(anp.gradient, R(size))
    yield case(anp.gradient, R(4, 4), axis=0)
    yield case(anp.gradient, R(4, 4), axis=-1)
    yield case(anp.gradient, R(4, 4))
    yield case(anp.gradient, R(4), 2.0)
    yield case(anp.sort, R(3))
    yield case(anp.sort, R(3), axis=0)
    yield case(anp.sort, R(2))
    yield case(anp.sort, R(2, 2))
    yield case(anp.partition, R(3), 1)


def indices(case: Maker) -> Iterator[Case]:
    vector: list[Any] = [
        0, -1, slice(None, None, 2), slice(None, None, -1), (slice(None), None), Ellipsis, [0, 0, 2], [1],
        np.array([0, 0, 1]), np.array([True, False, True]), np.array([[0, 2], [2, 2]]), (None, slice(None)),
        slice(5, None), slice(2, 0, -1), np.array([], dtype=int), np.array([False, False, False]), np.array(-1),
        [2, -1, 2],
    ]
    for index in vector:
        yield case(ArrayBox.__getitem__, R(3), index)
    matrix: list[Any] = [
        (0, 1), (slice(None), 1), (Ellipsis, 0), ([0, 1, 0], [1, 1, 1]), (0, [1, 1]), (slice(None), [0, 0]),
        (slice(None), None, 0), np.array([[True, False], [True, True]]), ([0, 0], slice(None)),
        (np.array([[0], [1]]), [1, 1]), (slice(None, None, -1), -1), (Ellipsis, [0, 0, 1]),
        (np.array([True, False]), 1),
    ]
    for index in matrix:
        yield case(ArrayBox.__getitem__, R(2, 2), index)
    yield case(ArrayBox.__getitem__, R(3), Whole(-3, 3, (2,)))
    yield case(ArrayBox.__getitem__, R(2, 2), Whole(0, 2, (3,)))
    yield case(ArrayBox.__getitem__, R(2, 2), Whole(-2, 2, (2,)))


def products(case: Maker) -> Iterator[Case]:
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((2,), (2,)), ((2, 3), (3,)), ((2,), (2, 3)), ((2, 3), (3, 2)), ((2, 1, 2), (2, 2)), ((1, 2), (2, 2, 3)),
    ]
    for a, b in shapes:
        yield case(anp.dot, R(*a), R(*b))
        yield case(anp.matmul, R(*a), R(*b))
    for a, b in (((), ()), ((), (2,)), ((2, 2), ()), ((2,), (2, 2, 1)), ((2, 1, 2), (2,)), ((2, 2, 2), (2, 2, 2))):
        yield case(anp.dot, R(*a), R(*b))
    for a, b in (((2, 1, 2), (2, 2, 1)), ((1, 2, 2), (2, 2, 1)), ((2,), (2, 2, 1)), ((2, 1, 2), (2,)),
                 ((2, 1, 1, 2), (2, 2, 1))):
        yield case(anp.matmul, R(*a), R(*b))
    for a, b in (((2,), (2,)), ((2, 3), (3,)), ((2,), (3, 2)), ((2, 3), (1, 3)), ((), (2,)), ((2,), ()), ((), ()),
                 ((2, 1, 2), (2, 2))):
        yield case(anp.inner, R(*a), R(*b))
    for a, b in (((2,), (3,)), ((1,), (2,)), ((), (2,)), ((2,), ()), ((2, 2), (2,)), ((2,), (1, 2)), ((2, 1), (2, 1))):
        yield case(anp.outer, R(*a), R(*b))
    for a, b in (((2,), (2,)), ((2, 2), (2, 1)), ((2,), (2, 2)), ((2, 2), (2,)), ((), (2,)), ((2, 1), ()),
                 ((1, 2), (2,)), ((1, 2, 1), (2, 1, 2))):
        yield case(anp.kron, R(*a), R(*b))
    for a, b, axes in (((2, 3), (3, 2), 1), ((2, 2), (2, 2), 2), ((2,), (3,), 0), ((2, 3), (2, 3), ([0, 1], [0, 1])),
                       ((2, 3), (3, 2), ([0, 1], [1, 0])), ((2, 3), (2,), ([0], [0])), ((2, 3), (3, 2), (1, 0)),
                       ((2, 1, 3), (3, 2), ([-1, 0], [0, 1])), ((2, 1, 3), (2, 3), ([2, 0], [1, 0])),
                       ((2, 1, 2), (2, 1, 2), ([0, 2], [2, 0])), ((), (), 0), ((2, 2), (2, 2), (-1, -2)),
                       ((2, 3, 1), (1, 3, 2), ([2, 0, 1], [0, 2, 1]))):
        yield case(anp.tensordot, R(*a), R(*b), axes=axes)
    yield case(anp.tensordot, R(2, 2), R(2, 2))
    for subscripts, *operands in (
        ("ij,jk->ik", (2, 3), (3, 2)), ("ij,jk", (2, 3), (3, 2)), ("ij->ji", (2, 3)), ("ij->i", (2, 3)),
        ("ij->", (2, 2)), ("ii->i", (2, 2)), ("ii->", (2, 2)), ("ii", (2, 2)), ("i,i->i", (2,), (2,)),
        ("i,j->ij", (2,), (3,)), ("i,i", (2,), (2,)), ("ijk,jil->kl", (2, 2, 1), (2, 2, 2)),
        ("...ij,...jk->...ik", (2, 1, 2), (2, 2, 1)), ("...ij,...jk->...ik", (1, 1, 2), (2, 2, 1)),
        ("...i,i->...", (2, 2), (2,)), ("ij,ij,ij->i", (2, 2), (2, 2), (2, 2)), ("i->", (3,)),
        ("ij,j->j", (2, 2), (2,)), ("i,i->i", (1,), (3,)), ("ij,ij->ij", (2, 1), (2, 2)),
        ("ii,ij->j", (2, 2), (2, 2)), ("iij->j", (2, 2, 2)), ("i...,i->...", (2, 2), (2,)),
        ("...i,...i->...i", (2,), (2, 2)), (",i->i", (), (2,)), ("...i->...", (2, 2)), ("i...->i...", (2, 1)),
        ("...,...->...", (2, 1), (3,)), ("...i,j...->...ij", (2, 2), (2, 1)), ("ij,kj->", (2, 2), (1, 2)),
        ("i,j->", (2,), (2,)), ("ij->j", (1, 2)), ("i,ij,j", (2,), (2, 2), (2,)), ("ijk->ki", (1, 2, 2)),
    ):
        yield case(anp.einsum, subscripts, *(R(*s) for s in operands))
    yield case(anp.einsum, R(2, 2), [0, 1], R(2), [1], [0])
    yield case(anp.einsum, R(2, 2), [0, 1], R(2, 2), [1, 2])
    yield case(anp.einsum, R(2, 2), [0, 1], [0])
    yield case(anp.einsum, R(2, 2), [Ellipsis, 0], R(2), [0], [Ellipsis])
    crosses: list[dict[str, Any]] = [{}, {"axis": -1}, {"axisa": 0, "axisb": 0, "axisc": 0}, {"axisa": 0, "axisb": 0}]
    for kwargs in crosses:
        yield case(anp.cross, R(3, 3) if kwargs else R(3), R(3, 3) if kwargs else R(3), **kwargs)
    yield case(anp.cross, R(2, 3), R(3))
    yield case(anp.cross, R(3), R(2, 3))


def linalg(case: Maker) -> Iterator[Case]:
    norm = anpla._primitive_norm
    for n in (1, 2):
        yield case(anpla.det, R(n, n))
        yield case(anpla.det, R(n, n), domain=invertible(n))
        yield case(anpla.inv, R(n, n), domain=invertible(n))
        yield case(anpla.solve, R(n, n), R(n), domain=invertible(n))
        yield case(anpla.solve, R(n, n), R(n, 1), domain=invertible(n))
    yield case(anpla.det, R(2, 2, 2), domain=invertible(2))
    yield case(anpla.inv, R(2, 1, 1), domain="x != 0")
    yield case(anpla.inv, R(2, 2, 2), domain=invertible(2))
    yield case(anpla.solve, R(2, 2), R(2, 2), domain=invertible(2))
    yield case(anpla.solve, R(2, 1, 1), R(2, 1, 1), domain="x != 0")
    yield case(anpla.solve, R(1, 1), R(2, 1, 1), domain="x != 0")
    yield case(anpla.solve, R(2, 1, 1), R(1, 1), domain="x != 0")
    yield case(anpla.solve, R(2, 1, 1), R(1), domain="x != 0")
    yield case(anpla.solve, R(2, 2, 2), R(2, 2, 1), domain=invertible(2))
    yield case(norm, R(2))
    yield case(norm, R(2), domain="(x * x).sum() > 0")
    yield case(norm, R(2, 2), domain="(x * x).sum() > 0")
    yield case(norm, R(2), ord=2, domain="(x * x).sum() > 0")
    yield case(norm, R(2, 2), ord="fro", domain="(x * x).sum() > 0")
    yield case(norm, R(2, 2), axis=(0, 1), domain="(x * x).sum() > 0")
    yield case(norm, R(2, 2), axis=(1, 0), domain="(x * x).sum() > 0")
    yield case(norm, R(2, 2), axis=0, domain="(x * x).sum(axis=0) > 0")
    yield case(norm, R(2, 2), axis=-1, domain="(x * x).sum(axis=1) > 0")
    yield case(norm, R(2, 2), keepdims=True, domain="(x * x).sum() > 0")
    yield case(norm, R(2, 1, 2), axis=(0, 2), domain="(x * x).sum(axis=(0, 2)) > 0")
    yield case(norm, R(2, 1, 2), axis=(2, 0), domain="(x * x).sum(axis=(0, 2)) > 0")
    yield case(norm, R(1, 2, 2), axis=(2, 0), domain="(x * x).sum(axis=(0, 2)) > 0")
    yield case(norm, R(2, 2))
    yield case(norm, R(1))
    yield case(norm, R())
    for axis in (0, 1, -1, (0, 1), (1, 0)):
        yield case(norm, R(2, 2), axis=axis)
    yield case(norm, R(2, 2), axis=1, keepdims=True)
    yield case(norm, R(2, 2), keepdims=True)
    yield case(norm, R(2), ord=1.5, plain=lambda x, ord: (np.abs(x) ** 1.5).sum() ** (2 / 3))
    yield case(norm, R(1), ord=1.5, plain=lambda x, ord: np.abs(x).sum())
    for order in (2, 3, 4, 1, np.inf, 0):
        yield case(norm, R(2), ord=order)
    yield case(norm, R(2, 2), ord=3, axis=0)
    yield case(norm, R(2, 2), ord=3, axis=-1)
    yield case(norm, R(2, 2), ord="fro")
    yield case(norm, R(2, 1, 2), axis=(0, 2))
    yield case(norm, R(2, 1, 2), axis=(2, 0))
    yield case(norm, R(2, 2), ord="nuc")

    def slogdet(x: Any) -> Any:
        d = np.linalg.det(x)
        return np.sign(d), np.log(np.abs(d))

    yield case(anpla.slogdet, R(1, 1), domain=invertible(1), plain=slogdet)
    yield case(anpla.slogdet, R(2, 2), domain=invertible(2), plain=slogdet)
    yield case(anpla.pinv, R(1, 1), domain=invertible(1), plain=np.linalg.inv)
    yield case(anpla.pinv, R(2, 2), domain=invertible(2), plain=np.linalg.inv)
    for shape in ((2, 1), (1, 2)):
        yield case(anpla.pinv, R(*shape), domain="(x * x).sum() > 0", plain=lambda x: x.T / (x * x).sum())
    for function in (anpla.eigh, anpla.svd):
        yield case(function, R(2, 2))


def scientific(case: Maker) -> Iterator[Case]:
    special, signals, normal = autograd.scipy.special, autograd.scipy.signal, autograd.scipy.stats.norm

    def logsumexp(x: Any, b: Any = 1.0, **kwargs: Any) -> Any:
        return np.log(np.sum(b * np.exp(x), **kwargs))

    options: tuple[dict[str, Any], ...] = (
        {}, {"axis": 0}, {"axis": -1}, {"axis": (0, 1)}, {"axis": 1, "keepdims": True}, {"b": 2.0}, {"keepdims": True},
        {"b": np.array([[1.0, 2.0], [3.0, 4.0]])},
        {"axis": 1, "b": np.array([1.0, 0.0])}, {"b": np.array([[2.0], [1.0]])}, {"axis": (-2, -1)}, {"axis": (-1, 0)},
    )
    for kwargs in options:
        text = "".join(f", {k}={shown(v)}" for k, v in kwargs.items())
        yield case(special.logsumexp, R(2, 2), plain=logsumexp, spelled=f"scipy.special.logsumexp(x{text})", **kwargs)
    for shape, axis in (((2, 1, 2), (-2, -1)), ((1, 2, 2), (-3, -1)), ((2, 1, 2), (0, 2)), ((1, 2, 2), -2)):
        yield case(special.logsumexp, R(*shape), plain=logsumexp, spelled=f"scipy.special.logsumexp(x, axis={axis})",
                   axis=axis)
    for size in ((), (1,), (3,)):
        yield case(special.logsumexp, R(*size), plain=logsumexp, spelled="scipy.special.logsumexp(x)")
    for size in ((), (2,)):
        yield case(special.expit, R(*size), plain=lambda x: 1 / (1 + np.exp(-x)), spelled="scipy.special.expit(x)")
        yield case(special.logit, R(*size), plain=lambda x: np.log(x / (1 - x)), spelled="scipy.special.logit(x)",
                   domain="[x > 0, x < 1]")

    def pdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
        return np.exp(-(((x - loc) / scale) ** 2) / 2) / (scale * np.sqrt(2 * np.pi))

    def logpdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Any:
        return -(((x - loc) / scale) ** 2) / 2 - np.log(scale) - np.log(2 * np.pi) / 2

    for name, primitive, plain in (("pdf", normal.pdf, pdf), ("logpdf", normal.logpdf, logpdf)):
        for shapes in (((), (), ()), ((2,), (), ()), ((2,), (1,), (2,)), ((2, 1), (2,), ())):
            yield case(primitive, *map(Real, shapes), plain=plain, domain="z > 0",
                       spelled=f"scipy.stats.norm.{name}(x, y, z)")
        yield case(primitive, R(2), plain=plain, spelled=f"scipy.stats.norm.{name}(x)")
    for mode in ("full", "valid", "same"):
        for a, b in ((3, 2), (2, 3), (2, 2), (3, 1), (4, 2)):
            if mode != "same" or a >= b:
                yield case(signals.convolve, R(a), R(b), mode=mode, plain=lambda x, y, mode: np.convolve(x, y, mode),
                           spelled=f"scipy.signal.convolve(x, y, mode='{mode}')")

    def full(x: Any, y: Any) -> Any:
        return sum(np.pad(x * y[i, j], ((i, y.shape[0] - 1 - i), (j, y.shape[1] - 1 - j)))
                   for i in range(y.shape[0]) for j in range(y.shape[1]))

    def valid(x: Any, y: Any) -> Any:
        u, v = y.shape
        return full(x, y)[u - 1 : x.shape[0], v - 1 : x.shape[1]]

    for mode, written in (("full", full), ("valid", valid)):
        for x, y in (((2, 2), (2, 1)), ((2, 3), (2, 2)), ((2, 2), (1, 1))):
            yield case(signals.convolve, R(*x), R(*y), mode=mode, plain=lambda x, y, mode, f=written: f(x, y),
                       spelled=f"scipy.signal.convolve(x, y, mode='{mode}')")


def where_true(name: str) -> Callable[..., Any]:
    """The reduction with where=, written out."""
    def total(x: Any, where: Any) -> Any:
        return np.sum(np.where(where, x, 0.0))

    def variance(x: Any, where: Any) -> Any:
        return total((x - total(x, where) / where.sum()) ** 2, where) / where.sum()

    return {"sum": total, "mean": lambda x, where: total(x, where) / where.sum(), "var": variance,
            "prod": lambda x, where: np.prod(np.where(where, x, 1.0)),
            "std": lambda x, where: np.sqrt(variance(x, where))}[name]


def with_mean(name: str) -> Callable[..., Any]:
    def variance(x: Any, mean: Any) -> Any:
        return ((x - mean) ** 2).sum() / x.size

    return variance if name == "var" else lambda x, mean: np.sqrt(variance(x, mean))


def from_initial(largest: bool) -> Callable[..., Any]:
    def reduced(x: Any, initial: float, where: Any = True) -> Any:
        y = np.where(where, x, initial)
        return np.maximum(y.max(), initial) if largest else np.minimum(y.min(), initial)

    return reduced


def keywords(case: Maker) -> Iterator[Case]:
    """What NumPy documents beyond axis and keepdims, negative and tuple axes of the rest, zero and one entry."""
    first, mask = np.array([True, False]), np.array([[True, False], [True, True]])
    for name, primitive in REDUCTIONS.items():
        yield case(primitive, R(2, 2), axis=-2)
        yield case(primitive, R(2, 2), axis=-2, keepdims=True)
        yield case(primitive, R(1, 2, 2), axis=(-3, -1))
        yield case(primitive, R(2, 1, 2), axis=(-2, -1))
        yield case(primitive, R(1, 2, 1), axis=(1,))
        yield case(primitive, R(2), axis=0, keepdims=True)
        yield case(primitive, R(1, 2), axis=())
        if name in ("var", "std"):
            yield case(primitive, R(3), correction=1)
            yield case(primitive, R(2), mean=np.array([1.0]), plain=with_mean(name))
        if name not in ("max", "min"):
            yield case(primitive, R(2), dtype=float)
            no_zero = "x != 0" if name == "prod" else ""
            yield case(primitive, R(2, 2), where=mask, plain=where_true(name), domain=no_zero)
            if name != "std":
                yield case(primitive, R(2), where=first, plain=where_true(name), domain=no_zero)
        else:
            largest = name == "max"
            yield case(primitive, R(2), initial=0.0, plain=from_initial(largest))
            yield case(primitive, R(2), initial=0.0, where=first, plain=from_initial(largest))
        if name in ("sum", "prod"):
            yield case(primitive, R(2), initial=3.0, domain="x != 0" if name == "prod" else "")
    for axis in (-2, (-1, -2), (-2, -1)):
        yield case(anp.squeeze, R(2, 1, 1), axis=axis)
    yield case(anp.squeeze, R(1, 2, 1), axis=(0, 2))
    yield case(anp.expand_dims, R(2), -1)
    yield case(anp.expand_dims, R(2, 2), -2)
    yield case(anp.expand_dims, R(2), (-1, -3))
    yield case(anp.roll, R(2, 3), 1, axis=-1)
    yield case(anp.roll, R(2, 2), 3, axis=0)
    yield case(anp.roll, R(3), 0)
    yield case(anp.roll, R(2, 2), 1, axis=(0, 1))
    yield case(anp.swapaxes, R(2, 1, 3), -1, -3)
    yield case(anp.swapaxes, R(2, 2), 1, 1)
    yield case(anp.moveaxis, R(2, 1, 3), -1, -3)
    yield case(anp.moveaxis, R(2, 1, 3), (-1, 0), (0, 1))
    yield case(anp.transpose, R(2, 1, 3), (2, 1, 0))
    yield case(anp.transpose, R())
    yield case(anp.rot90, R(2, 3), k=-2)
    yield case(anp.rot90, R(2, 3), k=1, axes=(0, 1))
    yield case(anp.flipud, R(2))
    yield case(anp.flipud, R(2, 1, 2))
    yield case(anp.fliplr, R(2, 2, 2))
    for order in ("C", "A"):
        yield case(anp.reshape, R(2, 3), (3, 2), order=order)
        yield case(anp.ravel, R(2, 3), order=order)
    yield case(anp.reshape, R(), (1, 1))
    yield case(anp.reshape, R(0, 2), (2, 0))
    yield case(anp.cumsum, R(3), axis=-1)
    yield case(anp.cumsum, R(2, 2, 2), axis=-1)
    yield case(anp.cumsum, R(2, 2, 2), axis=-3)
    yield case(anp.cumsum, R(2, 2, 2))
    yield case(anp.cumsum, R(3), axis=0, dtype=float)
    yield case(anp.diff, R(3), prepend=1.0)
    yield case(anp.diff, R(3), append=np.array([2.0]))
    yield case(anp.diff, R(2, 3), axis=-2)
    yield case(anp.diff, R(2, 2, 2), axis=1)
    yield case(anp.diff, R(4), n=3)
    yield case(anp.diff, R(2), n=2)
    yield case(anp.diff, R(1))
    yield case(anp.trace, R(2, 2), offset=-1)
    yield case(anp.trace, R(2, 2), offset=5)
    yield case(anp.trace, R(1, 2, 2), axis1=1, axis2=2)
    yield case(anp.trace, R(2, 2), dtype=float)
    for offset in (-1, 2):
        yield case(anp.diagonal, R(2, 3), offset=offset)
    yield case(anp.diagonal, R(1, 2, 2), axis1=1, axis2=2)
    yield case(anp.diagonal, R(2, 3, 2), axis1=-1, axis2=0)
    yield case(anp.diag, R(3))
    yield case(anp.diag, R(1, 1))
    yield case(anp.diag, R(2, 2), k=2)
    yield case(anp.full, (2, 2), R(), dtype=float)
    yield case(anp.full, (2,), R(1))
    yield case(anp.full, (2, 1), R(2, 1))
    for mode in ("edge", "reflect", "symmetric", "wrap", "mean", "maximum", "linear_ramp"):
        yield case(anp.pad, R(3), 1, mode)
    yield case(anp.pad, R(3), 1, "mean", stat_length=1)
    yield case(anp.pad, R(3), 1, "reflect", reflect_type="odd")
    yield case(anp.pad, R(2), 1, "linear_ramp", end_values=4.0)
    yield case(anp.pad, R(2, 2), ((0, 0), (1, 0)), "constant")
    yield case(anp.pad, R(1, 1, 2), ((0, 1), (1, 1), (2, 0)), "constant")
    yield case(anp.pad, R(2), ((1, 2),), "constant", constant_values=((3.0, 4.0),))
    yield case(anp.linspace, R(), R(), 3, endpoint=False, plain=lambda a, b, n, endpoint: np.stack(
        [a + (b - a) * k / 3 for k in range(3)]))
    yield case(anp.linspace, R(), R(), 3, True, plain=lambda a, b, n, endpoint: np.stack(
        [a + (b - a) * k / 2 for k in range(3)]))
    yield case(anp.linspace, R(2), R(2), 3, axis=1, plain=lambda a, b, n, axis: np.stack(
        [a + (b - a) * k / 2 for k in range(3)], axis=1))
    for kind in ("stable", "heapsort"):
        yield case(anp.sort, R(3), kind=kind)
    yield case(anp.sort, R(3), -1)
    yield case(anp.sort, R(1))
    yield case(anp.sort, R(2, 2), axis=0)
    yield case(anp.sort, R(1, 3))
    yield case(anp.sort, R(2, 2), axis=None)
    for kth in (0, 2, -1, (0, 2)):
        yield case(anp.partition, R(3), kth)
    yield case(anp.partition, R(2, 2), 0)
    for optimize in (True, "greedy"):
        yield case(anp.einsum, "ij,jk,k->i", R(2, 2), R(2, 1), R(1), optimize=optimize)
    yield case(anp.einsum, "i,i->i", R(2), R(2), dtype=float)
    yield case(anp.split, R(3), 3)
    yield case(anp.split, R(3), [1])
    yield case(anp.split, R(4), [2, 2])
    yield case(anp.split, R(2, 4), 2, axis=-1)
    yield case(anp.array_split, R(5), 3)
    yield case(anp.array_split, R(2, 3), 2, axis=1)
    yield case(anp.array_split, R(3), [1])
    yield case(anp.array_split, R(2), 3)
    yield case(anp.vsplit, R(3, 1), [1])
    yield case(anp.hsplit, R(2, 3), [1])
    yield case(anp.repeat, R(2), 0)
    yield case(anp.repeat, R(2), (2,))
    yield case(anp.repeat, R(2, 2), 1, axis=0)
    yield case(anp.repeat, R(2, 2), 2, axis=None)
    yield case(anp.repeat, R(2, 1, 2), 2, axis=1)
    yield case(anp.repeat, R(1, 2), np.array([1, 2]), axis=1)
    yield case(anp.tile, R(2), (1, 2))
    yield case(anp.tile, R(2), (2, 1, 2))
    yield case(anp.tile, R(2, 1), (1, 1))
    yield case(anp.tile, R(1, 2), 2)
    yield case(anp.triu, R(2, 2), k=2)
    yield case(anp.tril, R(1, 2, 2), k=-1)
    yield case(anp.broadcast_to, R(), ())
    yield case(anp.broadcast_to, R(1, 1), (2, 3))
    yield case(anp.broadcast_to, R(2, 1), (2, 0))
    yield case(anp.atleast_1d, R(2))
    yield case(anp.atleast_2d, R())
    yield case(anp.atleast_3d, R())
    yield case(anp.atleast_3d, R(2, 2))
    yield case(anp.nan_to_num, R(2), nan=1.0)
    yield case(anp.gradient, R(6), axis=0)
    yield case(anp.gradient, R(3), edge_order=2)
    yield case(anp.gradient, R(4, 2), axis=(0,))
    yield case(raw._array_from_scalar_or_array, (), {}, R(2), plain=lambda a, k, x: 1.0 * x, spelled="array(x)")
    yield case(raw._array_from_scalar_or_array, (), {"ndmin": 2}, R(2), plain=lambda a, k, x: 1.0 * x[None],
               spelled="array(x, ndmin=2)")
    yield case(raw._array_from_scalar_or_array, (), {"ndmin": 2}, R(), plain=lambda a, k, x: x.reshape(1, 1),
               spelled="array(x, ndmin=2)")
    yield case(raw.array_from_args, (), {}, R(), R(), R(), plain=lambda a, k, *xs: np.stack(xs),
               spelled="array([x, y, z])")
    yield case(raw.array_from_args, (), {"ndmin": 2}, R(), R(), plain=lambda a, k, *xs: np.stack(xs)[None],
               spelled="array([x, y], ndmin=2)")
    yield case(WHERE, Whole(0, 2, (1,), True), R(2), R(2))
    yield case(WHERE, Whole(0, 2, (2,), True), R(), R())
    yield case(WHERE, Whole(0, 2, (), True), R(2), R(2))
    yield case(WHERE, Whole(0, 2, (2,), True), 1.0, R(2))
    yield case(WHERE, np.array([True, False]), R(2), R(2))
    yield case(anp.clip, R(2), Whole(0, 1, (2,)), Whole(1, 2, (2,)))
    yield case(anp.clip, R(2, 2), np.array([0.0, 1.0]), 2.0)
    yield case(anp.clip, R(2), a_min=0.0, a_max=1.0)
    for name in ("add", "multiply", "divide", "maximum", "logaddexp", "subtract", "fmin"):
        domain = "y != 0" if name == "divide" else ""
        for a, b in (((1,), (3,)), ((2, 2), (1, 2)), ((1, 1), (2,)), ((0,), (1,)), ((2, 1, 1), (1, 2))):
            yield case(getattr(anp, name), R(*a), R(*b), domain=domain)
    yield case(anp.power, R(2, 1), R(2), domain="x > 0")
    yield case(anp.power, R(2), R(2), domain="[x >= 0, y >= 1]")
    yield case(anp.power, R(2), 5)
    yield case(anp.power, R(), -1.0, domain="x != 0")


def internal(case: Maker) -> Iterator[Case]:
    """The primitives that autograd's own rules consist of."""
    of: dict[Any, tuple[Shape, int, Any, bool]] = {
        s: (s, len(s), np.dtype(float), False) for s in ((), (2,), (2, 3), (3, 2), (3,), (2, 1, 3))}
    factors: list[tuple[Shape, Shape]] = [((2, 3), (3, 2)), ((2, 3), (3,)), ((3,), (3, 2)), ((2,), (2,)), ((), (2,)),
                                          ((2, 1, 3), (3, 2))]
    for a, b in factors:
        out = np.dot(np.zeros(a), np.zeros(b)).shape
        yield case(vjps.dot_adjoint_0, R(*b), R(*out), of[a], of[b], spelled=f"dot_adjoint_0(x, y, {a}, {b})")
        yield case(vjps.dot_adjoint_1, R(*a), R(*out), of[a], of[b], spelled=f"dot_adjoint_1(x, y, {a}, {b})")
    contracted: list[tuple[Shape, Shape, Any]] = [
        ((2, 3), (3, 2), 1), ((2, 3), (2,), [[0], [0]]), ((2, 3), (3, 2), [[0, 1], [1, 0]])]
    for a, b, axes in contracted:
        out = np.tensordot(np.zeros(a), np.zeros(b), axes).shape
        yield case(vjps.tensordot_adjoint_0, R(*b), R(*out), axes, len(a), len(b))
        yield case(vjps.tensordot_adjoint_1, R(*a), R(*out), axes, len(a), len(b))
    space = ArrayVSpace(np.zeros(2))
    for name in ("add", "inner_prod"):
        yield case(func(getattr(VSpace, name)), space, R(2), R(2), spelled=f"vspace.{name}(x, y)")
    yield case(func(VSpace.covector), space, R(2), spelled="vspace.covector(x)")
    yield case(func(VSpace.scalar_mul), space, R(2), R(), spelled="vspace.scalar_mul(x, y)")


def distributions(case: Maker) -> Iterator[Case]:
    stats = autograd.scipy.stats

    def logs(density: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: np.log(density(*args))

    def beta(x: Any, a: float, b: float) -> Any:
        return x ** (a - 1) * (1 - x) ** (b - 1) / scipy.special.beta(a, b)

    def gamma(x: Any, a: float) -> Any:
        return x ** (a - 1) * np.exp(-x) / scipy.special.gamma(a)

    def chi2(x: Any, df: float) -> Any:
        return x ** (df / 2 - 1) * np.exp(-x / 2) / (2 ** (df / 2) * scipy.special.gamma(df / 2))

    def poisson(k: Any, mu: Any) -> Any:
        return mu**k * np.exp(-mu) / scipy.special.factorial(k)

    def student(x: Any, df: float, loc: Any = 0.0, scale: Any = 1.0) -> Any:
        factor = scipy.special.gamma((df + 1) / 2) / (np.sqrt(df * np.pi) * scipy.special.gamma(df / 2))
        return factor * (1 + ((x - loc) / scale) ** 2 / df) ** (-(df + 1) / 2) / scale

    for log in ("", "log"):
        def of(density: Callable[..., Any], log: str = log) -> Callable[..., Any]:
            return logs(density) if log else density

        pdf = f"{log}pdf"
        for a, b in ((2.0, 3.0), (1.0, 1.0)):
            yield case(getattr(stats.beta, pdf), R(2), a, b, plain=of(beta), domain="[x > 0, x < 1]",
                       spelled=f"scipy.stats.beta.{pdf}(x, {a}, {b})")
        for a in (1.0, 3.0):
            yield case(getattr(stats.gamma, pdf), R(2), a, plain=of(gamma), domain="x > 0",
                       spelled=f"scipy.stats.gamma.{pdf}(x, {a})")
        for df in (2.0, 4.0, 2.5):
            yield case(getattr(stats.chi2, pdf), R(2), df, plain=of(chi2), domain="x > 0",
                       spelled=f"scipy.stats.chi2.{pdf}(x, {df})")
        for k in (0, 3):
            yield case(getattr(stats.poisson, f"{log}pmf"), k, R(2), plain=of(poisson), domain="x > 0",
                       spelled=f"scipy.stats.poisson.{log}pmf({k}, x)")
        yield case(getattr(stats.t, pdf), R(2), 3.0, plain=of(student), spelled=f"scipy.stats.t.{pdf}(x, 3.0)")
        yield case(getattr(stats.t, pdf), R(2), 1.0, R(1), R(), plain=of(student), domain="z > 0",
                   spelled=f"scipy.stats.t.{pdf}(x, 1.0, y, z)")
    yield case(autograd.scipy.special.gammasgn, R(2), domain="x > 0", plain=lambda x: 1.0 + 0.0 * x,
               spelled="scipy.special.gammasgn(x)")
    mean, cov = np.array([1.0, -1.0]), np.array([[2.0, 0.5], [0.5, 1.0]])

    def normal(x: Any, mean: Any, cov: Any) -> Any:
        d = x - mean
        return -np.einsum("...i,ij,...j->...", d, np.linalg.inv(cov), d) / 2 - np.log(2 * np.pi) - np.log(1.75) / 2

    for shape in ((2,), (2, 2)):
        yield case(stats.multivariate_normal.logpdf, R(*shape), R(2), cov, plain=normal,
                   spelled=f"scipy.stats.multivariate_normal.logpdf(x, y, {shown(cov)})")
        yield case(stats.multivariate_normal.logpdf, R(*shape), mean, cov, plain=normal,
                   spelled=f"scipy.stats.multivariate_normal.logpdf(x, {shown(mean)}, {shown(cov)})")


def matrices(case: Maker) -> Iterator[Case]:
    norm = anpla._primitive_norm
    positive = "(x * x).sum() > 0"
    for axis in ((-2, -1), (-1, -2), (0, -1), (-1, 0)):
        yield case(norm, R(2, 2), axis=axis, domain=positive)
        yield case(norm, R(1, 2, 2), axis=axis, domain=f"(x * x).sum(axis={axis}) > 0")
    yield case(norm, R(2, 2), axis=(0, 1), keepdims=True, domain=positive)
    yield case(norm, R(2, 2), axis=0, keepdims=True, domain="(x * x).sum(axis=0) > 0")
    yield case(norm, R(2), axis=0, keepdims=True, domain=positive)
    yield case(norm, R(2), axis=-1, domain=positive)
    yield case(norm, R(1, 2, 1), domain=positive)
    yield case(norm, R(2, 2), axis=(0, 1), ord="fro", domain=positive)
    yield case(norm, R(2, 2), axis=1, ord=2, domain="(x * x).sum(axis=1) > 0")
    for order in (3, 4, 2.5, np.inf):
        yield case(norm, R(2), ord=order, domain="x > 0")
    yield case(norm, R(2), ord=3, domain="x != 0")
    for order in (-1, 0.5, -np.inf):
        yield case(norm, R(2), ord=order, domain="x > 0")
    yield case(norm, R(2, 2), ord=1)
    yield case(anpla.det, R(3, 3), domain="np.linalg.det(x) != 0")
    yield case(anpla.inv, R(1, 2, 2), domain=invertible(2))
    yield case(anpla.solve, R(2, 2), R(2, 1), domain=invertible(2))
    yield case(anpla.solve, R(1, 2, 2), R(2, 2), domain=invertible(2))
    yield case(anpla.slogdet, R(2, 1, 1), domain="x != 0", plain=lambda x: (np.sign(x[:, 0, 0]), np.log(np.abs(
        x[:, 0, 0]))))
    yield case(anpla.cholesky, R(1, 1), domain="x > 0", plain=np.sqrt)
    yield case(anpla.eigh, R(1, 1), plain=lambda x: (x[0], 1.0 + 0.0 * x))
    yield case(anpla.svd, R(1, 1), compute_uv=False, full_matrices=False, domain="x > 0",
               plain=lambda x, **_: x[0])


def table(case: Maker) -> Iterator[Case]:
    for group in (pointwise, reductions, moving, indices, keywords, products, linalg, matrices, scientific,
                  distributions, internal):
        yield from group(case)
