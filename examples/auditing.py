"""Audit a library's gradient rules with gradproof_spec.check: what is not about one library.

A library is a subclass of Case (how its function and its rules are called) and an Audit (its table and its page); its
script ends with sys.exit(main(AUDIT, sys.argv[1:])). See audit_autograd.py. The command is then

    python examples/audit_autograd.py                      # table and summary
    python examples/audit_autograd.py norm sort            # configurations whose text contains one of these words
    python examples/audit_autograd.py --mode jvp           # or vjp
    python examples/audit_autograd.py --jobs 2 --results r # two processes; verdicts are kept in the file r ...
    python examples/audit_autograd.py --results r norm     # ... and those of norm found anew
    python examples/audit_autograd.py --results r --missing --write  # the rest of them; and the page in docs/
    python examples/audit_autograd.py --results r --open             # those that were not decided once more

What is refuted is compared with finite differences in floats; so is what is proved, at random points and on a lattice
with ties. Exits with 1 if floats contradict a verdict.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import re
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gradproof_spec import check
from gradproof_spec.symbolic.user_code import PlainUserArray

DOCUMENTS = Path(__file__).resolve().parent.parent / "docs"
SECONDS = 20  # per configuration
POINTS = 3  # at which a proved rule is compared with finite differences
Arrays = dict[str, Any]
Shape = tuple[int, ...]
Input = tuple[Arrays, Any]  # arguments by name, and g or the tangents by name


# ---------------------------------------------------------------- a configuration
@dataclass(frozen=True)
class Real:
    """An argument: an array of any reals."""

    shape: Shape


@dataclass(frozen=True)
class Whole:
    """An argument: an array of integers low <= i < high, all of them tried; as Booleans if so said."""

    low: int
    high: int
    shape: Shape
    boolean: bool = False


def R(*shape: int) -> Real:
    return Real(shape)


@dataclass(frozen=True)
class Case:
    """One call f(*args, **kwargs), in which each Real and Whole stands for an argument. A library overrides original,
    cotangents, tangents, function and program; perhaps call."""

    primitive: Any
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""  # a condition on the arguments' names
    plain: Callable[..., Any] | None = None  # a function with the same derivative, where the original is not modelled
    spelled: str | None = None  # the call, where it is not written f(*args)
    mode: str = "vjp"  # or "jvp"

    # ---- the library's
    def original(self, args: tuple[Any, ...]) -> Any:
        """The function that the rule belongs to: an array or a tuple of them."""
        raise NotImplementedError

    def cotangents(self, args: tuple[Any, ...], g: Any, argnums: tuple[int, ...]) -> Sequence[Any]:
        """What the library's rule gives for these arguments; g is a tuple where original gives one."""
        raise NotImplementedError

    def tangents(self, args: tuple[Any, ...], given: Mapping[int, Any]) -> Any:
        """What the library's JVP rule gives; given: argument number -> tangent."""
        raise NotImplementedError

    def function(self) -> str:
        """Its name."""
        raise NotImplementedError

    def program(self, wrong: str, several: bool) -> tuple[str, str]:
        """First and last line of a program that prints the gradient in the argument `wrong`. Between them stand
        x = ...; g = ... (a list, if there are several results) or of a JVP dx = ..."""
        raise NotImplementedError

    def call(self) -> str:
        """The expression, of x, y, ..."""
        if self.spelled is not None:
            return self.spelled
        parts = [self.names.get(n) or shown(a) for n, a in enumerate(self.args)]
        return f"{self.function()}({', '.join(parts + [f'{k}={shown(v)}' for k, v in self.kwargs.items()])})"

    # ---- the same for all
    @cached_property
    def names(self) -> dict[int, str]:
        letters, integers = iter("xyzwuv"), iter("ijkl")
        return {n: next(letters if isinstance(a, Real) else integers)
                for n, a in enumerate(self.args) if isinstance(a, (Real, Whole))}

    @property
    def argnums(self) -> tuple[int, ...]:
        return tuple(n for n, a in enumerate(self.args) if isinstance(a, Real))

    def shapes(self) -> dict[str, Shape]:
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

    def value(self, *arrays: Any) -> Any:
        return self.original(self.filled(arrays))

    def forward(self, *arrays: Any) -> Any:
        return self.plain(*self.filled(arrays), **self.kwargs) if self.plain else self.value(*arrays)

    def answer(self, args: tuple[Any, ...]) -> Any:
        """The function's value as the rules get it: plain's on symbols."""
        on_symbols = self.plain and any(isinstance(x, PlainUserArray) for x in args)
        return self.plain(*args, **self.kwargs) if on_symbols and self.plain else self.original(args)

    def backward(self, g: Any, *arrays: Any) -> Any:
        found = tuple(self.cotangents(self.filled(arrays), g, self.argnums))
        return found if len(found) > 1 else found[0]

    def pushed(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        by_number = dict(zip(self.names, tangents, strict=True))
        return self.tangents(self.filled(primals), {n: by_number[n] for n in self.argnums})

    def inside(self, *arrays: Any) -> Any:
        return eval(self.domain, {"np": np}, dict(zip(self.shapes(), arrays, strict=True))) if self.domain else []

    def text(self) -> str:
        where = [f" where {self.domain}"] if self.domain else []
        jvp = [" (JVP)"] if self.mode == "jvp" else []
        return ", ".join([self.call(), *(f"{n} {shape}" for n, shape in self.shapes().items())]) + "".join(where + jvp)


def shown(a: Any) -> str:
    if isinstance(a, tuple) and any(isinstance(b, (slice, np.ndarray)) or b is None or b is Ellipsis for b in a):
        return ", ".join(map(shown, a))
    if isinstance(a, slice):
        return f"{'' if a.start is None else a.start}:{'' if a.stop is None else a.stop}" + (
            "" if a.step is None else f":{a.step}")
    if isinstance(a, np.ndarray):
        return f"np.array({a.tolist()})"
    if isinstance(a, float) and np.isinf(a):
        return "np.inf" if a > 0 else "-np.inf"
    return "..." if a is Ellipsis else a.__name__ if isinstance(a, type) else repr(a)


# ---------------------------------------------------------------- floats
def flat(results: Any) -> list[Any]:
    return [np.asarray(y) for y in (results if isinstance(results, (tuple, list)) else [results])]


def by_rule(c: Case, arrays: Arrays, direction: Any) -> dict[str, Any]:
    """What the library's rule gives on floats: gx, gy, ... or of a JVP dy (dy0, dy1, ...)."""
    values = [arrays[n] for n in c.shapes()]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if c.mode == "vjp":
            found = c.cotangents(c.filled(values), direction, c.argnums)
            return {f"g{c.names[n]}": np.asarray(part) for n, part in zip(c.argnums, found, strict=True)}
        given = {n: direction[c.names[n]] for n in c.argnums if c.names[n] in direction}
        return named(flat(c.tangents(c.filled(values), given)))


def named(parts: list[Any]) -> dict[str, Any]:
    return {"dy" if len(parts) == 1 else f"dy{k}": part for k, part in enumerate(parts)}


def outputs(c: Case, arrays: Arrays) -> list[Any]:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return flat(c.value(*(arrays[n] for n in c.shapes())))


def joined(parts: Iterable[Any]) -> Any:
    return np.concatenate([np.ravel(part).astype(float) for part in parts] or [np.zeros(0)])


def differences(c: Case, arrays: Arrays, direction: Any) -> dict[str, tuple[Any, Any]]:
    """What the rule must give and how exact that is, by differences with the step that is stablest."""
    here = outputs(c, arrays)
    names = [c.names[n] for n in c.argnums if c.mode == "vjp" or c.names[n] in direction]
    weights = joined(flat(direction)) if c.mode == "vjp" else None
    found = {}
    total, doubt = np.zeros_like(joined(here)), np.zeros_like(joined(here))
    for name in names:
        x = np.asarray(arrays[name], dtype=float)
        slope, error = np.zeros(x.shape), np.zeros(x.shape)
        for i in np.ndindex(*x.shape):
            if weights is not None:
                column, spread = partial_slopes(c, arrays, name, i, lambda y: np.array([weighted(weights, y)]))
                slope[i], error[i] = column[0], spread[0]
            elif (d := float(direction[name][i])) != 0:
                column, spread = partial_slopes(c, arrays, name, i, lambda y: y)
                total, doubt = total + d * column, doubt + abs(d) * spread
        found[f"g{name}"] = (slope, error)
    if weights is not None:
        return found
    ends = np.cumsum([y.size for y in here])[:-1]
    parts = [(a.reshape(y.shape), b.reshape(y.shape))
             for y, a, b in zip(here, np.split(total, ends), np.split(doubt, ends), strict=True)]
    return named(parts)


def weighted(weights: Any, y: Any) -> float:
    used = weights != 0
    return float(weights[used] @ y[used])


def partial_slopes(c: Case, arrays: Arrays, name: str, i: Shape, of: Callable[[Any], Any]) -> tuple[Any, Any]:
    """The slopes of `of` the outputs in one entry of one argument, and how exact they are."""
    here = of(joined(outputs(c, arrays)))
    slope, error = np.zeros(here.shape), np.full(here.shape, np.inf)
    for k in range(2, 8):
        h = 10.0**-k * (abs(float(arrays[name][i])) or 1.0)
        around = [of(joined(outputs(c, moved(arrays, name, i, s)))) for s in (h, -h, h / 2, -h / 2)]
        with np.errstate(all="ignore"):
            value, spread = slopes(around, here, h)
            better = spread < error
        slope, error = np.where(better, value, slope), np.where(better, spread, error)
    return slope, error


def moved(arrays: Arrays, name: str, index: Shape, step: float) -> Arrays:
    x = np.array(arrays[name], dtype=float)
    x[index] += step
    return {**arrays, name: x}


def slopes(values: list[Any], here: Any, h: float) -> tuple[Any, Any]:
    """From the values at h, -h, h/2 and -h/2; one-sided where the function ends."""
    wide = [(values[0] - here) / h, (here - values[1]) / h]
    fine = [2 * (values[2] - here) / h, 2 * (here - values[3]) / h]
    noise = 1e-15 * abs(here) / h
    left = np.isfinite(wide[1])
    sided, coarse = np.where(left, fine[1], fine[0]), np.where(left, wide[1], wide[0])
    both = np.isfinite(wide[0]) & left
    slope = np.where(both, (fine[0] + fine[1]) / 2, sided)
    spread = abs(fine[0] + fine[1] - wide[0] - wide[1]) / 2 + abs(fine[0] - fine[1]) / 20
    return slope, np.where(both, spread, abs(sided - coarse)) + noise


def disagreement(c: Case, arrays: Arrays, direction: Any) -> str:
    """How the library's rule and finite differences disagree at this input; "" if they agree."""
    try:
        given = by_rule(c, arrays, direction)
    except Exception as error:
        return f"the rule raises {told(error)}"
    for name, (slope, spread) in differences(c, arrays, direction).items():
        if name not in given:
            return f"{name} is missing: the rule gives {', '.join(given)}"
        if given[name].shape != slope.shape:
            return f"{name} has shape {given[name].shape}, must have {slope.shape}"
        wrong = ~(abs(given[name] - slope) <= 1e-5 * (1 + abs(slope)) + 20 * spread) & np.isfinite(slope)
        if wrong.any():
            i = tuple(int(k) for k in np.argwhere(wrong)[0])
            return (f"{name}{list(i) if i else ''} is {float(given[name][i]):.6g}, "
                    f"differences give {float(slope[i]):.6g}")
    return ""


def told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def kinked(c: Case, arrays: Arrays, direction: Any) -> bool:
    """Whether the slopes on the two sides differ, in some entry of an argument (of what g weighs, for a VJP)."""
    weights = joined(flat(direction)) if c.mode == "vjp" else None

    def of(values: Arrays) -> Any:
        y = joined(outputs(c, values))
        return y if weights is None else np.array([weighted(weights, y)])

    here = of(arrays)
    for n in c.argnums:
        name = c.names[n]
        for i in np.ndindex(*np.shape(arrays[name])):
            h = 1e-9 * (abs(float(arrays[name][i])) or 1.0)
            above = (of(moved(arrays, name, i, h)) - here) / h
            below = (here - of(moved(arrays, name, i, -h))) / h
            if (abs(above - below) > 1e-3 * (1 + abs(above))).any():
                return True
    return False


def random_inputs(c: Case, count: int, lattice: bool = False) -> Iterator[Input]:
    """In the domain, with a cotangent or tangents. On the lattice: of the numbers -1, 0, 1, 2, with ties."""
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
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            conditions = c.inside(*arrays.values())
            if not all(np.all(t) for t in (conditions if isinstance(conditions, list) else [conditions])):
                continue
            result = c.value(*arrays.values())
        results = flat(result)
        g = [np.asarray(rng.uniform(-1, 1, np.shape(y)).round(2)) for y in results]
        if all(np.isfinite(y).all() for y in results):
            direction: Any = tuple(g) if isinstance(result, (tuple, list)) else g[0]
            if c.mode == "jvp":
                reals = {c.names[n]: c.args[n].shape for n in c.argnums}
                direction = {n: np.asarray(rng.uniform(-1, 1, shape)).round(2) for n, shape in reals.items()}
            yield arrays, direction
            count -= 1
        if count == 0:
            return


# ---------------------------------------------------------------- one verdict
@dataclass(frozen=True)
class Found:
    """verdict: that of check; RAISES where the library's rule raises on every input, NOT IMPLEMENTED where it says so,
    AT A KINK where only this was refuted: that it gives nan for g = 0 where the function has no derivative."""

    case: Case
    verdict: str
    reason: str = ""
    assumptions: Sequence[str] = ()
    arrays: Arrays = field(default_factory=dict)
    direction: Any = None  # g, or the tangents by name
    floats: str = ""  # how the library and finite differences disagree there
    contradiction: bool = False
    compared: int = 0  # of a proved rule: points at which it was compared with differences

    @property
    def wrong(self) -> bool:
        return self.verdict in ("REFUTED", "RAISES")

    @property
    def decided(self) -> bool:
        return self.verdict in ("PROVED", "REFUTED", "RAISES", "NOT IMPLEMENTED", "AT A KINK")

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
KINDS = [VALUE, SHAPE, NOT_FINITE, RAISES]


class TooLong(BaseException):  # check turns an Exception of the functions into UNSUPPORTED
    pass


def too_long(*_: Any) -> None:
    raise TooLong


def judge(c: Case) -> Found:
    try:
        inputs = list(random_inputs(c, POINTS))
    except Exception as error:
        return Found(c, "NOT DECIDED", f"the forward raises {told(error)}")
    refused = refusal(c, inputs)
    if refused is not None:
        return refused
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    rule: dict[str, Any] = {"vjp": c.backward} if c.mode == "vjp" else {"jvp": c.pushed}
    try:
        domain = c.inside if c.domain else None
        result = check(c.forward, **rule, shapes=c.shapes(), integers=c.integers(), domain=domain)
    except TooLong:
        return Found(c, "NOT DECIDED", f"{SECONDS} s", floats=disagrees_somewhere(c, inputs))
    except Exception as error:
        text = f"the symbolic run raises {told(error)}"
        return Found(c, "UNSUPPORTED", text, floats=disagrees_somewhere(c, inputs))
    finally:
        signal.alarm(0)
    lines = [line.strip() for line in result.message.splitlines() if line.strip()]
    reason = "" if result.verdict == "PROVED" else lines[1]
    verdict = str(result.verdict)
    if verdict == "REFUTED":
        arrays = {n: np.asarray(result.counterexample[n]) for n in c.shapes() if n in result.counterexample}
        if len(arrays) < len(c.shapes()):  # of the wrong shape
            return refuted(c, reason, result.assumptions, *inputs[0], inputs)
        return refuted(c, reason, result.assumptions, arrays, direction_of(c, result.counterexample), inputs)
    smooth = smooth_lattice(c)
    floats = disagrees_somewhere(c, [*inputs, *smooth])
    contradiction = verdict == "PROVED" and bool(floats)
    return Found(c, verdict, reason, result.assumptions, floats=floats, contradiction=contradiction,
                 compared=len(inputs) + len(smooth))


def direction_of(c: Case, counterexample: Mapping[str, Any]) -> Any:
    if c.mode == "jvp":
        return {c.names[n]: np.asarray(counterexample[f"d{c.names[n]}"]) for n in c.argnums}
    gs = [x for n, x in counterexample.items() if n[:1] == "g" and n[1:].isdigit()]
    return np.asarray(counterexample["g"]) if "g" in counterexample else tuple(gs)


def parts_of(direction: Any) -> list[Any]:
    return list(direction.values()) if isinstance(direction, dict) else flat(direction)


def ones_like(direction: Any) -> Any:
    if isinstance(direction, dict):
        return {n: np.ones_like(part) for n, part in direction.items()}
    return tuple(map(np.ones_like, direction)) if isinstance(direction, tuple) else np.ones_like(direction)


def smooth_lattice(c: Case) -> list[Input]:
    return [given for given in random_inputs(c, 2 * POINTS, lattice=True) if not kinked(c, *given)]


def refuted(c: Case, reason: str, assumptions: Sequence[str], arrays: Arrays, direction: Any,
            inputs: Sequence[Input]) -> Found:  # fmt: skip
    """Reproduced in floats; with g = 1 where check found g = 0, and at another point where this one is a kink."""
    floats = disagreement(c, arrays, direction)
    if not any(np.any(part) for part in parts_of(direction)):
        ones = ones_like(direction)
        if not kinked(c, arrays, ones):
            direction, floats = ones, disagreement(c, arrays, ones)
        else:
            others = [*inputs, *smooth_lattice(c)]
            wrong = [(other, text) for other in others if (text := disagreement(c, *other))]
            if not wrong:
                return Found(c, "AT A KINK", reason, assumptions, arrays, direction, floats)
            (arrays, direction), floats = wrong[0]
    return Found(c, "REFUTED", reason, assumptions, arrays, direction, floats, not floats)


def disagrees_somewhere(c: Case, inputs: Sequence[Input]) -> str:
    return next((found for arrays, d in inputs if (found := disagreement(c, arrays, d))), "")


def refusal(c: Case, inputs: Sequence[Input]) -> Found | None:
    """Where the rule raises on floats, at every input."""
    first = None
    for arrays, direction in inputs:
        try:
            by_rule(c, arrays, direction)
            return None
        except (NotImplementedError, AssertionError) as error:
            return Found(c, "NOT IMPLEMENTED", f"it says so: {str(error) or 'an assertion'}")
        except Exception as error:
            if isinstance(error, TypeError) and re.search("unexpected keyword|positional argument", str(error)):
                return Found(c, "NOT IMPLEMENTED", "the rule does not take this argument")
            first = first or Found(c, "RAISES", told(error), (), arrays, direction, told(error))
    return first


# ---------------------------------------------------------------- a reproduction
def repr_array(x: Any) -> str:
    text = re.sub("(nan|inf)", r"np.\1", repr(np.asarray(x).tolist()))
    return f"np.array({text})"


def reproduction(found: Found) -> list[str]:
    """Three lines with the library and NumPy: imports, input, gradient."""
    c, wrong = found.case, wrong_argument(found)
    several = isinstance(found.direction, tuple)
    first, last = c.program(wrong, several)
    booleans = {c.names[n] for n in c.names if isinstance(c.args[n], Whole) and c.args[n].boolean}
    given = [f"{n} = {repr_array(x) + ('.astype(bool)' if n in booleans else '')}" for n, x in found.arrays.items()]
    if c.mode == "jvp":
        given.append(f"d{wrong} = {repr_array(found.direction[wrong])}")
    else:
        g = found.direction
        given.append(f"g = [{', '.join(map(repr_array, g))}]" if several else f"g = {repr_array(g)}")
    return [first, "; ".join(given), last]


def replayed(found: Found) -> tuple[str, bool]:
    """What the last line prints or raises, and whether that is wrong."""
    printed: list[Any] = []
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec("\n".join(reproduction(found)), {"print": printed.append})
    except Exception as error:
        return f"raises {told(error)}", True
    value, right = printed[0], right_value(found)
    fits = value is not None and len(flat(value)) == len(right) and all(
        a.shape == b.shape and np.allclose(a.astype(float), b, rtol=1e-4, atol=1e-4, equal_nan=True)
        for a, b in zip(flat(value), right, strict=True))
    return f"prints {line(value)}", not fits


def line(value: Any) -> str:
    return " ".join(str(value).split())


def right_value(found: Found) -> list[Any]:
    """The derivative in the argument in which the rule is wrong, by differences."""
    wrong = wrong_argument(found)
    if found.case.mode == "vjp":
        right = [differences(found.case, found.arrays, found.direction)[f"g{wrong}"][0]]
    else:
        alone = {wrong: found.direction[wrong]}
        right = [slope for slope, _ in differences(found.case, found.arrays, alone).values()]
    return [np.round(y, 6) + 0.0 for y in right]


def right_text(found: Found) -> str:
    right = right_value(found)
    return line(right[0] if len(right) == 1 else right)


def wrong_argument(found: Found) -> str:
    c = found.case
    names = [c.names[n] for n in c.argnums]
    if c.mode == "jvp":
        alone = {n: disagreement(c, found.arrays, {n: found.direction[n]}) for n in names}
        return next((n for n in names if alone[n]), names[0])
    if found.verdict == "RAISES":  # the rules of the arguments one by one
        return next((c.names[n] for n in c.argnums if raises_alone(found, n)), names[0])
    return next((n for n in names if f"g{n} " in found.floats or f"g{n}[" in found.floats), names[0])


def raises_alone(found: Found, argnum: int) -> bool:
    c = found.case
    try:
        list(c.cotangents(c.filled([found.arrays[n] for n in c.shapes()]), found.direction, (argnum,)))
        return False
    except Exception:
        return True


# ---------------------------------------------------------------- a page
@dataclass(frozen=True)
class Audit:
    library: str  # as its own page calls it
    script: str  # examples/...
    document: Path
    packages: tuple[str, ...]  # whose versions count
    table: Callable[[], Sequence[Case]]
    preface: str = ""  # what is called, in a few lines
    notes: Mapping[str, str] = field(default_factory=dict)  # "function" or "function|function: pattern in the call,
    # shapes, (JVP) or reason" -> what is wrong, in a line. Configurations with the same line are one fault.
    untried: Callable[[Sequence[Found]], str] | None = None  # which rules have no configuration

    def versions(self) -> str:
        return ", ".join(f"{name} {version(name)}" for name in self.packages)


def rules_of(found: Sequence[Found]) -> int:
    return len({(f.case.primitive, n, f.case.mode) for f in found for n in f.case.argnums})


MEANINGS = {
    "PROVED": "the rule gives the derivative for all reals, off the ties where there is none",
    "REFUTED": "an input at which it does not; finite differences of the function agree with that",
    "RAISES": "the rule raises at every input, where the function is differentiable",
    "NOT IMPLEMENTED": "the library says so, or its rule does not take the argument",
    "AT A KINK": "nan for g = 0 where the function has no derivative: not counted as wrong",
    "UNKNOWN": "neither was shown",
    "UNSUPPORTED": "not modelled on symbols",
    "VACUOUS": "the function has no value that is modelled on the domain",
    "NOT DECIDED": "stopped",
}


def title(c: Case) -> str:
    return c.function() + (" (JVP)" if c.mode == "jvp" else "")


def grouped(found: Iterable[Found], key: Callable[[Found], str] = lambda f: title(f.case)) -> dict[str, list[Found]]:
    groups: dict[str, list[Found]] = {}
    for f in found:
        groups.setdefault(key(f), []).append(f)
    return groups


def percent(found: Sequence[Found]) -> str:
    return f"{100 * sum(f.decided for f in found) / max(1, len(found)):.1f} %"


def first_words(reason: str) -> str:
    """The reason without the numbers in it."""
    head = re.sub(r"^[gd][w-z]\d?(\[[^]]*\])? ", "", reason).removeprefix("what the symbolic run does not model: ")
    head = re.split(r" is not  |(?<=\)): |: 1/|, not x|: write it", head)[0]
    return head if len(head) <= 150 else f"{head[:147]}..."


def summary(found: Sequence[Found]) -> list[str]:
    modes = [m for m in ("vjp", "jvp") if any(f.case.mode == m for f in found)]
    of = {m: [f for f in found if f.case.mode == m] for m in modes}
    heads = {"vjp": "VJP", "jvp": "JVP"}
    counts = {m: Counter(f.verdict for f in of[m]) for m in modes}
    return [
        f"| verdict | {' | '.join(heads[m] for m in modes)} | means |", f"|---|{'---:|' * len(modes)}---|",
        *(f"| {v} | {' | '.join(str(counts[m][v]) for m in modes)} | {meaning} |"
          for v, meaning in MEANINGS.items() if any(counts[m][v] for m in modes)),
        f"| configurations | {' | '.join(str(len(of[m])) for m in modes)} | |",
        f"| functions | {' | '.join(str(len({f.case.primitive for f in of[m]})) for m in modes)} | |",
        f"| rules | {' | '.join(str(rules_of(of[m])) for m in modes)} | function and argument |",
        f"| decided | {' | '.join(percent(of[m]) for m in modes)} | the first five verdicts |", "",
    ]


def table_of(found: Sequence[Found]) -> list[str]:
    modes = [m for m in ("vjp", "jvp") if any(f.case.mode == m for f in found)]
    columns = [f"{m.upper()} | proved | wrong | not implemented | open" for m in modes]
    text = [f"| function | {' | '.join(columns)} |", f"|---|{'---:|' * 5 * len(modes)}"]
    for name, cases in grouped(found, lambda f: f.case.function()).items():
        counts: list[int] = []
        for m in modes:
            of = [f for f in cases if f.case.mode == m]
            row = [len(of), sum(f.verdict == "PROVED" for f in of), sum(f.wrong for f in of),
                   sum(f.verdict == "NOT IMPLEMENTED" for f in of)]
            counts += [*row, row[0] - sum(row[1:])]
        text.append(f"| {name} | {' | '.join(str(n or '') for n in counts)} |")
    return [*text, ""]


def note_of(audit: Audit, f: Found) -> str:
    for key, note in audit.notes.items():
        functions, _, pattern = key.partition(": ")
        if re.fullmatch(functions, f.case.function()) and re.search(pattern, f"{f.case.text()}, {f.reason}"):
            return note
    return ""


def faults(audit: Audit, wrong: Sequence[Found]) -> list[list[Found]]:
    """The configurations of each, worst first."""
    groups = grouped(wrong, lambda f: note_of(audit, f) or f"{title(f.case)}: {f.kind()}").values()
    return [sorted(group, key=lambda f: KINDS.index(f.kind())) for group in groups]


def fault(audit: Audit, cases: Sequence[Found]) -> list[str]:
    f, note = cases[0], note_of(audit, cases[0])
    printed, confirmed = replayed(f)
    right = f"; must be {right_text(f)}"
    if not confirmed:
        right += " (right through the public function: only the rule by itself is wrong)"
    text = [f"**{', '.join(sorted(grouped(cases)))}**: {note or first_words(f.reason)}", "", "```py",
            *reproduction(f), f"# {printed}{right}", "```", ""]
    return [*text, f"All: {', '.join(f'`{g.case.text()}`' for g in cases)}.", ""] if len(cases) > 1 else text


def document(audit: Audit, found: Sequence[Found]) -> str:
    proved, wrong = [f for f in found if f.verdict == "PROVED"], [f for f in found if f.wrong]
    found_faults = faults(audit, wrong)
    unconfirmed = sum(f.contradiction and f.verdict == "REFUTED" for f in found)
    false = sum(f.contradiction for f in proved)
    written = list(dict.fromkeys(f.case.function() for f in found if f.case.plain is not None))
    ties = sum(any("not differentiable" in a for a in f.assumptions) for f in proved)
    text = [
        f"# Audit of {audit.library}", "",
        f"`python {audit.script} --write` makes this page; [audits](audits.md) says how verdicts are found.",
        *audit.preface.splitlines(), "",
        f"{audit.versions()}. Refuted, and not confirmed by floats: {unconfirmed}. Proved, and contradicted by floats: "
        f"{false}, at {sum(f.compared for f in proved)} points.", "",
        *summary(found),
        f"{ties} of the proved ones leave out ties at which the function has no derivative. What stands after `where`",
        "is the domain: where the function is differentiable, or off the point at which the rule was refuted.",
        *([f"Written out in the script, as `check` does not model them: {', '.join(written)}."] if written else []), "",
        f"## Wrong: {len(found_faults)} faults, {len(wrong)} configurations of {len(grouped(wrong))} functions", "",
    ]
    for kind in KINDS:
        of_kind = [cases for cases in found_faults if cases[0].kind() == kind]
        if of_kind:
            text += [f"### {kind[0].upper()}{kind[1:]}: {len(of_kind)}", ""]
        for cases in of_kind:
            text += fault(audit, cases)
    text += ["## Not decided, not implemented", ""]
    rest = [f for f in found if f.verdict != "PROVED" and not f.wrong]
    for reason, cases in sorted(grouped(rest, lambda f: f"{f.verdict}: {first_words(f.reason)}").items()):
        bad = [g for g in cases if g.floats and g.verdict != "AT A KINK"]
        text += [f"- {reason} ({', '.join(f'{n} {len(fs)}' for n, fs in grouped(cases).items())})"
                 + "".join(f". Floats disagree: `{g.case.text()}`: {g.floats}" for g in bad)]
    if audit.untried is not None:
        text += ["", f"Not tried: {audit.untried(found)}."]
    text += ["", "## All functions", "", *table_of(found)]
    return "\n".join(text).rstrip() + "\n"


# ---------------------------------------------------------------- the command
CASES: list[Case] = []  # what the processes share


def judge_number(n: int) -> Found:
    began = time.monotonic()
    f = judge(CASES[n])
    took = f"  {time.monotonic() - began:.0f} s" if time.monotonic() - began > 5 else ""
    note = "  CONTRADICTED BY FLOATS" if f.contradiction else ""
    reason, floats = f"  {f.reason}" if f.reason else "", f"  [floats: {f.floats}]" if f.floats else ""
    print(f"{f.verdict:<16}{CASES[n].text()}{reason}{floats}{note}{took}", flush=True)
    return replace(f, case=None)  # type: ignore[arg-type]  # a case has lambdas: it stays in its process


def judged(numbers: Sequence[int], jobs: int) -> Iterator[tuple[int, Found]]:
    if jobs == 1:
        yield from ((n, judge_number(n)) for n in numbers)
        return
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=50) as pool:
        yield from zip(numbers, pool.imap(judge_number, numbers), strict=True)


def main(audit: Audit, arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=f"Audit the gradient rules of {audit.library}.")
    parser.add_argument("words", nargs="*", help="configurations whose text contains one of these; else all")
    parser.add_argument("--mode", choices=("vjp", "jvp"), help="only these rules")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--results", type=Path, help="a file that keeps verdicts, read and written")
    parser.add_argument("--missing", action="store_true", help="only what the results do not have ...")
    parser.add_argument("--open", action="store_true", help="... or do not decide")
    parser.add_argument("--write", action="store_true", help=f"write docs/{audit.document.name}")
    options = parser.parse_args(arguments)
    CASES[:] = {c.text(): c for c in audit.table()}.values()
    kept: dict[str, Found] = {}
    if options.results is not None and options.results.exists():
        kept = pickle.loads(options.results.read_bytes())
    numbers = [n for n, c in enumerate(CASES) if options.mode in (None, c.mode)
               and (not options.words or any(w in c.text() for w in options.words))
               and not (options.missing and c.text() in kept)
               and not (options.open and c.text() in kept and kept[c.text()].decided)]
    new: list[Found] = []
    for n, f in judged(numbers, options.jobs):
        new.append(replace(f, case=CASES[n]))
        kept[CASES[n].text()] = f
        if options.results is not None and (len(new) % 20 == 0 or len(new) == len(numbers)):
            options.results.write_bytes(pickle.dumps(kept))
    found = [replace(kept[c.text()], case=c) for c in CASES if c.text() in kept]
    told_of = found if options.results is not None else new
    print("", audit.versions(), *summary(told_of), sep="\n")
    contradicted = [f for f in told_of if f.contradiction]
    print(f"contradicted by floats: {len(contradicted)}", *(f.case.text() for f in contradicted), sep="\n  ")
    if options.write:
        if len(found) < len(CASES):
            parser.error(f"--write: {len(CASES) - len(found)} configurations have no verdict; use --results --missing")
        audit.document.write_text(document(audit, found))
    return 1 if contradicted else 0
