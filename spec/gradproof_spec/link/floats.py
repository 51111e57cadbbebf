"""The float obligations: the shipped functions, in float32 and float64, against the exact value of the specification.

Every example is one call of a public function, of jvp or of vjp, on arrays that hypothesis makes. It runs three times:

    on floats                   as shipped
    on pairs (value, bound)     the same code; only the dtype gate lets objects pass: running_error.py gives the bound
    on enclosures               the same, with each entry of the op table replaced by the specification: the exact value

|float - exact| <= bound is required of every element for which there is a bound. Also required: shapes and dtypes,
unchanged inputs, results that share no memory with an input or with each other, a pullback that gives the same twice.
Nan, infinities and signed zeros are the subject of nonfinite.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import prod
from typing import Any, Literal, cast
from unittest.mock import patch

import numpy as np
import numpy.ma  # loaded lazily by NumPy, which must not happen during a run on pairs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import gradproof
from gradproof import dtypes, tape
from gradproof.op import OPS as RUNTIME
from gradproof.op import Op as RuntimeOp

from ..evaluate import DivisionByZero, Environment, Exact, Undecided
from ..obligations import Obligation, Outcome, Verdict
from ..op import OPS
from ..refute import rule_term
from ..symbolic import intercepting
from ..symbolic.meanings import read_constant
from .cases import Correspondence, correspondence
from .nonfinite import TABLE, Row, as_array
from .running_error import BITS, PAIRS, interval, iv

NIGHTLY = os.environ.get("GRADPROOF_FUZZ") == "nightly"
EXAMPLES = 10  # for each of WAYS
PRECISIONS = (BITS, 4 * BITS, 16 * BITS)
# Directions whose every result must have a bound if it is a float at all: no intermediate may overflow before it does.
# The others add or multiply on the way (vjp: over what was broadcast).
NEVER_OVERFLOWS_FIRST = {
    "forward": "add sub mul neg exp relu maximum reshape broadcast_to concat gather_rows max_pool softmax log_softmax",
    "jvp": "add sub neg relu maximum reshape broadcast_to concat gather_rows max_pool softmax log_softmax",
    "vjp": "neg relu reduce_sum reduce_mean reshape concat softmax",
}
Arrays = dict[str, Any]
Shape = tuple[int, ...]


class Disagreement(AssertionError):
    """What the report says of a failing example."""


# ---------------------------------------------------------------- one call
@dataclass(frozen=True)
class Call:
    """A call of a public function: tangents (None for integers), or the cotangent alone, are its directions.

    shape   of the output
    texts   how to make the arrays, then the directions
    """

    op: str
    arrays: tuple[np.ndarray, ...]
    attributes: Mapping[str, Any]
    directions: tuple[Any, ...]
    shape: Shape | None
    texts: tuple[str, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.arrays[0].dtype

    @property
    def names(self) -> list[str]:
        op = RUNTIME[self.op]
        return [f"x{k}" for k in range(len(self.arrays))] if op.variadic else list(op.inputs[: len(self.arrays)])

    def function(self) -> Callable[..., Any]:
        f, attributes = getattr(gradproof, self.op), self.attributes
        return (lambda *xs: f(xs, **attributes)) if RUNTIME[self.op].variadic else lambda *xs: f(*xs, **attributes)

    def expected_shape(self, result: str) -> Shape | None:
        if result in ("y", "dy"):
            return self.shape
        return self.arrays[self.names.index(result[1:])].shape

    def text(self, direction: str) -> str:
        """The call, to be pasted below `import numpy as np, gradproof`."""
        names = ", ".join(self.names)
        inside = f"[{names}]" if RUNTIME[self.op].variadic else names
        f = f"gradproof.{self.op}({inside}{''.join(f', {k}={v!r}' for k, v in self.attributes.items())})"
        tangents = [f"d{n}" if d is not None else "None" for n, d in zip(self.names, self.directions, strict=False)]
        shown = {
            "forward": f,
            "jvp": f"gradproof.jvp(lambda {names}: {f}, ({names},), ({', '.join(tangents)},))[1]",
            "vjp": f"gradproof.vjp(lambda {names}: {f}, {names})[1](g)",
        }[direction]
        assigned = [*self.names, *(tangents if direction == "jvp" else ["g"] if direction == "vjp" else [])]
        return "\n".join([*(f"{n} = {t}" for n, t in zip(assigned, self.texts, strict=False) if n != "None"), shown])


def array_text(x: Any) -> str:
    if x is None:
        return "None"
    numbers = re.sub(r"\b(nan|inf)\b", r"np.\1", str(x.tolist()))
    return f"np.array({numbers}, np.{x.dtype})" if x.size else f"np.zeros({x.shape}, np.{x.dtype})"


# ---------------------------------------------------------------- hypothesis makes calls
@dataclass(frozen=True)
class Form:
    """Shapes of the inputs and of the output, attributes, and an index array if the op takes one."""

    shapes: Sequence[Shape]
    out: Shape
    attributes: Mapping[str, Any] = field(default_factory=dict)
    indices: np.ndarray | None = None


EXTENTS, FULL, FEW = (st.sampled_from(n) for n in ((2, 1, 3, 2, 3, 0, 2, 3), (2, 1, 3), (1, 2)))
Draw = Callable[[st.SearchStrategy[Any]], Any]


def _shape(draw: Draw, least: int = 0, most: int = 3, extents: Any = EXTENTS) -> Shape:
    return tuple(draw(st.lists(extents, min_size=least, max_size=most)))


def _narrowed(draw: Draw, shape: Shape) -> Shape:
    """A shape that broadcasts to this one."""
    kept = shape[draw(st.integers(0, len(shape))) :] if draw(st.booleans()) else shape
    return tuple(1 if draw(st.integers(0, 3)) == 3 else n for n in kept)


def _unary(draw: Draw) -> Form:
    shape = _shape(draw)
    return Form([shape], shape)


def _binary(draw: Draw) -> Form:
    shape = _shape(draw)
    shapes = [_narrowed(draw, shape), _narrowed(draw, shape)]
    return Form(shapes, np.broadcast_shapes(*shapes))


def _reduction(draw: Draw, extents: Any = EXTENTS) -> Form:
    shape = _shape(draw, extents=extents)
    rank = len(shape)
    axes = st.lists(st.integers(-rank, rank - 1), unique_by=lambda a: a % rank) if rank else st.just([])
    axis = draw(st.one_of(st.none(), axes.map(tuple), *([st.integers(-rank, rank - 1)] if rank else [])))
    keepdims = draw(st.booleans())
    out = np.sum(np.zeros(shape), axis=axis, keepdims=keepdims).shape
    return Form([shape], out, {"axis": axis, "keepdims": keepdims})


def _softmax(draw: Draw) -> Form:
    shape = _shape(draw)
    rank = max(len(shape), 1)
    return Form([shape], shape, {"axis": draw(st.integers(-rank, rank - 1))})


def _matmul(draw: Draw) -> Form:
    n, k, m = (draw(EXTENTS) for _ in "nkm")
    batch = _shape(draw, 0, 2)
    narrow = draw(st.booleans()) and len(batch) < 2  # the specification's broadcast_to has ranks up to 3
    a, b = (_narrowed(draw, batch) if narrow else batch for _ in "ab")
    left = draw(st.sampled_from([(*a, n, k), (k,)] if narrow else [(*a, n, k)]))
    right = draw(st.sampled_from([(*b, k, m), (k, m), (k,)] if narrow else [(*b, k, m)]))
    return Form([left, right], np.matmul(np.zeros(left), np.zeros(right)).shape)


def _linear(draw: Draw) -> Form:
    lead, i, o = _shape(draw, 0, 2), draw(EXTENTS), draw(EXTENTS)
    return Form([(*lead, i), (o, i), (o,)][: draw(st.sampled_from((3, 2)))], (*lead, o))


def _mse_loss(draw: Draw) -> Form:
    shape = _shape(draw, extents=FULL)
    return Form([shape, shape], ())


def _layer_norm(draw: Draw) -> Form:
    shape = (*_shape(draw, 0, 2), draw(st.sampled_from((1, 2, 3, 5))))
    return Form([shape, shape[-1:], shape[-1:]], shape, {"eps": draw(st.sampled_from((1e-5, 1.0, 1e-12)))})


def _reshape(draw: Draw) -> Form:
    shape = _shape(draw)
    out = draw(st.permutations([*shape, *draw(st.sampled_from(((), (1,))))]))
    out = draw(st.sampled_from((tuple(out), (prod(out),), *([(*out[:-2], out[-2] * out[-1])] if len(out) > 1 else []))))
    return Form([shape], out, {"shape": out})


def _broadcast_to(draw: Draw) -> Form:
    shape = _shape(draw)
    return Form([_narrowed(draw, shape)], shape, {"shape": shape})


def _concat(draw: Draw) -> Form:
    shape = _shape(draw, 1)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        part = list(shape)
        part[axis] = draw(EXTENTS)
        parts.append(tuple(part))
    return Form(parts, np.concatenate([np.zeros(s) for s in parts], axis).shape, {"axis": axis})


def _gather_rows(draw: Draw) -> Form:
    r, c = draw(EXTENTS), draw(EXTENTS)
    indices = np.array(draw(st.lists(st.integers(-2, r + 1), max_size=4)), draw(st.sampled_from((np.int64, np.int8))))
    return Form([(r, c)], (len(indices), c), {}, indices)


def _windows(draw: Draw, least_padding: Any) -> tuple[Shape, Shape, Shape, Shape, Shape]:
    """Kernel, stride, padding, input and output extents of two spatial axes."""
    axes = []
    for _ in range(2):
        kernel, stride = draw(FULL), draw(FULL)
        padding = draw(st.integers(0, least_padding(kernel)))
        extent = draw(st.integers(max(1, kernel - 2 * padding), 4))
        axes.append((kernel, stride, padding, extent, (extent + 2 * padding - kernel) // stride + 1))
    return tuple(zip(*axes, strict=True))  # type: ignore[return-value]


def _conv(draw: Draw) -> Form:
    kernel, stride, padding, extent, out = _windows(draw, lambda kernel: 2)
    lead, c, o = _shape(draw, 0, 1, st.sampled_from((1, 2, 0))), draw(FEW), draw(FEW)
    shapes = [(*lead, c, *extent), (o, c, *kernel), (o,)][: draw(st.sampled_from((3, 2)))]
    return Form(shapes, (*lead, o, *out), {"stride": stride, "padding": padding})


def _max_pool(draw: Draw) -> Form:
    kernel, stride, padding, extent, out = _windows(draw, lambda kernel: kernel - 1)
    lead = _shape(draw, 0, 2)
    return Form([(*lead, *extent)], (*lead, *out), {"kernel": kernel, "stride": stride, "padding": padding})


FORMS: dict[str, Callable[[Draw], Form]] = {
    **dict.fromkeys(("neg", "exp", "relu"), _unary),
    **dict.fromkeys(("add", "sub", "mul", "maximum"), _binary),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    "reduce_sum": _reduction,
    "reduce_mean": lambda draw: _reduction(draw, FULL),
    "matmul": _matmul,
    "linear": _linear,
    "mse_loss": _mse_loss,
    "layer_norm": _layer_norm,
    "reshape": _reshape,
    "broadcast_to": _broadcast_to,
    "concat": _concat,
    "gather_rows": _gather_rows,
    "conv": _conv,
    "max_pool": _max_pool,
}


def _numbers(dtype: Any) -> dict[str, Any]:
    """Ways to make a number, or a whole array from a seed."""
    info, width = np.finfo(dtype), cast(Literal[32, 64], 8 * np.dtype(dtype).itemsize)
    ties = [0.0, 1.0, -1.0, 2.0, -0.0, 0.5, -3.0]
    limit, small, root = float(info.max) / 4, float(info.smallest_subnormal), float(np.sqrt(info.max))
    sizes = (1000.0, 80.0, limit, small, float(info.tiny), root, 1 / root, 3 * small, 700.0)
    wide = [float(dtype(s * x)) for x in sizes for s in (1, -1)]
    return {
        "ties": st.sampled_from(ties),
        "seed": None,
        "near": st.floats(-8, 8, width=width),
        "wide": st.sampled_from(ties + wide),
        "any": st.floats(-limit, limit, width=width),
    }


NUMBERS = {np.dtype(t): _numbers(t) for t in (np.float64, np.float32)}
WAYS = ("ties", "wide", "seed", "")  # of a whole call; "": each array in its own way
ARRANGED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "{}": lambda x: x,
    "np.broadcast_to({}, {shape})": lambda x: np.broadcast_to(x, x.shape),  # read-only
    "np.asfortranarray({})": np.asfortranarray,
    "np.repeat({}, 2, axis=-1)[..., ::2]": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "np.flip(np.flip({}).copy())": lambda x: np.flip(np.flip(x).copy()),
}


def _array(draw: Draw, shape: Shape, dtype: Any, way: str) -> tuple[np.ndarray, str]:
    way, size = way or draw(st.sampled_from(list(NUMBERS[dtype]))), prod(shape)
    numbers = NUMBERS[dtype][way]
    if numbers is None:
        x = np.random.default_rng(draw(st.integers(0, 999))).normal(size=shape).astype(dtype)
    else:
        x = np.array(draw(st.lists(numbers, min_size=size, max_size=size)), dtype).reshape(shape)
    arrangement = draw(st.sampled_from(list(ARRANGED)[: None if shape else 2]))
    return ARRANGED[arrangement](x), arrangement.format(array_text(x), shape=shape)


@st.composite
def calls(draw: Draw, op: str, direction: str, way: str) -> Call:
    dtype = draw(st.sampled_from(list(NUMBERS)))
    form = FORMS[op](draw)
    arrays = [_array(draw, s, dtype, way) for s in form.shapes]
    along = {"forward": [], "jvp": form.shapes, "vjp": [form.out]}[direction]
    directions: list[tuple[Any, str]] = [_array(draw, s, dtype, way) for s in along]
    if form.indices is not None:
        arrays.append((form.indices, array_text(form.indices)))
        directions += [(None, "None")] if direction == "jvp" else []
    return Call(
        op,
        tuple(x for x, _ in arrays),
        form.attributes,
        tuple(d for d, _ in directions),
        form.out,
        tuple(t for _, t in (*arrays, *directions)),
    )


# ---------------------------------------------------------------- the three runs
def results(call: Call, direction: str, arrays: Sequence[Any], directions: Sequence[Any], pulls: int = 1) -> Arrays:
    """The arrays that the user gets, by name: those of the last pull. A cotangent of an integer array is left out."""
    f = call.function()
    if direction == "forward":
        return {"y": f(*arrays)}
    if direction == "jvp":
        y, dy = gradproof.jvp(f, tuple(arrays), tuple(directions))
        return {"y": y, "dy": dy}
    y, pullback = gradproof.vjp(f, *arrays)
    for _ in range(pulls):
        cotangents = pullback(*directions)
    return {"y": y} | {"g" + n: gx for n, gx in zip(call.names, cotangents, strict=True) if gx is not None}


@contextmanager
def objects_pass() -> Iterator[None]:
    """Object arrays are floats to the dtype gate; nothing else of the runtime looks at a dtype."""
    with patch.object(dtypes, "FLOATS", (*dtypes.FLOATS, np.object_)):
        yield


def on_pairs(call: Call, direction: str) -> Arrays:
    kind = PAIRS[call.dtype]

    def pairs(x: Any) -> Any:
        return kind.of(x) if x is not None and x.dtype.kind == "f" else x

    with objects_pass(), intercepting(kind):
        found = results(call, direction, [pairs(x) for x in call.arrays], [pairs(x) for x in call.directions])
    lift = kind.meanings.ufunc("lift")
    return {name: np.asarray(lift(np.asarray(x).view(np.ndarray)), dtype=object) for name, x in found.items()}


def exactly(call: Call, direction: str) -> Arrays:
    """Enclosures of the exact values at the current precision."""

    def enclosures(x: Any) -> Any:
        if x is None or x.dtype.kind != "f":
            return x
        values = np.empty(x.shape, dtype=object)
        for i in np.ndindex(*x.shape):
            values[i] = interval(float(x[i]))
        return values

    entry = {name: getattr(Specified, name) for name in ("evaluate", "jvp", "vjp")}
    with objects_pass(), patch.multiple(RuntimeOp, **entry):
        return results(call, direction, [enclosures(x) for x in call.arrays], [enclosures(x) for x in call.directions])


class Enclosures(Exact):
    """The domain of the exact values: intervals of running_error.iv."""

    number = staticmethod(interval)

    def function(self, name: str, x: Any) -> Any:
        return getattr(iv, name)(x)

    def reciprocal(self, x: Any) -> Any:
        if (abs(x) > 0) is not True:
            raise DivisionByZero if bool(x == 0) else Undecided
        return 1 / x

    def compare(self, op: str, a: Any, b: Any) -> bool:
        verdict = a < b if op == "value<" else a <= b if op == "value<=" else a == b
        if verdict is None:
            raise Undecided
        return bool(verdict)


class Specified:
    """The table entry, computed by the specification."""

    def evaluate(self: Any, inputs: Any, **attributes: Any) -> tuple[Any, None]:
        return _specified(self, inputs, attributes).array("forward", "g"), None

    def jvp(self: Any, tangents: Any, inputs: Any, out: Any, residual: Any, **attributes: Any) -> Any:
        return _specified(self, inputs, attributes, tangents).array("jvp", "g")

    def vjp(self: Any, g: Any, inputs: Any, out: Any, residual: Any, wanted: Any, **attributes: Any) -> tuple[Any, ...]:
        entry = _specified(self, inputs, attributes, g=g)
        return tuple(entry.array(n, n) if w else None for n, w in zip(entry.names, wanted, strict=True))


@dataclass
class Entry:
    """One call of a table entry as an instance of the specification."""

    link: Correspondence
    shapes: Mapping[str, tuple[int, ...]]
    environment: Environment

    @property
    def names(self) -> list[str]:
        return [t.name for t in self.link.case.inputs if t.name not in self.link.absent]

    def array(self, rule: str, tensor: str) -> Any:
        """What the rule gives for each element of a tensor, in the runtime's layout."""
        case, shape = self.link.case, self.shapes[tensor]
        name = case.output.name if tensor == "g" else tensor
        place = self.link.to_spec(name, np.arange(prod(shape)).reshape(shape))
        values = np.empty(prod(shape), dtype=object)
        for i in np.ndindex(*place.shape):
            self.environment.sizes.update(zip(case.index_names(tensor), i, strict=True))
            values[place[i]] = self.environment.scalar(rule_term(case, rule))
        return values.reshape(shape)


def _specified(op: Any, inputs: Any, attributes: Any, tangents: Any = None, g: Any = None) -> Entry:
    shapes = [x.shape for x in inputs]
    link = correspondence(op.name, shapes, attributes)
    case, zero = link.case, iv.mpf(0)
    present = [t for t in case.inputs if t.name not in link.absent]
    tensors: dict[str, Callable[..., Any]] = {n: lambda *i: zero for t in case.inputs for n in (t.name, "d" + t.name)}
    indices: dict[str, Callable[..., int]] = {}

    def reader(name: str, array: Any) -> Callable[..., Any]:
        laid_out = link.to_spec(name, array)
        return lambda *i: laid_out[i]

    for k, t in enumerate(present):
        if t.integer:
            indices[t.name] = reader(t.name, inputs[k])
            continue
        tensors[t.name] = reader(t.name, inputs[k])
        if tangents is not None and tangents[k] is not None:
            tensors["d" + t.name] = reader(t.name, tangents[k])
    if g is not None:
        tensors["g"] = reader(case.output.name, g)
    for name in case.op.positive:  # read as in a run on pairs: 1e-5 is the decimal
        tensors[name] = lambda n=name: interval(read_constant(attributes[n])[0])
    named = dict(zip((t.name for t in present), shapes, strict=True)) | {"g": op.shape(*shapes, **attributes)}
    return Entry(link, named, Environment(case, dict(link.sizes), tensors, indices, Enclosures()))


# ---------------------------------------------------------------- one example
@dataclass
class Tally:
    """What the examples of one obligation showed. An error in ulps of the result is large where terms cancel."""

    examples: int = 0
    values: int = 0
    no_claim: int = 0
    ratio: float = 0.0
    ulps: float = 0.0

    def data(self) -> dict[str, Any]:
        return {
            "examples": self.examples,
            "values": self.values,
            "no_claim": self.no_claim,
            "largest_ratio": float(f"{self.ratio:.3g}"),
            "largest_error_ulps": float(f"{self.ulps:.3g}"),
        }


def check_example(call: Call, direction: str, tally: Tally) -> None:
    tally.examples += 1
    with np.errstate(all="ignore"):
        got = observed(call, direction)
        try:
            pairs: Arrays | None = on_pairs(call, direction)
        except Undecided:
            pairs = None
        except Exception as error:
            text = f"{call.text(direction)}\n  its run on pairs raised {type(error).__name__}: {error}"
            raise Disagreement(text) from error
    for bits in PRECISIONS:
        iv.prec = bits
        try:
            exact = exactly(call, direction)
            if compare(call, direction, got, pairs, exact, tally):
                return
        except Undecided:
            continue
        finally:
            iv.prec = BITS
    raise Disagreement(f"{call.text(direction)}\n  {PRECISIONS[-1]} bits do not decide whether the bound is kept")


def fitting(value: Any, like: Any) -> Any:
    """In place of the runtime's `fitted`, which converts what a rule gives."""
    x = np.asarray(value)
    if (x.shape, x.dtype) != (like.shape, like.dtype):
        raise TypeError(f"a rule gives {x.dtype} {x.shape} where {like.dtype} {like.shape} belongs")
    return x


def observed(call: Call, direction: str) -> Arrays:
    """The results on floats, once shapes, dtypes, inputs and memory have been looked at."""
    given = [x for x in (*call.arrays, *call.directions) if x is not None]
    before = [x.tobytes() for x in given]
    try:
        with patch.object(tape, "fitted", fitting):
            got = results(call, direction, call.arrays, call.directions)
        again = results(call, direction, call.arrays, call.directions, pulls=2) if direction == "vjp" else got
    except Exception as error:
        raise Disagreement(f"{call.text(direction)}\n  raised {type(error).__name__}: {error}") from error

    def require(truth: bool, what: str) -> None:
        if not truth:
            raise Disagreement(f"{call.text(direction)}\n  {what}")

    require([x.tobytes() for x in given] == before, "changed one of its arguments")
    for name, x in got.items():
        require(isinstance(x, np.ndarray), f"{name} is a {type(x).__name__}, not an array")
        require(x.dtype == call.dtype, f"{name} has dtype {x.dtype}, must have {call.dtype}")
        expected = call.expected_shape(name)
        require(expected is None or x.shape == expected, f"{name} has shape {x.shape}, must have {expected}")
        require(x.flags.writeable, f"{name} is read-only")
        others = [*given, *(y for n, y in got.items() if n != name)]
        apart = not any(np.shares_memory(x, y) for y in others)
        require(apart, f"{name} shares memory with an argument or another result")
        require(x.tobytes() == again[name].tobytes(), f"{name} is another when the pullback is called again")
    return got


def compare(call: Call, direction: str, got: Arrays, pairs: Arrays | None, exact: Arrays, tally: Tally) -> bool:
    """Whether the enclosures were narrow enough to decide; raises Disagreement where a bound is exceeded."""
    found = Tally()
    no_excuse = call.op in NEVER_OVERFLOWS_FIRST[direction].split()
    for name, enclosures in exact.items():
        if name == "y" and direction != "forward":
            continue
        want = np.asarray(enclosures, dtype=object)
        for i in product(*map(range, want.shape)):
            pair, x, value = None if pairs is None else pairs[name][i], want[i], float(got[name][i])
            entry = f"{name}[{','.join(map(str, i))}]" if i else name
            found.values += 1
            if pair is None or not pair.claimed:
                found.no_claim += 1
                if no_excuse and (abs(x) < PAIRS[call.dtype].meanings.greatest_float) is not False:
                    raise Disagreement(_message(call, direction, entry, value, x, "none: an intermediate may overflow"))
                continue
            error, bound = abs(interval(value) - x) if np.isfinite(value) else iv.mpf("inf"), pair.e.b
            if (error > bound) is True:
                raise Disagreement(_message(call, direction, entry, value, x, f"{float(bound)!r}"))
            if (error <= bound) is not True:
                return False
            found.ratio = max(found.ratio, float((error.b / bound).b) if bound > 0 else 0.0)
            scale = max(abs(value), min(float(abs(x).b), float(np.finfo(call.dtype).max)))
            found.ulps = max(found.ulps, float(error.b) / float(np.spacing(call.dtype.type(scale))))
    tally.values += found.values
    tally.no_claim += found.no_claim
    tally.ratio, tally.ulps = max(tally.ratio, found.ratio), max(tally.ulps, found.ulps)
    return True


def _message(call: Call, direction: str, entry: str, value: float, exact: Any, bound: str) -> str:
    digits = iv.nstr(exact.mid, 20).strip("[]").split(",")[0]
    return "\n".join(
        [
            call.text(direction),
            "",
            f"{entry} in {call.dtype}",
            f"  result  {value!r}",
            f"  exact   {digits}",
            f"  bound   {bound}",
        ]
    )


# ---------------------------------------------------------------- the obligations
def fuzz(op: str, direction: str) -> Outcome:
    tally = Tally()
    if op not in FORMS:
        return _failed(op, direction, "there is no form of call for this op: add it to FORMS in link/floats.py", tally)

    def every(call: Call) -> None:
        check_example(call, direction, tally)

    configured = settings(
        max_examples=EXAMPLES * (20 if NIGHTLY else 1),
        derandomize=not NIGHTLY,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        for way in WAYS:
            configured(given(calls(op, direction, way))(every))()
    except Disagreement as found:
        return _failed(op, direction, str(found), tally)
    if tally.values <= 2 * tally.no_claim:
        return _failed(
            op, direction, f"only {tally.values - tally.no_claim} of {tally.values} values had a bound", tally
        )
    return Outcome(Verdict.TESTED, data=tally.data())


def check_table(op: str) -> Outcome:
    """Nan, infinities and signed zeros give what the table of the op declares, in both dtypes."""
    rows = TABLE.get(op, [])
    tally = Tally(examples=len(rows) * len(NUMBERS))
    missing = [d for d in CLAIMS if d not in {row.direction for row in rows}]
    if missing:
        text = f"nothing is declared for {', '.join(missing)}: add rows to link/nonfinite.py"
        return _failed(op, "nonfinite", text, tally)
    for row, dtype in product(rows, NUMBERS):
        try:
            check_row(op, row, dtype)
        except Disagreement as found:
            return _failed(op, "nonfinite", str(found), tally)
    return Outcome(Verdict.TESTED, data=tally.data())


def check_row(op: str, row: Row, dtype: Any) -> None:
    arrays, directions = (tuple(as_array(x, dtype) for x in given) for given in (row.inputs, row.directions))
    call = Call(op, arrays, row.attributes, directions, None, tuple(map(array_text, (*arrays, *directions))))
    with np.errstate(all="ignore"):
        got = observed(call, row.direction)
    names = [n for n in got if n != "y" or row.direction == "forward"]
    for name, gives in zip(names, row.gives, strict=True):
        x, want = got[name], np.array(gives, dtype)
        same = x.shape == want.shape and np.array_equal(x, want, equal_nan=True)
        if not same or (row.signed and np.any(np.signbit(x) != np.signbit(want), where=want == 0)):
            raise Disagreement(
                "\n".join(
                    [
                        call.text(row.direction),
                        "",
                        f"{name} in {dtype}",
                        f"  result    {x.tolist()}",
                        f"  declared  {want.tolist()}",
                    ]
                )
            )


def _failed(op: str, case: str, text: str, tally: Tally) -> Outcome:
    lines = [f"FAILED  float[{op}-{case}]", "", *(f"  {line}".rstrip() for line in text.splitlines())]
    return Outcome(Verdict.FAILED, "\n".join(lines), tally.data())


CLAIMS = {
    "forward": "|y - exact| <= running error bound",
    "jvp": "|dy - exact| <= running error bound",
    "vjp": "|gx - exact| <= running error bound, every input",
}


def obligations() -> Iterator[Obligation]:
    over = f"{EXAMPLES * len(WAYS)} derandomised examples, float32 and float64"
    for op in OPS:
        for direction, claim in CLAIMS.items():
            yield Obligation("float", op, direction, claim, over, partial(fuzz, op, direction))
        claim, over_rows = "nan, inf, -inf and -0.0 give what the op's table declares", "its rows, float32 and float64"
        yield Obligation("float", op, "nonfinite", claim, over_rows, partial(check_table, op))
