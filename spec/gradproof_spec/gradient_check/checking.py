"""TRUSTED. check: is a gradient that somebody wrote the derivative of what they wrote?

The forward and the backward function run on symbols, on every path. The derivative is taken of the forward's terms;
what the backward gives is compared with it, entry by entry, for all reals in the domain. Before that, inputs are tried
at which the two may differ; what is REFUTED has been reproduced in floats.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import mpmath
import numpy as np

from ..obligations import Verdict
from ..solver import Solver
from ..symbolic import Unsupported, explore, symbols
from ..symbolic.comparison import Comparison, Different, is_zero
from ..symbolic.user_code import UserArray, scalar_symbol
from ..terms import (
    FALSE,
    ONE,
    ZERO,
    Condition,
    Scalar,
    Term,
    access,
    conjunction,
    conjuncts,
    equal,
    replace,
    subterms,
    to_condition,
)
from .evaluation import DIGITS, MANY_DIGITS, Pair, Point, elements
from .points import Arrays, candidates, tied_values
from .programs import Program, ResultsDiffer, Undecided, expanded, run
from .reference import gradient, postorder, weighted
from .result import SCRIPT, Result, lines, place_of, sources_of, text_of
from .ties import Kind, Tie, compound_conditions, interior, is_smooth, pairs_of, settled

MOST_INTEGERS = 300  # assignments of the integer arguments
MOST_POINTS = 160
MOVED_DIGITS = 150
MOST_COMPARED = 12  # at which floats and terms are compared
MOST_TIED = 5  # pairs tied at one point: 2 ** 5 ways to leave it
MOST_SPLITS, RLIMIT = 120, 100_000  # per entry; per query
MOST_VALUES = 1_500_000  # of subterms at points, per search
LARGEST, LEAST = 1e300, 1e-300  # what floats can show
RELATIVE = mpmath.mpf(10) ** -14  # two values of one expression that differ by less are one, up to constants' rounding
UNIVERSAL = ("real", "positive")
G = "g"


class CheckError(ValueError):
    """The check is asked for in a way that makes no sense."""


@dataclass(frozen=True)
class Question:
    """What is asked."""

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    way: str  # "vjp", "jvp" or "none"
    shapes: dict[str, tuple[int, ...]]
    params: dict[str, Any]
    integers: dict[str, tuple[int, int]]
    domain: Callable[..., Any] | None
    residuals: bool
    surrogate: Callable[..., Any] | None

    @property
    def floats(self) -> list[str]:
        return [n for n in self.shapes if n not in self.integers]

    def numbers(self) -> dict[str, Any]:
        return {n: v for n, v in self.params.items() if v not in UNIVERSAL}

    def universal(self) -> dict[str, str]:
        return {n: v for n, v in self.params.items() if isinstance(v, str) and v in UNIVERSAL}

    def name(self) -> str:
        return str(getattr(self.forward, "__name__", "forward"))

    # One way to call each function, on symbols or on floats.

    def arguments(self, arrays: Mapping[str, Any]) -> list[Any]:
        return [arrays[n] for n in self.shapes]

    def keywords(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        return {n: arrays[n] if n in self.universal() else v for n, v in self.params.items()}

    def outputs(self, arrays: Mapping[str, Any], function: Callable[..., Any] | None = None) -> list[Any]:
        result = (function or self.forward)(*self.arguments(arrays), **self.keywords(arrays))
        if self.residuals and function is None:
            result = result[0]
        return list(result) if isinstance(result, (tuple, list)) else [result]

    def cotangents(self, arrays: Mapping[str, Any], g: Sequence[Any], single: bool) -> list[Any]:
        """One per float argument; of a JVP, the tangents of the outputs."""
        assert self.backward is not None
        arguments, keywords = self.arguments(arrays), self.keywords(arrays)
        if self.way == "jvp":
            tangents = [arrays[f"d{n}"] if n not in self.integers else None for n in self.shapes]
            result = self.backward(tuple(arguments), tuple(tangents), **keywords)
            return list(result) if isinstance(result, (tuple, list)) else [result]
        given = g[0] if single else tuple(g)
        if self.residuals:
            _, kept = self.forward(*arguments, **keywords)
            result = self.backward(kept, given)
        else:
            result = self.backward(given, *arguments, **keywords)
        found = list(result) if isinstance(result, (tuple, list)) else [result]
        if len(found) == len(self.shapes) != len(self.floats):
            found = [x for n, x in zip(self.shapes, found, strict=True) if n not in self.integers]
        if len(found) != len(self.floats):
            raise ResultsDiffer(f"it returns {len(found)} cotangents for {len(self.floats)} float arguments")
        return found


@dataclass
class Checked:
    """The terms of a question, for one assignment of its integers."""

    question: Question
    integers: dict[str, Any]
    symbols: dict[str, Any]  # every float array by name: arguments, universal parameters, cotangents, tangents
    hypotheses: list[Condition]
    solver: Solver
    forward: Program
    outputs: list[Scalar] = field(default_factory=list)  # of the surrogate, if there is one
    got: list[tuple[str, Any]] = field(default_factory=list)  # name of the result, its terms
    want: list[Any] = field(default_factory=list)
    backward_needs: list[tuple[str, Condition]] = field(default_factory=list)
    jumps: list[Condition] = field(default_factory=list)  # off the points where the forward has a value of its own
    assumptions: list[str] = field(default_factory=list)
    jumping: list[Tie] = field(default_factory=list)
    weights: list[Scalar] = field(default_factory=list)  # one per output
    slopes: list[Scalar] = field(default_factory=list)  # the outputs' derivatives, so weighted


# ---------------------------------------------------------------- symbols and domains
def symbolic_arrays(question: Question) -> dict[str, Any]:
    found = {n: symbols(n, question.shapes[n], UserArray) for n in question.floats}
    found |= {n: scalar_symbol(n) for n in question.universal()}
    if question.way == "jvp":
        found |= {f"d{n}": symbols(f"d{n}", question.shapes[n], UserArray) for n in question.floats}
    return found


def conditions_of(question: Question, arrays: Mapping[str, Any]) -> list[Condition]:
    """The domain, and the signs of positive parameters."""
    found: list[Condition] = [access(n) > 0 for n, kind in question.universal().items() if kind == "positive"]
    if question.domain is None:
        return found

    def run_domain() -> list[Any]:
        told = question.domain(*question.arguments(arrays), **question.keywords(arrays))  # type: ignore[misc]
        parts = told if isinstance(told, (list, tuple)) else [told]
        return [np.asarray(part) for part in parts]

    exploration = explore(run_domain, users=True)
    if not exploration.complete:
        raise Undecided(f"the domain: {exploration.reason}")
    inside = FALSE
    for path in exploration.paths:
        holds = conjunction(path.conditions)
        for part in path.result:
            for c in np.asarray(part, dtype=object).view(np.ndarray).ravel():
                if not isinstance(c, (bool, np.bool_, Condition)):
                    raise CheckError(f"domain gives {c!r}: return conditions, such as x > 0")
                holds = holds & (c if isinstance(c, Condition) else to_condition(bool(c)))
        inside = inside | holds
    return [*found, *conjuncts(inside)]


def assignments(question: Question) -> Iterator[dict[str, Any]]:
    """Every value of the integer arguments, those first in which indices coincide."""
    names = list(question.integers)
    sizes = [prod(question.shapes[n]) for n in names]
    ranges = [range(*question.integers[n]) for n, size in zip(names, sizes, strict=True) for _ in range(size)]
    if prod(map(len, ranges)) > MOST_INTEGERS:
        raise Undecided(f"the integer arguments have {prod(map(len, ranges))} values; at most {MOST_INTEGERS}")
    for values in itertools.product(*ranges):
        found, at = {}, 0
        for n, size in zip(names, sizes, strict=True):
            found[n] = np.array(values[at : at + size], dtype=np.int64).reshape(question.shapes[n])
            found[n].flags.writeable = False
            at += size
        yield found


# ---------------------------------------------------------------- one assignment
def prepare(question: Question, integers: dict[str, Any]) -> Checked | Result:
    """Run everything on symbols. A Result where that already decides."""
    solver = Solver(rlimit=RLIMIT)
    arrays = symbolic_arrays(question)
    every = {**arrays, **integers}
    hypotheses = conditions_of(question, every)
    if FALSE in hypotheses or (hypotheses and solver.satisfiable(hypotheses) is False):
        return told(question, Verdict.VACUOUS, "no input is in the domain", [])
    forward = run(lambda: question.outputs(every), hypotheses, solver, unused=False)
    checked = Checked(question, integers, arrays, hypotheses, solver, forward)
    base = forward
    if question.surrogate is not None:
        base = run(lambda: question.outputs(every, question.surrogate), hypotheses, solver, unused=False)
        if [x.shape for x in base.results] != [x.shape for x in forward.results]:
            raise CheckError("the surrogate's results have other shapes than the forward's")
        checked.assumptions.append(f"the derivative is that of the surrogate {question.surrogate.__name__}")
    if any(x is None for x in base.results):
        raise CheckError("the forward returns None")
    for kind, condition in base.needs:
        checked.hypotheses.append(condition)
        checked.assumptions.append(f"where the forward is defined ({kind}): {condition}")
    if base.needs and solver.satisfiable(checked.hypotheses) is False:
        return told(question, Verdict.VACUOUS, "the forward is defined nowhere in the domain", [])
    checked.outputs = base.terms()
    for n, kind in question.universal().items():
        checked.assumptions.append(f"{n} is any {'positive ' if kind == 'positive' else ''}real number")
    read_as(checked, base)
    return checked


def read_as(checked: Checked, program: Program) -> None:
    for written, meant in sorted(program.decimals.items()):
        line = f"the constant {written} is read as {meant}"
        if line not in checked.assumptions and str(meant) != written:
            checked.assumptions.append(line)


def run_backward(checked: Checked) -> Result | None:
    question = checked.question
    shapes = [x.shape for x in checked.forward.results]
    g = [symbols(G if len(shapes) == 1 else f"g{k}", shape, UserArray) for k, shape in enumerate(shapes)]
    if question.way == "vjp":
        checked.symbols |= {G if len(shapes) == 1 else f"g{k}": x for k, x in enumerate(g)}
    every = {**checked.symbols, **checked.integers}
    program = run(lambda: question.cotangents(every, g, len(g) == 1), checked.hypotheses, checked.solver)
    read_as(checked, program)
    of_jvp = ["dy"] if len(shapes) == 1 else [f"dy{k}" for k in range(len(shapes))]
    names = question.floats if question.way == "vjp" else of_jvp
    expected = [question.shapes[n] for n in question.floats] if question.way == "vjp" else shapes
    prefix = G if question.way == "vjp" else ""
    for n, array, shape in zip(names, program.results, expected, strict=True):
        if array is None:
            text = f"{prefix}{n} is None but must be an array of shape {shape}."
            return told(question, Verdict.REFUTED, text, checked)
        if array.shape != shape:
            return told(question, Verdict.REFUTED, f"{prefix}{n} has shape {array.shape}, must have {shape}.", checked)
        checked.got.append((f"{prefix}{n}", array))
    checked.outputs, jumps = settled(checked.outputs, checked.hypotheses, checked.solver)
    for pair in jumps:
        tie = Tie(pair, Kind.KINK)
        checked.jumps.append(tie.off)
        checked.jumping.append(tie)
        how = "compared with differences, not proved" if question.way == "vjp" else "neither proved nor compared"
        text = f"where the forward has a value of its own: there {how}"
        checked.assumptions.append(f"off {tie}, {text}")
    variables = [t for n in question.floats for t in plain(checked.symbols[n]).ravel()]
    if question.way == "vjp":
        weights = [t for x in g for t in plain(x).ravel()]
        slopes = gradient(weighted(checked.outputs, weights), variables)
        checked.want = [filled(plain(checked.symbols[n]), slopes) for n in question.floats]
    else:
        tangents = [t for n in question.floats for t in plain(checked.symbols[f"d{n}"]).ravel()]
        at = 0
        for shape in shapes:
            want = np.empty(shape, dtype=object)
            for i in np.ndindex(*shape):
                slopes = gradient(checked.outputs[at], variables)
                want[i] = weighted([slopes[x] for x in variables], tangents)
                at += 1
            checked.want.append(want)
    checked.weights = [access(f"weight {k}") for k in range(len(checked.outputs))]
    checked.slopes = list(gradient(weighted(checked.outputs, checked.weights), variables).values())
    checked.backward_needs = program.needs
    return None


def plain(array: Any) -> Any:
    """The array without its class: its elements are terms."""
    return array.view(np.ndarray)


def filled(array: Any, values: Mapping[Scalar, Scalar]) -> Any:
    result = np.empty(array.shape, dtype=object)
    for i in np.ndindex(*array.shape):
        result[i] = values[array[i]]
    return result


# ---------------------------------------------------------------- counterexamples
def search(checked: Checked) -> Result | None:
    """An input at which the given gradient is not the derivative, which exists there; reproduced in floats."""
    got = [t for _, array in checked.got for t in array.ravel()]
    want = [t for array in checked.want for t in array.ravel()]
    pairs = pairs_of([*checked.outputs, *got])
    shapes = {n: x.shape for n, x in checked.symbols.items()}

    def inside(arrays: Arrays) -> bool:
        values = elements(arrays, terms_of(checked))
        return all(Point(values).evaluate(checked.hypotheses)) if checked.hypotheses else True

    differing = 0
    for arrays in itertools.islice(moderate(shapes, inside), MOST_COMPARED):
        differing += not agree(checked, arrays, got)
    if differing >= 3:
        raise Unsupported("a function that computes something else on floats than on symbols: does it depend on state, "
                          "on random numbers or on types?")
    left, size = MOST_VALUES, len(postorder([*checked.outputs, *got, *want]))
    for arrays in itertools.islice(candidates(shapes, pairs, terms_of(checked), inside), MOST_POINTS):
        found, points = judged(checked, arrays, got, want)
        if found is not None:
            return found
        left -= points * size
        if left < 0:
            break
    return None


def moderate(shapes: Mapping[str, tuple[int, ...]], inside: Callable[[Arrays], bool]) -> Iterator[Arrays]:
    """Inputs at which floats are exact to many digits."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        arrays = {n: rng.normal(size=s) * rng.choice((0.5, 2.0)) for n, s in shapes.items()}
        arrays = {n: np.abs(x) if rng.random() < 0.3 else x for n, x in arrays.items()}
        arrays = {n: np.asarray(x) for n, x in arrays.items()}
        if inside(arrays):
            yield arrays


def agree(checked: Checked, arrays: Arrays, got: list[Scalar]) -> bool:
    """Whether the two functions give on floats what their terms are. True where that cannot be said."""
    for x in arrays.values():
        x.flags.writeable = False
    try:
        with np.errstate(all="ignore"):
            outputs = checked.question.outputs({**arrays, **checked.integers})
            floats = on_floats(checked, arrays)
    except Exception:
        return True  # told by `judged`
    if floats is None:
        return True
    floats = [float(v) for y in outputs for v in np.asarray(y, dtype=float).ravel()] + floats
    terms = Point(elements(arrays, terms_of(checked))).evaluate([*checked.forward.terms(), *got])
    return len(floats) == len(terms) and all(
        not np.isfinite(f) or not mpmath.isfinite(t) or abs(f - t) <= 1e-5 * (1 + abs(t))
        for f, t in zip(floats, terms, strict=True)
    )


def without_form(checked: Checked) -> Arrays | None:
    """A float input at which the backward does not give one array of the right shape per argument."""
    question = checked.question
    shapes = {n: x.shape for n, x in checked.symbols.items()}
    expected = [question.shapes[n] for n in question.floats]
    if question.way == "jvp":
        expected = [x.shape for x in checked.forward.results]

    def inside(arrays: Arrays) -> bool:
        return all(Point(elements(arrays, terms_of(checked))).evaluate(checked.hypotheses))

    for arrays in itertools.islice(candidates(shapes, [], terms_of(checked), inside), MOST_POINTS):
        every = {**arrays, **checked.integers}
        g = [arrays[n] for n in checked.symbols if is_cotangent(n)]
        try:
            with np.errstate(all="ignore"):
                results = question.cotangents(every, g, len(g) <= 1)
        except ResultsDiffer:
            return arrays
        except Exception:
            continue
        if any(x is None for x in results) or [np.shape(x) for x in results] != expected:
            return arrays
    return None


def terms_of(checked: Checked) -> dict[str, Any]:
    return {n: plain(x) for n, x in checked.symbols.items()}


def judged(checked: Checked, arrays: Arrays, got: list[Scalar], want: list[Scalar]) -> tuple[Result | None, int]:
    """What is wrong at this input, and at how many points terms were evaluated to see it."""
    values = elements(arrays, terms_of(checked))
    exact, points = derivative_at(values, checked, want)
    given = Point(values).evaluate(got)
    try:
        with np.errstate(all="ignore"):
            for x in arrays.values():
                x.flags.writeable = False
            # The forward first: the backward may use what it kept.
            outputs = checked.question.outputs({**arrays, **checked.integers})
            floats = on_floats(checked, arrays)
    except Exception as error:
        text = f"the backward raises {type(error).__name__}: {error}"
        return (None if exact is None else counterexample(checked, arrays, text, 0, exact)), points
    if floats is None or not all(np.all(np.isfinite(y)) for y in outputs):
        return None, points
    if exact is None:  # the formula is 0/0 there, or a value of its own: the function may be smooth all the same
        slopes, more = derivative_by_differences(checked, values)
        return differing_slope(checked, arrays, floats, slopes), points + more
    for k, (b, r, f) in enumerate(zip(given, exact, floats, strict=True)):
        if not np.isfinite(f) and abs(r) < LARGEST:
            return counterexample(checked, arrays, "", k, exact, over_floats=True, shown=f), points
        if not mpmath.isfinite(b) or not np.isfinite(f):
            continue
        if differs(b, r) and abs(mpmath.mpf(float(f)) - b) <= abs(b - r) / 4:
            b, r = Point(values, digits=MANY_DIGITS).evaluate([got[k], want[k]])
            if differs(b, r):
                return counterexample(checked, arrays, "", k, exact, shown=f), points
    return None, points


def differing_slope(checked: Checked, arrays: Arrays, floats: list[float], slopes: list[Any] | None) -> Result | None:
    for k, (s, f) in enumerate(zip(slopes or [], floats, strict=False)):
        if abs(s) < LARGEST and not abs(f - float(s)) <= 1e-5 * (1 + abs(float(s))):
            return counterexample(checked, arrays, "", k, slopes or [], over_floats=not np.isfinite(f), shown=f)
    return None


def derivative_by_differences(checked: Checked, values: Mapping[Scalar, Any]) -> tuple[list[Any] | None, int]:
    """The derivative by differences in 60 digits, where both sides and two steps of each variable agree, and three more
    directions with them: then the function is taken to be differentiable there. None otherwise."""
    question, points = checked.question, 1
    if question.way != "vjp":
        return None, 0
    variables = [t for n in question.floats for t in plain(checked.symbols[n]).ravel()]
    weights = [t for n, x in checked.symbols.items() if is_cotangent(n) for t in plain(x).ravel()]
    losses = [weighted(checked.outputs, checked.weights), weighted(checked.outputs, weights)]
    values = {**values, **{w: mpmath.sqrt(k + 2) for k, w in enumerate(checked.weights)}}

    def slopes_of(loss: Scalar) -> list[Any] | None:
        def at(moves: Mapping[Scalar, Any]) -> Any:
            nonlocal points
            points += 1
            moved = {**values, **{x: values[x] + d for x, d in moves.items()}}
            return Point(moved, digits=MOVED_DIGITS).evaluate([loss])[0]

        with mpmath.mp.workdps(MOVED_DIGITS):
            here = at({})

            def slope(direction: Mapping[Scalar, Any]) -> Any:
                found = []
                for h in (mpmath.mpf(10) ** -30, mpmath.mpf(10) ** -36):
                    for sign in (1, -1):
                        found.append(sign * (at({x: sign * h * d for x, d in direction.items()}) - here) / h)
                close = all(mpmath.isfinite(s) and abs(s - found[0]) < 1e-8 * (1 + abs(found[0])) for s in found)
                return found[-1] if close else None

            slopes = [slope({x: mpmath.mpf(1)}) for x in variables]
            if not mpmath.isfinite(here) or any(s is None for s in slopes):
                return None
            for k in range(3):
                direction = {x: mpmath.mpf((7 * i + 3 * k) % 11 - 5) / 4 for i, x in enumerate(variables)}
                joint = slope(direction)
                expected = mpmath.fsum(s * d for s, d in zip(slopes, direction.values(), strict=True))
                if joint is None or abs(joint - expected) > 1e-7 * (1 + abs(expected)):
                    return None
            return [mpmath.mpf(0) if abs(s) < 1e-10 else s for s in slopes]

    return (slopes_of(losses[1]) if slopes_of(losses[0]) is not None else None), points


def is_cotangent(name: str) -> bool:
    return name == G or (name[:1] == G and name[1:].isdigit())


def differs(a: Any, b: Any) -> bool:
    with mpmath.mp.workdps(DIGITS):
        return bool(abs(a - b) > max(RELATIVE * (abs(a) + abs(b)), LEAST))


def derivative_at(
    values: Mapping[Scalar, Any], checked: Checked, want: list[Scalar]
) -> tuple[list[Any] | None, int]:
    """The derivative at a point, or None where it does not exist or is not known to; and how often it was evaluated.

    That it exists is judged by the outputs' derivatives with weights of their own: with g = 0 every function is smooth.
    """
    values = {**values, **{w: mpmath.sqrt(k + 2) for k, w in enumerate(checked.weights)}}
    judged_terms = [*checked.outputs, *checked.slopes, *want]
    first = Point(values)
    found = first.evaluate(judged_terms)
    tied = list(first.tied)
    if not all(map(mpmath.isfinite, found)) or len(tied) > MOST_TIED or first.near:
        return None, 1
    for sides in itertools.product((-1, 1), repeat=len(tied)):
        other = Point(values, dict(zip(tied, sides, strict=True))).evaluate(judged_terms)
        for a, b in zip(found, other, strict=True):
            if not mpmath.isfinite(b) or abs(a - b) > mpmath.mpf(10) ** -30 * (abs(a) + abs(b)):
                return None, 1 + 2 ** len(tied)
    return found[len(found) - len(want) :], 1 + 2 ** len(tied)


def on_floats(checked: Checked, arrays: Arrays) -> list[float] | None:
    question = checked.question
    g = [arrays[n] for n in checked.symbols if is_cotangent(n)]
    for x in arrays.values():
        x.flags.writeable = False
    results = question.cotangents({**arrays, **checked.integers}, g, len(g) <= 1)
    if any(x is None for x in results):
        return None
    shapes = [array.shape for _, array in checked.got]
    if [np.shape(x) for x in results] != shapes:
        return None
    return [float(v) for x in results for v in np.asarray(x, dtype=float).ravel()]


def counterexample(checked: Checked, arrays: Arrays, text: str, entry: int, exact: list[Any],
                   over_floats: bool = False, shown: float = 0.0) -> Result:  # fmt: skip
    name, index = entry_of(checked, entry)
    with mpmath.mp.workdps(DIGITS):
        right = float(exact[entry])
    what = text or f"{name}{list(index) if index else ''} is {shown!r} but must be {right!r}."
    shown_arrays = {n: x for n, x in {**arrays, **checked.integers}.items()}
    result = told(checked.question, Verdict.REFUTED, what, checked, shown_arrays, over_floats)
    return Result(result.verdict, result.message, result.over, shown_arrays, result.assumptions,
                  script_of(checked, shown_arrays, name, index, right))  # fmt: skip


def entry_of(checked: Checked, entry: int) -> tuple[str, tuple[int, ...]]:
    for name, array in checked.got:
        if entry < array.size:
            return name, tuple(int(i) for i in np.unravel_index(entry, array.shape)) if array.shape else ()
        entry -= array.size
    raise IndexError(entry)


def script_of(checked: Checked, arrays: Mapping[str, Any], name: str, index: tuple[int, ...], exact: float) -> str:
    """Of a VJP of one output whose functions have a source; else nothing."""
    question = checked.question
    assert question.backward is not None
    sources = sources_of(question.forward, question.backward)
    if question.way != "vjp" or G not in arrays or not sources:
        return ""
    params = "".join(f", {n}={number_text(arrays.get(n, v))}" for n, v in question.params.items())
    shown = {n: f"np.array({text_of(arrays[n])}, dtype={arrays[n].dtype.name!r})" for n in question.shapes}
    inputs = ", ".join(f"{n!r}: {text}" for n, text in shown.items())
    forward = f"{question.forward.__name__}(*xs{params})"
    backward = f"{question.backward.__name__}(g, *arguments{params})"
    if question.residuals:
        kept = forward.replace("*xs", "*arguments")
        forward, backward = f"{forward}[0]", f"{question.backward.__name__}({kept}[1], g)"
    integers = len(question.shapes) != len(question.floats)
    names = list(question.shapes) if integers and "None" in sources else question.floats
    return SCRIPT.format(
        sources=sources, inputs=inputs, g=f"np.array({text_of(arrays[G])})", forward=forward, backward=backward,
        name=name[1:], index=index, position=names.index(name[1:]), exact=exact,
    )  # fmt: skip


def number_text(value: Any) -> str:
    return repr(float(value)) if isinstance(value, np.ndarray) else repr(value)


# ---------------------------------------------------------------- the proof
def proved(checked: Checked) -> Result:
    """Every entry equal for all reals in the domain, off the ties at which the forward is not differentiable."""
    question = checked.question
    linear = frozenset(n for n in checked.symbols if n not in question.floats and n not in question.universal())
    open_entries = [
        (name, i, array[i], want[i])
        for (name, array), want in zip(checked.got, checked.want, strict=True)
        for i in np.ndindex(*array.shape)
    ]
    if checked.jumping and question.way == "jvp":
        text = f"at {checked.jumping[0]} the forward has a value of its own, and a tangent there is not judged"
        return told(question, Verdict.UNKNOWN, text, checked)
    pinched = [c for c in compound_conditions(checked.outputs) if is_pinched(checked, c)]
    if pinched:
        text = f"the forward takes a branch only where {pinched[0]}, which is not shown to be more than single points"
        return told(question, Verdict.UNKNOWN, text, checked)
    failures = compared(checked, open_entries, [], linear)
    missing = needed(checked, [])
    ties: list[Tie] = []
    if failures or missing:
        ties = ties_of(checked)
        failures = compared(checked, [entry for entry, _ in failures], ties, linear)
    kinks = [tie for tie in ties if tie.kind is Kind.KINK]
    undecided = [tie for tie in ties if tie.kind is Kind.UNDECIDED]
    if not failures and undecided and compared(checked, open_entries, kinks, linear):
        text = f"it is proved off {', '.join(map(str, undecided))} only, and not decided at that tie"
        return told(question, Verdict.UNKNOWN, text, checked)
    if failures:
        (name, i, *_), reason = failures[0]
        text = f"{name}{list(i) if i else ''} is not shown to be the derivative: {reason}"
        return told(question, Verdict.UNKNOWN, text, checked)
    fat = [tie for tie in (*checked.jumping, *kinks) if not is_thin(checked, tie.pair)]
    if fat:
        text = f"{fat[0]} may hold in a whole region, where nothing is shown"
        return told(question, Verdict.UNKNOWN, text, checked)
    left = [*checked.hypotheses, *checked.jumps, *(tie.off for tie in kinks)]
    if len(left) > len(checked.hypotheses) and checked.solver.satisfiable(left) is False:
        return told(question, Verdict.UNKNOWN, "nothing is left of the domain off the ties", checked)
    missing = needed(checked, kinks)
    if missing:
        text = f"the backward needs what is not shown ({missing[0][0]}): {missing[0][1]}"
        return told(question, Verdict.UNKNOWN, text, checked)
    checked.assumptions += [f"off the tie {tie}, where the forward is not differentiable" for tie in kinks]
    return told(question, Verdict.PROVED, "", checked)


def is_pinched(checked: Checked, condition: Condition) -> bool:
    """Whether a condition may hold at points that have no neighbours at which it holds: x >= 1 and x <= 1. Then the
    derivative there is not that of the branch."""
    if checked.solver.satisfiable([*checked.hypotheses, condition]) is False:
        return False
    return checked.solver.satisfiable([*checked.hypotheses, interior(condition)]) is not True


def needed(checked: Checked, kinks: Sequence[Tie]) -> list[tuple[str, Condition]]:
    """What the backward needs, and is not shown to hold off the kinks."""
    left = [*checked.hypotheses, *checked.jumps, *(tie.off for tie in kinks)]
    return [(kind, c) for kind, c in checked.backward_needs if not holds(checked.solver, left, c)]


def is_thin(checked: Checked, pair: Pair) -> bool:
    """Whether a pair is tied in no open set: the difference has a derivative that is not 0 wherever it is 0, or it is
    analytic on all reals and not 0 at some point."""
    difference = pair[0] - pair[1]
    variables = [t for n in checked.question.floats for t in plain(checked.symbols[n]).ravel()]
    flat = [equal(s, ZERO) for s in gradient(difference, variables).values()]
    if checked.solver.satisfiable([*checked.hypotheses, equal(*pair), *flat]) is False:
        return True
    entire = all(
        t.op in ("number", "constant", "access", "integer", "add", "mul", "indicator")
        or (t.op == "function" and t.args[0] in ("exp", "tanh", "erf", "sin", "cos", "atan"))
        for t in postorder([difference])
        if isinstance(t, Scalar)
    ) and not any(isinstance(t, Condition) for t in subterms(difference))
    if not entire or any(t.args[0] in checked.question.universal() for t in subterms(difference) if t.op == "access"):
        return False
    values = {t: mpmath.mpf(7 * k % 11 - 5) / 8 + mpmath.mpf(1) / (k + 3) for k, t in enumerate(variables)}
    return bool(abs(Point(values).evaluate([difference])[0]) > mpmath.mpf(10) ** -30)


def holds(solver: Solver, hypotheses: Sequence[Condition], condition: Condition) -> bool:
    """Also where exp(u) is not 1 because u is not 0."""
    if solver.valid(hypotheses, condition) is True:
        return True
    return solver.valid(hypotheses, replace(condition, logarithms)) is True


def logarithms(t: Term) -> Condition | None:
    """exp(u) = 1 as u = 0."""
    if t.op != "value==":
        return None
    difference = t.args[0] - t.args[1]
    for x in subterms(difference):
        if x.op == "function" and x.args[0] == "exp":
            assert isinstance(x, Scalar)
            if is_zero(difference - x + ONE) or is_zero(difference + x - ONE):
                return equal(x.args[1], ZERO)
    return None


Entry = tuple[str, tuple[int, ...], Scalar, Scalar]


def compared(checked: Checked, entries: Sequence[Entry], ties: Sequence[Tie], linear: frozenset[str]) -> list[Any]:
    off = tuple(tie.off for tie in ties if tie.kind is not Kind.SMOOTH)
    hypotheses = (*checked.hypotheses, *checked.jumps, *off)
    comparison = Comparison(checked.solver, hypotheses, linear, most_splits=MOST_SPLITS)
    failures = []
    for entry in entries:
        try:
            comparison.require_equal(entry[2], entry[3])
        except Different as found:
            if not equal_when_expanded(checked, comparison, entry[2], entry[3]):
                failures.append((entry, str(found)))
    return failures


def equal_when_expanded(checked: Checked, comparison: Comparison, got: Scalar, want: Scalar) -> bool:
    def positive(t: Scalar) -> bool:
        return checked.solver.valid(comparison.hypotheses, t > 0) is True

    a, b = expanded(got, positive), expanded(want, positive)
    if (a, b) == (got, want):
        return False
    try:
        comparison.require_equal(a, b)
    except Different:
        return False
    return True


def ties_of(checked: Checked) -> list[Tie]:
    """The ties of the forward. A kink has a witness: a point at which the derivative does not exist."""
    variables = [t for n in checked.question.floats for t in plain(checked.symbols[n]).ravel()]
    weights = [access(f"weight {k}") for k in range(len(checked.outputs))]
    slopes = list(gradient(weighted(checked.outputs, weights), variables).values())
    found = []
    for pair in pairs_of(checked.outputs):
        if is_smooth(pair, checked.outputs, variables, [*checked.hypotheses, *checked.jumps], checked.solver):
            found.append(Tie(pair, Kind.SMOOTH))
        else:
            kink = has_kink(checked, pair, slopes, weights)
            found.append(Tie(pair, Kind.KINK if kink else Kind.UNDECIDED))
    return found


def has_kink(checked: Checked, pair: Pair, slopes: list[Scalar], weights: list[Scalar]) -> bool:
    """Whether a point is found on the tie at which the two sides have other values or derivatives."""
    question = checked.question
    terms = {n: x for n, x in terms_of(checked).items() if n in question.floats or n in question.universal()}
    shapes = {n: x.shape for n, x in terms.items()}
    judged_terms = [*checked.outputs, *slopes]

    def inside(arrays: Arrays) -> bool:
        return all(Point(elements(arrays, terms)).evaluate(checked.hypotheses)) if checked.hypotheses else True

    for values in tied_values(shapes, pair, terms, inside):
        values |= {w: mpmath.mpf(2 * k + 1) for k, w in enumerate(weights)}
        first = Point(values)
        first.evaluate(judged_terms)
        if pair not in first.tied or not all(Point(values).evaluate(checked.hypotheses)):
            continue
        below, above = (Point(values, {pair: side}).evaluate(judged_terms) for side in (-1, 1))
        for a, b in zip(below, above, strict=True):
            if mpmath.isfinite(a) and mpmath.isfinite(b) and abs(a - b) > mpmath.mpf(10) ** -20 * (1 + abs(a)):
                return True
    return False


# ---------------------------------------------------------------- telling
def told(question: Question, verdict: Verdict, what: str, checked: Any, arrays: Mapping[str, Any] | None = None,
         over_floats: bool = False, assumptions: Sequence[str] = ()) -> Result:  # fmt: skip
    shapes = ", ".join(f"{n} {shape}" for n, shape in question.shapes.items())
    over = f"all reals at the shapes {shapes}, all paths"
    if verdict is Verdict.REFUTED and arrays:
        over = "a float input" if over_floats else "one input, in exact arithmetic and in floats"
    assumptions = list(dict.fromkeys(checked.assumptions)) if isinstance(checked, Checked) else list(assumptions)
    claim = {
        "vjp": "the backward is the adjoint of the derivative of the forward",
        "jvp": "the tangent is the derivative of the forward in the given direction",
        "none": "the forward is defined",
    }[question.way]
    text = [f"{verdict}  {question.name()}"]
    text += ["", f"  {what}"] if what else []
    text += ["", f"  claim    {claim}", f"  over     {over}", f"  forward  {place_of(question.forward)}"]
    if question.backward is not None:
        text.append(f"  {question.way:<8} {place_of(question.backward)}")
    if arrays:
        text += lines("counterexample", [f"{n} = {text_of(x)}" for n, x in arrays.items()])
    text += lines("assuming", assumptions)
    return Result(verdict, "\n".join(text), over, dict(arrays or {}), tuple(assumptions))


__all__ = ["CheckError", "Question", "assignments", "prepare", "proved", "run_backward", "search", "told"]
