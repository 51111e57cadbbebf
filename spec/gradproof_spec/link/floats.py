"""The float obligations: the shipped functions, in float32 and float64, against the exact value of the specification.

Every example is one call of a public function, of jvp or of vjp, on arrays that Hypothesis makes (calls.py). It runs
three times:

    on floats                   as shipped
    on pairs (value, bound)     the same code; only the dtype gate lets objects pass: running_error.py gives the bound
    on enclosures               the same, with each entry of the op table replaced by the specification: the exact value

|float - exact| <= bound is required of every element for which there is a bound. Also required: shapes and dtypes,
unchanged inputs, results that share no memory with an input or with each other, a pullback that gives the same twice.
Nan, infinities and signed zeros are the subject of nonfinite.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import prod
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.ma  # loaded lazily by NumPy, which must not happen during a run on pairs
from hypothesis import HealthCheck, Phase, given, settings

import gradproof
from gradproof import dtypes, tape
from gradproof.op import Op as RuntimeOp

from ..evaluate import DivisionByZero, Environment, Exact, Undecided, enclosed
from ..obligations import Obligation, Outcome, Verdict
from ..op import OPS
from ..refute import rule_term
from ..symbolic import intercepting
from ..symbolic.meanings import read_constant
from .calls import FORMS, NEVER_OVERFLOWS_FIRST, NUMBERS, WAYS, Call, array_text, calls
from .cases import Correspondence, correspondence, file_of
from .nonfinite import TABLE, Row, as_array
from .running_error import BITS, PAIRS, interval, iv

NIGHTLY = os.environ.get("GRADPROOF_FUZZ") == "nightly"
EXAMPLES = 10  # for each of WAYS
PRECISIONS = (BITS, 4 * BITS, 16 * BITS)
Arrays = dict[str, Any]


class Disagreement(AssertionError):
    """What the report says of a failing example."""


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


def enclosures(x: Any) -> Any:
    """Floats as intervals; other arrays as they are."""
    if x is None or x.dtype.kind != "f":
        return x
    values = np.empty(x.shape, dtype=object)
    for i in np.ndindex(*x.shape):
        values[i] = interval(float(x[i]))
    return values


def exactly(call: Call, direction: str) -> Arrays:
    """Enclosures of the exact values at the current precision."""

    def run(entries: type[Specified]) -> Arrays:
        entry = {name: getattr(entries, name) for name in ("evaluate", "jvp", "vjp")}
        arrays, directions = [enclosures(x) for x in call.arrays], [enclosures(x) for x in call.directions]
        with objects_pass(), patch.multiple(RuntimeOp, **entry):
            return results(call, direction, arrays, directions)

    if direction != "forward":
        with suppress(OutputRead):
            return run(SpecifiedRules)
    return run(Specified)


class Enclosures(Exact):
    """The domain of the exact values: intervals of running_error.iv."""

    number = staticmethod(interval)

    def function(self, name: str, x: Any) -> Any:
        if name == "log" and (x > 0) is not True:
            raise Undecided if (x <= 0) is not True else DivisionByZero
        return enclosed(iv, name, x)

    def constant(self, name: str) -> Any:
        return +getattr(iv, name)

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


class OutputRead(Exception):
    """The output of one entry is the input of another: it has to be computed."""


UNREAD = object()


class SpecifiedRules(Specified):
    """The same without the output, which is compared in the direction `forward` only."""

    def evaluate(self: Any, inputs: Any, **attributes: Any) -> tuple[Any, None]:
        return np.full(self.shape(*(x.shape for x in inputs), **attributes), UNREAD), None


@dataclass
class Entry:
    """One call of a table entry as an instance of the specification."""

    link: Correspondence
    shapes: Mapping[str, tuple[int, ...]]
    environment: Environment

    @property
    def names(self) -> list[str]:
        return [t.name for t in self.link.passed]

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
    present = link.passed
    tensors: dict[str, Callable[..., Any]] = {n: lambda *i: zero for t in case.inputs for n in (t.name, "d" + t.name)}
    indices: dict[str, Callable[..., int]] = {}

    def reader(name: str, array: Any) -> Callable[..., Any]:
        laid_out = link.to_spec(name, array)

        def read(*i: int) -> Any:
            if laid_out[i] is UNREAD:
                raise OutputRead
            return laid_out[i]

        return read

    for k, t in enumerate(present):
        if t.integer:
            indices[t.name] = reader(t.name, inputs[k])
            continue
        tensors[t.name] = reader(t.name, inputs[k])
        if tangents is not None and tangents[k] is not None:
            tensors["d" + t.name] = reader(t.name, tangents[k])
    for name, x in link.drawn(attributes).items():
        tensors[name] = reader(name, enclosures(x))
    if g is not None:
        tensors["g"] = reader(case.output.name, g)
    for name in case.op.reals:  # read as in a run on pairs: 1e-5 is the decimal
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
    no_excuse = direction in NEVER_OVERFLOWS_FIRST.get(call.op, ())
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
        return _failed(op, direction, f"there is no form of call for this op: add it to {file_of(op)}", tally)

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
    moves = any(c.differentiable for c in OPS[op].cases)
    missing = [d for d in CLAIMS if (moves or d == "forward") and d not in {row.direction for row in rows}]
    if missing:
        text = f"nothing is declared for {', '.join(missing)}: add rows to {file_of(op)}"
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
            if direction != "forward" and not any(c.differentiable for c in OPS[op].cases):
                continue
            yield Obligation("float", op, direction, claim, over, partial(fuzz, op, direction))
        claim, over_rows = "nan, inf, -inf and -0.0 give what the op's table declares", "its rows, float32 and float64"
        yield Obligation("float", op, "nonfinite", claim, over_rows, partial(check_table, op))
