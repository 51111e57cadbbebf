"""Where to look for a counterexample: not only near 0, but where bugs hide. Untrusted: what is found is confirmed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import mpmath
import numpy as np

from ..terms import Scalar, subterms
from .evaluation import DIGITS, Pair, Point, elements
from .question import is_direction

SMALL = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)
MAGNITUDES = (1.0, 0.1, 10.0, 1e-3, 100.0, 1e3, 1e-8, 1e6, 750.0, 1e-18)
PER_KIND = 6
PER_PAIR = 4
MOST_PAIRS = 60
SECANT_STEPS = 60

Arrays = dict[str, Any]


def candidates(shapes: Mapping[str, tuple[int, ...]], pairs: Sequence[Pair], symbols: Mapping[str, Any],
               inside: Callable[[Arrays], bool], seed: int = 0) -> Iterator[Arrays]:  # fmt: skip
    """Inputs in the domain: small numbers with many ties, all equal, zeros, many magnitudes, exactly at each pair's tie
    and a step to both sides of it."""
    rng = random.Random(seed)

    def arrays(number: Callable[[], float]) -> Arrays:
        point = {n: np.array([number() for _ in range(prod(s))], dtype=float).reshape(s) for n, s in shapes.items()}
        return with_direction(point, 1.0) if not any(np.any(x) for n, x in point.items() if is_direction(n)) else point

    def tried(make: Callable[[], Arrays], count: int) -> Iterator[Arrays]:
        for _ in range(count):
            for _ in range(20):  # a domain such as x > 0 leaves out most
                point = make()
                if inside(point):
                    yield point
                    break

    yield from tried(lambda: arrays(lambda: 0.0), 1)
    yield from tried(lambda: with_direction(arrays(lambda: rng.choice((-1.0, 0.0, 1.0))), 1.0), PER_KIND // 2)
    yield from tried(lambda: arrays(lambda: rng.choice((-1.0, 0.0, 1.0))), PER_KIND // 2)
    yield from tried(lambda: arrays(lambda: rng.choice(SMALL)), PER_KIND)
    yield from tried(lambda: arrays(lambda: abs(rng.choice(SMALL)) + 0.5), 2)
    for value in (1.0, -2.0):
        yield from tried(lambda v=value: arrays(lambda: v), 1)  # type: ignore[misc]
    for magnitude in MAGNITUDES:
        yield from tried(lambda m=magnitude: arrays(lambda: rng.gauss(0, 1) * m), 2)  # type: ignore[misc]
        yield from tried(lambda m=magnitude: arrays(lambda: abs(rng.gauss(0, 1)) * m), 1)  # type: ignore[misc]
    yield from tried(lambda: with_direction(arrays(lambda: 0.0), 0.0), 1)
    yield from tried(lambda: with_direction(arrays(lambda: rng.choice(SMALL)), 0.0), 3)
    for pair in list(pairs)[:MOST_PAIRS]:
        for _ in range(PER_PAIR):
            start = next(tried(lambda: arrays(lambda: rng.choice(SMALL) * rng.choice((1.0, 1.0, 30.0))), 1), None)
            if start is None:
                continue
            tied = moved_to_tie(pair, start, symbols, rng)
            if tied is None:
                continue
            name, index = tied[1]
            for step in (0.0, 1.0, -1.0, 2.0**-20, -(2.0**-20), 1000.0, -1000.0):
                point = {n: x.copy() for n, x in tied[0].items()}
                point[name][index] += step
                if inside(point):
                    yield point


def with_direction(point: Arrays, value: float) -> Arrays:
    """The point with all cotangents and tangents of this value."""
    return {n: np.full_like(x, value) if is_direction(n) else x for n, x in point.items()}


def tied_values(shapes: Mapping[str, tuple[int, ...]], pair: Pair, symbols: Mapping[str, Any],
                inside: Callable[[Arrays], bool]) -> Iterator[dict[Scalar, Any]]:  # fmt: skip
    """Values of the elements at which the pair is tied, to 60 digits."""
    for start in candidates(shapes, [], symbols, inside, seed=1):
        for variable in variables_of(pair, symbols):
            root = root_of(pair, variable, start, symbols)
            if root is not None:
                yield {**elements(start, symbols), variable: root}


def variables_of(pair: Pair, symbols: Mapping[str, Any]) -> list[Scalar]:
    known = {t for s in symbols.values() for t in s.ravel()}
    return sorted((t for t in known & set(subterms(pair[0] - pair[1]))), key=lambda t: t.digest)


def moved_to_tie(pair: Pair, start: Arrays, symbols: Mapping[str, Any], rng: random.Random) -> Any:
    """One element changed so that both sides are equal, to the last bit where that is possible; and which."""
    places = {s[i]: (n, i) for n, s in symbols.items() for i in np.ndindex(*s.shape)}
    variables = variables_of(pair, symbols)
    rng.shuffle(variables)
    for variable in variables:
        root = root_of(pair, variable, start, symbols)
        if root is not None and np.isfinite(float(root)):
            name, index = places[variable]
            point = {n: x.copy() for n, x in start.items()}
            point[name][index] = float(root)
            return point, (name, index)
    return None


def root_of(pair: Pair, variable: Scalar, start: Arrays, symbols: Mapping[str, Any]) -> Any:
    """The value of the variable at which the pair is tied, by the secant method in 60 digits; None if none is found."""
    values = elements(start, symbols)

    def difference(x: Any) -> Any:
        a, b = Point({**values, variable: x}).evaluate(pair)
        return a - b

    low = values[variable]
    high = low + 1
    with mpmath.mp.workdps(DIGITS):
        d_low, d_high = difference(low), difference(high)
        for _ in range(SECANT_STEPS):
            if d_high == 0 or abs(high - low) < mpmath.mpf(10) ** -55 * (1 + abs(high)):
                return high
            if not (mpmath.isfinite(d_low) and mpmath.isfinite(d_high)) or d_high == d_low:
                return None
            low, high, d_low = high, high - d_high * (high - low) / (d_high - d_low), d_high
            d_high = difference(high)
    return None
