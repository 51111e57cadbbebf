"""Audit the VJP rules of HIPS autograd: run gradproof_spec.check over each of them, as installed and unmodified.

    python examples/audit_autograd.py            # table and summary
    python examples/audit_autograd.py --write    # and docs/audits.md
    python examples/audit_autograd.py norm sort  # configurations whose text contains one of these

The forward is the NumPy function that autograd wraps; the backward is autograd's rule, called as its reverse pass calls
it: primitive_vjps[f](argnums, ans, args, kwargs)(g). Only ArrayVSpace.register(UserArray) is told to autograd, its own
way to make a type of array known. What is refuted is compared with finite differences in floats; so is what is proved,
at random points. Needs `gradproof[prove]` and autograd. Exits with 1 if floats contradict a verdict.
"""

from __future__ import annotations

import re
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import autograd
import autograd.numpy as anp
import autograd.numpy.linalg as anpla
import autograd.scipy.signal
import autograd.scipy.special
import autograd.scipy.stats.norm
import numpy as np
from autograd.core import add_outgrads, primitive_vjps
from autograd.numpy import numpy_wrapper as raw
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vspaces import ArrayVSpace

from gradproof_spec import check
from gradproof_spec.symbolic.user_code import PlainUserArray, UserArray

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "audits.md"
SECONDS = 20  # per configuration
POINTS = 3  # at which a proved rule is compared with finite differences
Arrays = dict[str, Any]
Shape = tuple[int, ...]
Ways = Sequence[tuple[Shape, dict[str, Any]]]


# ---------------------------------------------------------------- a configuration
@dataclass(frozen=True)
class Real:
    """An argument: an array of any reals."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Whole:
    """An argument: an array of integers low <= i < high, all of them tried; as Booleans if so said."""

    low: int
    high: int
    shape: tuple[int, ...]
    boolean: bool = False


def R(*shape: int) -> Real:
    return Real(shape)


@dataclass(frozen=True)
class Case:
    """One call f(*args, **kwargs), in which each Real and Whole stands for an argument."""

    primitive: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    domain: str = ""  # a condition on the arguments' names
    plain: Callable[..., Any] | None = None  # a function with the same derivative, where NumPy's is not modelled
    spelled: str | None = None  # the call, where it is not written f(*args)
    names: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        letters, integers = iter("xyzw"), iter("ijkl")
        for n, a in enumerate(self.args):
            if isinstance(a, (Real, Whole)):
                self.names[n] = next(letters if isinstance(a, Real) else integers)

    @property
    def argnums(self) -> tuple[int, ...]:
        return tuple(n for n, a in enumerate(self.args) if isinstance(a, Real))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: self.args[n].shape for n, name in self.names.items()}

    def integers(self) -> dict[str, tuple[int, int]]:
        pairs = [(name, self.args[n]) for n, name in self.names.items()]
        return {name: (a.low, a.high) for name, a in pairs if isinstance(a, Whole)}

    def filled(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        given = iter(arrays)
        found = []
        for a in self.args:
            value = next(given) if isinstance(a, (Real, Whole)) else a
            found.append(value.astype(bool) if isinstance(a, Whole) and a.boolean else value)
        return tuple(found)

    def original(self, *arrays: Any) -> Any:
        """What autograd wraps."""
        return self.primitive.fun(*self.filled(arrays), **self.kwargs)  # type: ignore[attr-defined]

    def forward(self, *arrays: Any) -> Any:
        return self.plain(*self.filled(arrays), **self.kwargs) if self.plain else self.original(*arrays)

    def backward(self, g: Any, *arrays: Any) -> Any:
        args = self.filled(arrays)
        ans = self.forward(*arrays) if any(isinstance(x, PlainUserArray) for x in arrays) else self.original(*arrays)
        found = primitive_vjps[self.primitive](self.argnums, ans, args, dict(self.kwargs))(g)
        dense = [add_outgrads(None, part)[0] for part in found]  # what reads an index gives a sparse gradient
        return tuple(dense) if len(dense) > 1 else dense[0]

    def inside(self, *arrays: Any) -> Any:
        return eval(self.domain, {"np": np}, dict(zip(self.shapes(), arrays, strict=True))) if self.domain else []

    def name(self) -> str:
        function = self.primitive.fun  # type: ignore[attr-defined]
        if self.primitive is ArrayBox.__getitem__:
            return "getitem"
        if self.spelled is not None:
            return self.spelled.split("(")[0]
        prefix = "linalg." if "linalg" in str(getattr(function, "__module__", "")) else ""
        return prefix + str(function.__name__)

    def call(self) -> str:
        """The expression, of x, y, ..."""
        if self.spelled is not None:
            return self.spelled
        parts = [self.names.get(n) or shown(a) for n, a in enumerate(self.args)]
        if self.primitive is ArrayBox.__getitem__:
            return f"{parts[0]}[{parts[1]}]"
        return f"{self.name()}({', '.join(parts + [f'{k}={shown(v)}' for k, v in self.kwargs.items()])})"

    def text(self) -> str:
        where = [f" where {self.domain}"] if self.domain else []
        return ", ".join([self.call(), *(f"{n} {shape}" for n, shape in self.shapes().items())]) + "".join(where)


def shown(a: Any) -> str:
    if isinstance(a, tuple) and any(isinstance(b, slice) or b is None or b is Ellipsis for b in a):
        return ", ".join(map(shown, a))
    if isinstance(a, slice):
        return f"{'' if a.start is None else a.start}:{'' if a.stop is None else a.stop}" + (
            "" if a.step is None else f":{a.step}")
    if isinstance(a, np.ndarray):
        return f"np.array({a.tolist()})"
    if isinstance(a, float) and np.isinf(a):
        return "np.inf"
    return "..." if a is Ellipsis else a.__name__ if isinstance(a, type) else repr(a)


def case(primitive: Callable[..., Any], *args: Any, domain: str = "",
         plain: Callable[..., Any] | None = None, spelled: str | None = None, **kwargs: Any) -> Case:
    return Case(primitive, args, kwargs, domain, plain, spelled)


# ---------------------------------------------------------------- the table
POSITIVE, INSIDE_ONE, ANYWHERE_BUT_0 = "x > 0", "[x > -1, x < 1]", "x != 0"


def invertible(n: int) -> str:
    return ANYWHERE_BUT_0 if n == 1 else "x[..., 0, 0] * x[..., 1, 1] != x[..., 0, 1] * x[..., 1, 0]"


WHERE = next(f for f in primitive_vjps if f.fun is np.where)  # anp.where is a function around it


def pointwise() -> Iterator[Case]:
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


def reductions() -> Iterator[Case]:
    ways: list[dict[str, Any]] = [
        {}, {"axis": 0}, {"axis": 1}, {"axis": -1}, {"axis": (0, 1)}, {"axis": (-1, 0)}, {"keepdims": True},
        {"axis": 1, "keepdims": True}, {"axis": (0, 1), "keepdims": True},
    ]
    primitives = {"sum": anp.sum, "mean": raw._primitive_mean, "prod": anp.prod, "var": raw._primitive_var,
                  "std": raw._primitive_std, "max": anp.max, "min": anp.min}
    for name, primitive in primitives.items():
        for way in ways:
            yield case(primitive, R(2, 2), **way)
        yield case(primitive, R())
        yield case(primitive, R(1))
        yield case(primitive, R(3))
        yield case(primitive, R(2, 1), axis=1)
        if name in ("sum", "mean", "max"):
            yield case(primitive, R(2, 1, 2), axis=(0, 2))
            yield case(primitive, R(2, 1, 2), axis=(0, -1), keepdims=True)
        if name in ("sum", "mean", "prod"):
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


def moving() -> Iterator[Case]:
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
    indices: list[Any] = [0, -1, slice(None, None, 2), slice(None, None, -1), (slice(None), None), Ellipsis, [0, 0, 2],
                          [1], np.array([0, 0, 1]), np.array([True, False, True]), np.array([[0, 2], [2, 2]])]
    for index in indices:
        yield case(ArrayBox.__getitem__, R(3), index)
    indices = [(0, 1), (slice(None), 1), (Ellipsis, 0), ([0, 1, 0], [1, 1, 1]), (0, [1, 1]), (slice(None), [0, 0])]
    for index in indices:
        yield case(ArrayBox.__getitem__, R(2, 2), index)
    yield case(ArrayBox.__getitem__, R(3), Whole(-3, 3, (2,)))
    yield case(ArrayBox.__getitem__, R(2, 2), Whole(0, 2, (3,)))


def products() -> Iterator[Case]:
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
        ("...i,...i->...i", (2,), (2, 2)), (",i->i", (), (2,)),
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


def linalg() -> Iterator[Case]:
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
    for function in (anpla.cholesky, anpla.eigh, anpla.svd):
        yield case(function, R(2, 2))


def scientific() -> Iterator[Case]:
    special, signals, normal = autograd.scipy.special, autograd.scipy.signal, autograd.scipy.stats.norm

    def logsumexp(x: Any, b: Any = 1.0, **kwargs: Any) -> Any:
        return np.log(np.sum(b * np.exp(x), **kwargs))

    options: tuple[dict[str, Any], ...] = (
        {}, {"axis": 0}, {"axis": -1}, {"axis": (0, 1)}, {"axis": 1, "keepdims": True}, {"b": 2.0}, {"keepdims": True},
        {"b": np.array([[1.0, 2.0], [3.0, 4.0]])},
        {"axis": 1, "b": np.array([1.0, 0.0])}, {"b": np.array([[2.0], [1.0]])},
    )
    for kwargs in options:
        text = "".join(f", {k}={shown(v)}" for k, v in kwargs.items())
        yield case(special.logsumexp, R(2, 2), plain=logsumexp, spelled=f"scipy.special.logsumexp(x{text})", **kwargs)
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


def table() -> list[Case]:
    found = [*pointwise(), *reductions(), *moving(), *products(), *linalg(), *scientific()]
    return list({c.text(): c for c in found}.values())


# ---------------------------------------------------------------- floats
def flat(results: Any) -> list[Any]:
    return list(results) if isinstance(results, (tuple, list)) else [results]


def cotangents(c: Case, arrays: Arrays, g: Any) -> dict[str, Any]:
    """What autograd's rule gives on floats: name -> array."""
    with np.errstate(all="ignore"):
        found = c.backward(g, *(arrays[n] for n in c.shapes()))
    found = found if isinstance(found, tuple) else (found,)
    return {c.names[n]: np.asarray(part) for n, part in zip(c.argnums, found, strict=True)}


def differences(c: Case, arrays: Arrays, g: Any) -> dict[str, tuple[Any, Any]]:
    """The derivative of sum(g * f) and how exact it is, by differences with the step that is stablest."""
    here = loss(c, arrays, g)
    found = {}
    for n in c.argnums:
        name = c.names[n]
        x = np.asarray(arrays[name], dtype=float)
        slope, error = np.zeros(x.shape), np.full(x.shape, np.inf)
        for i in np.ndindex(*x.shape):
            for k in range(2, 8):
                h = 10.0**-k * (abs(float(x[i])) or 1.0)
                around = [loss(c, moved(arrays, name, i, s), g) for s in (h, -h, h / 2, -h / 2)]
                value, spread = one_slope(around, here, h)
                if spread < error[i]:
                    slope[i], error[i] = value, spread
        found[name] = (slope, error)
    return found


def loss(c: Case, arrays: Arrays, g: Any) -> float:
    with np.errstate(all="ignore"):
        results = flat(c.original(*(arrays[n] for n in c.shapes())))
        return float(sum(np.sum(a * b) for a, b in zip(flat(g), results, strict=True)))


def moved(arrays: Arrays, name: str, index: tuple[int, ...], step: float) -> Arrays:
    x = np.array(arrays[name], dtype=float)
    x[index] += step
    return {**arrays, name: x}


def one_slope(values: list[float], here: float, h: float) -> tuple[float, float]:
    """From the values at h, -h, h/2 and -h/2; one-sided where the function ends."""
    wide = [(values[0] - here) / h, (here - values[1]) / h]
    fine = [2 * (values[2] - here) / h, 2 * (here - values[3]) / h]
    noise = 1e-15 * abs(here) / h
    if np.isfinite(wide).all():
        return sum(fine) / 2, abs(sum(fine) - sum(wide)) / 2 + abs(fine[0] - fine[1]) / 20 + noise
    side = int(np.isfinite(wide[1]))
    return fine[side], abs(fine[side] - wide[side]) + noise


def disagreement(c: Case, arrays: Arrays, g: Any) -> str:
    """How autograd's rule and finite differences disagree at this input; "" if they agree."""
    try:
        given = cotangents(c, arrays, g)
    except Exception as error:
        return f"autograd raises {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    for name, (slope, spread) in differences(c, arrays, g).items():
        if given[name].shape != slope.shape:
            return f"g{name} has shape {given[name].shape}, must have {slope.shape}"
        wrong = ~(abs(given[name] - slope) <= 1e-5 * (1 + abs(slope)) + 20 * spread) & np.isfinite(slope)
        if wrong.any():
            i = tuple(int(k) for k in np.argwhere(wrong)[0])
            entry = f"g{name}{list(i) if i else ''}"
            return f"{entry} is {float(given[name][i]):.6g}, differences give {float(slope[i]):.6g}"
    return ""


def kinked(c: Case, arrays: Arrays, g: Any) -> bool:
    """Whether the slopes on the two sides differ."""
    here = loss(c, arrays, g)
    for n in c.argnums:
        name = c.names[n]
        for i in np.ndindex(*np.shape(arrays[name])):
            h = 1e-9 * (abs(float(arrays[name][i])) or 1.0)
            above = (loss(c, moved(arrays, name, i, h), g) - here) / h
            below = (here - loss(c, moved(arrays, name, i, -h), g)) / h
            if abs(above - below) > 1e-3 * (1 + abs(above)):
                return True
    return False


def random_inputs(c: Case, count: int, lattice: bool = False) -> Iterator[tuple[Arrays, Any]]:
    """In the domain, with a cotangent. On the lattice: of the numbers -1, 0, 1, 2, with ties."""
    rng = np.random.default_rng(0)
    for trial in range(300):
        low = -2.0 if trial % 2 else 0.1
        arrays: Arrays = {}
        for n, name in c.names.items():
            a = c.args[n]
            whole = isinstance(a, Whole)
            if lattice and not whole:
                arrays[name] = np.asarray(rng.integers(-1, 3, a.shape), dtype=float)
            else:
                arrays[name] = rng.integers(a.low, a.high, a.shape) if whole else rng.uniform(low, 2, a.shape).round(2)
        with np.errstate(all="ignore"):
            told = flat(c.inside(*arrays.values()))
            if not all(np.all(t) for t in told):
                continue
            whole_result = c.original(*arrays.values())
        results = flat(whole_result)
        g = [np.round(rng.uniform(-1, 1, np.shape(y)), 2) for y in results]
        if all(np.isfinite(y).all() for y in results):
            yield arrays, tuple(g) if isinstance(whole_result, (tuple, list)) else g[0]
            count -= 1
        if count == 0:
            return


# ---------------------------------------------------------------- one verdict
@dataclass(frozen=True)
class Found:
    """verdict: that of check; RAISES where autograd's rule raises on every input, NOT IMPLEMENTED where it says so,
    AT A KINK where only this was refuted: that it gives nan for g = 0 where the function has no derivative."""

    case: Case
    verdict: str
    reason: str = ""
    assumptions: Sequence[str] = ()
    arrays: Arrays = field(default_factory=dict)
    g: Any = None
    floats: str = ""  # how autograd and finite differences disagree there
    contradiction: bool = False
    compared: int = 0  # of a proved rule: points at which it was compared with differences

    @property
    def wrong(self) -> bool:
        return self.verdict in ("REFUTED", "RAISES")

    def kind(self) -> str:
        text = f"{self.floats} {self.reason}"
        if self.verdict == "RAISES":
            return RAISES
        if "raises" in text:
            return NOT_FINITE
        if "has shape" in text:
            return SHAPE
        return NOT_FINITE if re.search(" is (nan|-?inf)", self.floats) else VALUE


VALUE, SHAPE = "another value", "another shape"
NOT_FINITE, RAISES = "nan, inf or an exception where the derivative is finite", "an exception at every input"


class TooLong(Exception):
    pass


def too_long(*_: Any) -> None:
    raise TooLong


def judge(c: Case) -> Found:
    ArrayVSpace.register(UserArray)
    ArrayVSpace.register(PlainUserArray)
    try:
        inputs = list(random_inputs(c, POINTS))
    except Exception as error:
        return Found(c, "NOT DECIDED", f"the forward raises {type(error).__name__}: {error}")
    refused = refusal(c, inputs)
    if refused is not None:
        return refused
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        domain = c.inside if c.domain else None
        result = check(c.forward, c.backward, shapes=c.shapes(), integers=c.integers(), domain=domain)
    except TooLong:
        return Found(c, "NOT DECIDED", f"{SECONDS} s", floats=disagrees_somewhere(c, inputs))
    except Exception as error:
        text = f"the symbolic run raises {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return Found(c, "UNSUPPORTED", text, floats=disagrees_somewhere(c, inputs))
    finally:
        signal.alarm(0)
    lines = [line.strip() for line in result.message.splitlines() if line.strip()]
    reason = "" if result.verdict == "PROVED" else lines[1]
    verdict = str(result.verdict)
    if verdict == "REFUTED":
        arrays = {n: np.asarray(result.counterexample[n]) for n in c.shapes() if n in result.counterexample}
        gs = [x for n, x in result.counterexample.items() if n == "g" or (n[:1] == "g" and n[1:].isdigit())]
        if not arrays:  # of the wrong shape
            arrays, g = inputs[0]
        else:
            g = gs[0] if "g" in result.counterexample else tuple(gs)
        return refuted(c, reason, result.assumptions, arrays, g, inputs)
    smooth = smooth_lattice(c)
    floats = disagrees_somewhere(c, [*inputs, *smooth])
    contradiction = verdict == "PROVED" and bool(floats)
    return Found(c, verdict, reason, result.assumptions, floats=floats, contradiction=contradiction,
                 compared=len(inputs) + len(smooth))


def smooth_lattice(c: Case) -> list[tuple[Arrays, Any]]:
    return [given for given in random_inputs(c, 2 * POINTS, lattice=True) if not kinked(c, *given)]


def refuted(c: Case, reason: str, assumptions: Sequence[str], arrays: Arrays, g: Any,
            inputs: Sequence[tuple[Arrays, Any]]) -> Found:  # fmt: skip
    """Reproduced in floats; with g = 1 where check found g = 0, and at another point where this one is a kink."""
    floats = disagreement(c, arrays, g)
    if not any(np.any(part) for part in flat(g)):
        ones = tuple(np.ones_like(part) for part in g) if isinstance(g, tuple) else np.ones_like(g)
        if not kinked(c, arrays, ones):
            g, floats = ones, disagreement(c, arrays, ones)
        else:
            others = [*inputs, *smooth_lattice(c)]
            wrong = [(other, text) for other in others if (text := disagreement(c, *other))]
            if not wrong:
                return Found(c, "AT A KINK", reason, assumptions, arrays, g, floats)
            (arrays, g), floats = wrong[0]
    return Found(c, "REFUTED", reason, assumptions, arrays, g, floats, not floats)


def disagrees_somewhere(c: Case, inputs: Sequence[tuple[Arrays, Any]]) -> str:
    return next((found for arrays, g in inputs if (found := disagreement(c, arrays, g))), "")


def refusal(c: Case, inputs: Sequence[tuple[Arrays, Any]]) -> Found | None:
    """Where the rule raises on floats, at every input."""
    first = None
    for arrays, g in inputs:
        try:
            cotangents(c, arrays, g)
            return None
        except (NotImplementedError, AssertionError) as error:
            return Found(c, "NOT IMPLEMENTED", f"autograd says so: {str(error) or 'an assertion'}")
        except Exception as error:
            text = str(error).splitlines()[0] if str(error) else ""
            first = first or Found(c, "RAISES", f"{type(error).__name__}: {text}", (), arrays, g, text)
    return first


# ---------------------------------------------------------------- telling
def repr_array(x: Any) -> str:
    text = re.sub("(nan|inf)", r"np.\1", repr(np.asarray(x).tolist()))
    return f"np.array({text})"


def reproduction(found: Found) -> list[str]:
    """In plain autograd and NumPy: imports, input, gradient."""
    c = found.case
    call = c.call()
    imports = "import autograd, autograd.numpy as anp, numpy as np"
    if call.startswith("scipy."):
        call = f"autograd.{call}"
        imports = f"import {call.split('(')[0].rpartition('.')[0]}, autograd.numpy as anp, numpy as np"
    elif c.primitive is not ArrayBox.__getitem__:
        call = f"anp.{call}"
    wrong = wrong_argument(found)
    several = isinstance(found.g, tuple)
    loss = f"sum(anp.sum(a * b) for a, b in zip(g, {call}))" if several else f"anp.sum(g * {call})"
    given = [f"{n} = {repr_array(x) + ('.astype(bool)' if is_boolean(c, n) else '')}" for n, x in found.arrays.items()]
    g = f"[{', '.join(map(repr_array, found.g))}]" if several else repr_array(found.g)
    return [imports, "; ".join([*given, f"g = {g}"]),
            f"print(autograd.grad(lambda {wrong}: {loss})({wrong}))"]


def is_boolean(c: Case, name: str) -> bool:
    return any(m == name and isinstance(c.args[n], Whole) and c.args[n].boolean for n, m in c.names.items())


def replayed(found: Found) -> tuple[str, bool]:
    """What the last line prints or raises, and whether that is wrong."""
    lines, space = reproduction(found), dict[str, Any]()
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec("\n".join(lines[:2]), space)
            value = eval(lines[2].removeprefix("print(")[:-1], space)
    except Exception as error:
        return f"raises {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", True
    right = right_value(found)
    wrong = right is None or np.shape(value) != right.shape or not np.allclose(value, right, rtol=1e-4, atol=1e-4)
    return f"prints {' '.join(str(value).split())}", bool(wrong)


def right_value(found: Found) -> Any:
    """The derivative in the argument in which the rule is wrong, by differences."""
    slopes = differences(found.case, found.arrays, found.g)
    return np.round(slopes[wrong_argument(found)][0], 6) + 0.0


def wrong_argument(found: Found) -> str:
    c = found.case
    names = [c.names[n] for n in c.argnums]
    if found.verdict == "RAISES":  # the rules of the arguments one by one
        return next((c.names[n] for n in c.argnums if isinstance(alone(found, n), Exception)), names[0])
    return next((n for n in names if f"g{n} " in found.floats or f"g{n}[" in found.floats), names[0])


def alone(found: Found, argnum: int) -> Any:
    """The cotangent of one argument in floats, or the exception."""
    c = found.case
    arrays = [found.arrays[n] for n in c.shapes()]
    try:
        rule = primitive_vjps[c.primitive]((argnum,), c.original(*arrays), c.filled(arrays), dict(c.kwargs))
        return next(iter(rule(found.g)))
    except Exception as error:
        return error


def first_words(reason: str) -> str:
    """The reason without the numbers in it."""
    head = re.sub(r"^g[w-z](\[[^]]*\])? ", "", reason).removeprefix("what the symbolic run does not model: ")
    head = re.split(r" is not  |(?<=\)): |: 1/|, not x|: write it", head)[0]
    return head if len(head) <= 150 else f"{head[:147]}..."


def versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("autograd", "numpy", "z3-solver"))


def rules_of(found: Sequence[Found]) -> int:
    return len({(f.case.primitive, n) for f in found for n in f.case.argnums})


INTERNAL = (raw.concatenate_args, raw.array_from_args, raw.make_diagonal)
MEANINGS = {
    "PROVED": "the rule is the adjoint of the derivative for all reals, off the ties where there is none",
    "REFUTED": "an input at which it is not; finite differences of the NumPy function agree with that",
    "RAISES": "the rule raises at every input, where the function is differentiable",
    "NOT IMPLEMENTED": "autograd says that it does not have this",
    "AT A KINK": "nan for g = 0 where the function has no derivative: not counted as wrong",
    "UNKNOWN": "neither was shown",
    "UNSUPPORTED": "not modelled on symbols",
    "VACUOUS": "the function has no value that is modelled on the domain",
    "NOT DECIDED": "stopped",
}


def grouped(found: Sequence[Found]) -> dict[str, list[Found]]:
    groups: dict[str, list[Found]] = {}
    for f in found:
        groups.setdefault(f.case.name(), []).append(f)
    return groups


def document(found: Sequence[Found]) -> str:
    counts = Counter(f.verdict for f in found)
    proved, wrong = [f for f in found if f.verdict == "PROVED"], [f for f in found if f.wrong]
    unconfirmed = [f for f in found if f.contradiction and f.verdict == "REFUTED"]
    false = [f for f in found if f.contradiction and f.verdict == "PROVED"]
    points = sum(f.compared for f in proved)
    written = list(grouped([f for f in found if f.case.plain is not None and f.case.primitive not in INTERNAL]))
    ties = sum(any("not differentiable" in a for a in f.assumptions) for f in proved)
    text = [
        "# Audits", "", "## HIPS autograd", "",
        "`python examples/audit_autograd.py --write` makes this page: VJP rules as installed from PyPI and unmodified,",
        "each against the function that it belongs to, by [`check`](check.md): for all reals at the shapes given.", "",
        f"{versions()}. {len(found)} configurations of {len({f.case.primitive for f in found})} functions,",
        f"{rules_of(found)} rules (function and argument). Refuted, and not confirmed by floats: {len(unconfirmed)}.",
        f"Proved, and contradicted by floats: {len(false)}, at {points} points, at random and on a lattice with ties.",
        "", "| verdict | configurations | means |", "|---|---:|---|",
        *(f"| {v} | {counts[v]} | {meaning} |" for v, meaning in MEANINGS.items() if counts[v]), "",
        f"{ties} of the proved ones leave out ties at which the function has no derivative. What stands after `where`",
        "is the domain: where the function is differentiable, or off the point at which the rule was refuted. Finite",
        "differences are of the original function; where `check` does not model it, it is written out in the script:",
        f"{', '.join(written)}.", "",
        f"### Wrong: {len(grouped(wrong))} functions, {len(wrong)} configurations", "",
    ]
    for kind in (VALUE, SHAPE, NOT_FINITE, RAISES):
        groups = grouped([f for f in wrong if f.kind() == kind])
        text += [f"#### {kind[0].upper()}{kind[1:]}: {len(groups)}", ""]
        for name, cases in groups.items():
            f = cases[0]
            printed, confirmed = replayed(f)
            right = f"; must be {' '.join(str(right_value(f)).split())}"
            if not confirmed:
                right += " (right through the public function: only the rule by itself is wrong)"
            text += [f"**{name}**, `{f.case.text()}`:", "", "```py", *reproduction(f), f"# {printed}{right}", "```", ""]
            if len(cases) > 1:
                text += ["Also " + ", ".join(f"`{g.case.text()}`" for g in cases[1:]) + ".", ""]
    text += ["### Not decided", ""]
    reasons: dict[str, list[Found]] = {}
    for f in found:
        if f.verdict != "PROVED" and not f.wrong:
            reasons.setdefault(f"{f.verdict}: {first_words(f.reason)}", []).append(f)
    for reason, cases in sorted(reasons.items()):
        bad = [g for g in cases if g.floats and g.verdict != "AT A KINK"]
        text += [f"- {reason} ({', '.join(f'{n} {len(fs)}' for n, fs in grouped(cases).items())})"
                 + "".join(f". Floats disagree: `{g.case.text()}`: {g.floats}" for g in bad)]
    covered = {f.case.primitive for f in found}
    rest = sorted({f.fun.__name__ for f in primitive_vjps if f not in covered and not f.fun.__name__.startswith("_")})
    text += ["", f"Rules not tried: {', '.join(rest)}; all JVPs.", "", "### Proved", "",
             ", ".join(f"{name} {len(cases)}" for name, cases in grouped(proved).items()) + ".", ""]
    return "\n".join(text)


def main(arguments: Sequence[str]) -> int:
    words = [a for a in arguments if not a.startswith("-")]
    found = []
    for c in table():
        if words and not any(w in c.text() for w in words):
            continue
        began = time.monotonic()
        f = judge(c)
        found.append(f)
        took = f"  {time.monotonic() - began:.0f} s" if time.monotonic() - began > 5 else ""
        note = "  CONTRADICTED BY FLOATS" if f.contradiction else ""
        reason = f"  {f.reason}" if f.reason else ""
        floats = f"  [floats: {f.floats}]" if f.floats else ""
        print(f"{f.verdict:<16}{c.text()}{reason}{floats}{note}{took}", flush=True)
    counts = Counter(f.verdict for f in found)
    print(f"\n{versions()}\n{len(found)} configurations, {rules_of(found)} rules: "
          + ", ".join(f"{n} {v}" for v, n in counts.most_common()))
    contradicted = [f for f in found if f.contradiction]
    print(f"contradicted by floats: {len(contradicted)}", *(f.case.text() for f in contradicted), sep="\n  ")
    if "--write" in arguments:
        DOCUMENT.write_text(document(found))
    return 1 if contradicted else 0


if __name__ == "__main__":
    assert autograd.__name__ == "autograd"
    sys.exit(main(sys.argv[1:]))
