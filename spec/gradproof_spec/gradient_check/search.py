"""Counterexamples: inputs at which the given gradient is not the derivative, which exists there; reproduced in floats.

Untrusted but for what it says of a REFUTED: a verdict PROVED does not rest on it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import mpmath
import numpy as np

from ..obligations import Verdict
from ..symbolic import Unsupported
from ..terms import Scalar
from .evaluation import DIGITS, MANY_DIGITS, Floats, Point, elements
from .on_symbols import Checked, plain, terms_of
from .points import Arrays, candidates
from .programs import ResultsDiffer
from .question import is_cotangent, is_direction, tangent, told
from .reference import gradient, postorder, weighted
from .result import SCRIPT, Result, sources_of, text_of
from .ties import pairs_of

MOST_POINTS = 160
MOVED_DIGITS = 400
MOST_COMPARED = 12  # at which floats and terms are compared
MOST_SHORTENED = 60  # tries to find the same fault at shorter numbers
MOST_TIED = 5  # pairs tied at one point: 2 ** 5 ways to leave it
MOST_DIRECTIONS = 20  # of each kind in which a point is left
MOST_VALUES = 1_500_000  # of subterms at points, per search
MOST_EXACT, LEAST_EXACT = 40, 8  # candidates judged exactly, shared by the assignments of integers, and for each; then
NEAR, NOISE = 1e-11, 1e-15  # those at which the floats differ by more than this, relatively and relative to g
LARGEST, LEAST = 1e300, 1e-300  # what floats can show
RELATIVE = mpmath.mpf(10) ** -14  # two values of one expression that differ by less are one, up to constants' rounding


def search(checked: Checked, thorough: bool = False) -> Result | None:
    """An input at which the given gradient is not the derivative, which exists there; reproduced in floats. Thorough:
    exactly at every candidate, else at some, and at those where floats differ."""
    got = [t for _, array in checked.got for t in array.ravel()]
    want = [t for array in checked.want for t in array.ravel()]
    pairs = pairs_of([*checked.outputs, *got])
    shapes = {n: x.shape for n, x in checked.symbols.items()}

    def inside(arrays: Arrays) -> bool:
        values = elements(arrays, terms_of(checked))
        return all(Point(values).evaluate(checked.hypotheses)) if checked.hypotheses else True

    differing = 0
    for arrays in () if thorough else itertools.islice(moderate(shapes, inside), MOST_COMPARED):
        differing += not agree(checked, arrays, got)
    if differing >= 3:
        raise Unsupported("a function that computes something else on floats than on symbols: does it depend on state, "
                          "on random numbers or on types?")
    left, size = MOST_VALUES, len(postorder([*checked.outputs, *got, *want]))
    in_floats, exactly = Floats(want), MOST_EXACT // checked.question.count_of_assignments() + LEAST_EXACT
    for k, arrays in enumerate(itertools.islice(candidates(shapes, pairs, terms_of(checked), inside), MOST_POINTS)):
        if not thorough and k >= exactly and is_close(checked, arrays, in_floats):
            continue
        found, points = judged(checked, arrays, got, want)
        if found is not None:
            return simplest(checked, arrays, found, got, want, inside)
        left -= points * size
        if left < 0:
            break
    return None


def simplest(checked: Checked, arrays: Arrays, found: Result, got: list[Scalar], want: list[Scalar],
             inside: Callable[[Arrays], bool]) -> Result:  # fmt: skip
    """The same fault at shorter numbers, where it is found there too."""
    left = MOST_SHORTENED
    for n in arrays:
        for i in np.ndindex(*arrays[n].shape):
            x = float(arrays[n][i])
            shorter = [1.0] if is_direction(n) else [0.0, 1.0]
            for value in [*shorter, *(float(f"{x:.{digits}e}") for digits in range(3))]:
                if len(repr(x)) <= 3 or value == x or not left:
                    break
                moved = {m: y.copy() for m, y in arrays.items()}
                moved[n][i] = value
                left -= 1
                other = judged(checked, moved, got, want)[0] if inside(moved) else None
                if other is not None and other.over == found.over:
                    arrays, found = moved, other
                    break
    return found


def is_close(checked: Checked, arrays: Arrays, want: Floats) -> bool:
    """Whether the backward's floats are finite and near to the derivative's formula in floats."""
    given = {t: float(x) for n, ts in terms_of(checked).items() for t, x in zip(ts.flat, arrays[n].flat, strict=True)}
    try:
        with np.errstate(all="ignore"):
            checked.question.outputs({**arrays, **checked.integers})
            floats = on_floats(checked, arrays)
    except Exception:
        return False  # told by `judged`
    if floats is None:
        return False
    values = want.at(given)
    scale = max((abs(float(x)) for n in arrays if is_direction(n) for x in arrays[n].flat), default=0.0)
    return all(abs(f - w) <= NEAR * abs(w) + NOISE * scale for f, w in zip(floats, values, strict=True))


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
        found = differing_slope(checked, arrays, floats, slopes)
        return (found if found is not None and is_differentiable(checked, values) else None), points + more
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
    variables = [t for n in question.floats for t in plain(checked.symbols[n]).ravel()]
    weights = [t for n, x in checked.symbols.items() if is_cotangent(n) for t in plain(x).ravel()]
    loss = weighted(checked.outputs, checked.weights)
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

    if slopes_of(loss) is None:
        return None, points
    if question.way == "vjp":
        return slopes_of(weighted(checked.outputs, weights)), points
    tangents = [values[t] for n in question.floats for t in plain(checked.symbols[tangent(n)]).ravel()]
    rows = [slopes_of(output) for output in checked.outputs]
    if any(row is None for row in rows):
        return None, points
    with mpmath.mp.workdps(MOVED_DIGITS):
        return [mpmath.fsum(s * d for s, d in zip(row or [], tangents, strict=True)) for row in rows], points


def is_differentiable(checked: Checked, values: Mapping[Scalar, Any]) -> bool:
    """Whether the outputs change as the slopes along the axes say, in many directions and along every tie: where
    x == y ? 0 : x has slopes at (0, 0), but no derivative."""
    variables = [t for n in checked.question.floats for t in plain(checked.symbols[n]).ravel()]
    loss = weighted(checked.outputs, checked.weights)
    values = {**values, **{w: mpmath.sqrt(k + 2) for k, w in enumerate(checked.weights)}}
    step = mpmath.mpf(10) ** -30

    def at(place: list[Any], terms: list[Scalar]) -> list[Any]:
        return Point({**values, **dict(zip(variables, place, strict=True))}, digits=MOVED_DIGITS).evaluate(terms)

    with mpmath.mp.workdps(MOVED_DIGITS):
        start = [values[x] for x in variables]
        origin = Point(values, digits=MOVED_DIGITS)
        here = origin.evaluate([loss])[0]
        normals = []
        for a, b in list(origin.tied)[:MOST_TIED]:
            normal = at(start, list(gradient(a - b, variables).values()))
            if all(map(mpmath.isfinite, normal)) and any(normal):
                normals.append((a - b, normal))

        def along(place: list[Any], tie: Scalar, normal: list[Any]) -> list[Any]:
            for _ in range(12):  # off by 1e-60, 1e-90, ...
                miss = at(place, [tie])[0] / mpmath.fdot(normal, normal)
                if abs(miss) < mpmath.mpf(10) ** -MOVED_DIGITS:
                    break
                place = [p - miss * v for p, v in zip(place, normal, strict=True)]
            return place

        slopes = [
            (at([p + step * (i == j) for j, p in enumerate(start)], [loss])[0] - here) / step
            for i in range(len(variables))
        ]
        for direction in directions(len(variables)):
            straight = [p + step * d for p, d in zip(start, direction, strict=True)]
            for place in [straight, *(along(straight, tie, normal) for tie, normal in normals)]:
                moves = [p - q for p, q in zip(place, start, strict=True)]
                error = at(place, [loss])[0] - here - mpmath.fdot(slopes, moves)
                scale = mpmath.norm(moves) * (1 + mpmath.norm(slopes))
                if not abs(error) <= scale * mpmath.mpf(10) ** -7:
                    return False
    return True


def directions(n: int) -> Iterator[tuple[int, ...]]:
    """Towards both sides, and with equal elements, in which ties often lie."""
    places = [(i, j, s) for i in range(n) for j in range(i) for s in (1, -1)]
    pairs = [tuple(int(k == i) + s * int(k == j) for k in range(n)) for i, j, s in places]
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(pairs))[:MOST_DIRECTIONS]
    yield from ((1,) * n, *(pairs[k] for k in chosen))
    yield from (tuple(-d for d in pairs[k]) for k in chosen)
    yield from (tuple(map(int, d)) for d in rng.integers(-2, 3, (MOST_DIRECTIONS, n)))


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
    return Result(result.verdict, result.message, result.over, result.counterexample, result.assumptions,
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
    if question.way != "vjp" or "g " not in arrays or not sources:
        return ""
    params = "".join(f", {n}={number_text(arrays.get(n, v))}" for n, v in question.params.items())
    shown = {n: f"np.array({text_of(arrays[n])}, dtype={arrays[n].dtype.name!r})" for n in question.shapes}
    inputs = ", ".join(f"{n!r}: {text}" for n, text in shown.items())
    forward = f"{question.forward.__name__}(*xs{params})"
    backward = f"{question.backward.__name__}(cotangent, *arguments{params})"
    if question.residuals:
        kept = forward.replace("*xs", "*arguments")
        forward, backward = f"{forward}[0]", f"{question.backward.__name__}({kept}[1], cotangent)"
    integers = len(question.shapes) != len(question.floats)
    names = list(question.shapes) if integers and "None" in sources else question.floats
    return SCRIPT.format(
        sources=sources, inputs=inputs, g=f"np.array({text_of(arrays['g '])})", forward=forward, backward=backward,
        name=name[1:], index=index, position=names.index(name[1:]), exact=exact,
    )  # fmt: skip


def number_text(value: Any) -> str:
    return repr(float(value)) if isinstance(value, np.ndarray) else repr(value)
