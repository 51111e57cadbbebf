"""TRUSTED. Lemmas about shapes, for all integers: the runtime's own shape functions, run on symbolic integers.

`shape` says of each op that its shape rule gives the specification's extents. Here is what such formulas are for: that
every window fits and the next would not, that lengths are inverse to each other, that a size is a sum over any number
of inputs, how shapes are aligned, and that transpositions are products of adjacent swaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import permutations, product
from typing import Any

import numpy as np

from gradproof.attributes import broadcast_shape
from gradproof.errors import GradproofError
from gradproof.op import OPS as RUNTIME
from gradproof.ops import structural

from ..obligations import Obligation, Outcome, Verdict
from ..solver import Solver
from ..symbolic import SymbolicInteger, explore
from ..terms import Condition, Index, equal, to_index, variable
from .shapes import NotShown, term

MOST_AXES = 4  # of two shapes that are broadcast, together
MOST_PERMUTED = 7
MOST_JOINED = 6  # inputs at which concat's rule is compared with its loop


def symbol(name: str) -> Any:
    return SymbolicInteger(variable(name))


def returns(
    function: Callable[[], Any], hypotheses: Sequence[Condition], facts: Callable[[Any], Mapping[str, Condition]]
) -> int:
    """Under the hypotheses the function raises nothing, and what it returns satisfies the facts, on every path."""
    solver = Solver()
    found = explore(function, hypotheses=hypotheses, catch=(GradproofError,), feasible=solver.satisfiable)
    if not found.complete:
        raise NotShown(found.reason, unknown=True)
    returned = 0
    for path in found.paths:
        known = [*hypotheses, *path.conditions]
        if path.exception is not None:
            if solver.satisfiable(known) is not False:
                raise NotShown(f"it raises {path.exception}")
            continue
        returned += 1
        for what, fact in facts(path.result).items():
            answer = solver.valid(known, fact)
            if answer is not True:
                raise NotShown(f"{what} does not hold: {fact}", unknown=answer is None)
    if not returned:
        raise NotShown("no path returns")
    return returned


# ---------------------------------------------------------------- windows
def window_domain(n: Index, k: Index, s: Index, p: Index, d: Index) -> list[Condition]:
    """Extent, kernel, stride, padding and dilation of one axis for which there is a window."""
    return [n >= 0, k >= 1, s >= 1, p >= 0, d >= 1, n + 2 * p >= d * (k - 1) + 1]


def windows_fit(op: str) -> int:
    """The last window ends inside the padded axis, one more would not, and there is at least one."""
    n, k, s, p, d = map(symbol, "nkspd")
    shape = partial(one_axis_shape, op, n, k, stride=s, padding=p, dilation=d)

    def facts(out: Any) -> dict[str, Condition]:
        length = term(out)
        last = s.term * (length - 1) + d.term * (k.term - 1) + 1
        return {
            "the last window fits": last <= n.term + 2 * p.term,
            "one more window would not": last + s.term > n.term + 2 * p.term,
            "there is a window": length >= 1,
        }

    domain = window_domain(*(i.term for i in (n, k, s, p, d)))
    if op != "conv":  # pools: every window has a real cell
        domain += [p.term <= d.term * (k.term - 1), n.term >= d.term]
    return returns(shape, domain, facts)


def one_axis_shape(op: str, n: Any, k: Any, **window: Any) -> Any:
    """The output length of a convolution, a transposed one or a pool along one spatial axis."""
    attributes: dict[str, Any] = {name: (value,) for name, value in window.items()}
    rule = RUNTIME[op].shape
    if op in ("conv", "conv_transpose"):
        return rule((1, 1, n), (1, 1, k), **attributes, groups=1)[-1]
    return rule((n,), kernel=(k,), **attributes)[-1]


def transposed_length_inverts() -> int:
    """conv of conv_transpose's length is the input's, for every output_padding below the stride."""
    n, k, s, p, d, r = map(symbol, "nkspdr")

    def there_and_back() -> Any:
        window = {"stride": s, "padding": p, "dilation": d}
        there = one_axis_shape("conv_transpose", n, k, **window, output_padding=r)
        return one_axis_shape("conv", there, k, **window)

    out = (n.term - 1) * s.term - 2 * p.term + d.term * (k.term - 1) + r.term + 1
    domain = [
        n.term >= 1, k.term >= 1, s.term >= 1, p.term >= 0, d.term >= 1, r.term >= 0, r.term < s.term, out >= 1,
    ]  # fmt: skip
    return returns(there_and_back, domain, lambda length: {"the length is the input's": equal(term(length), n.term)})


def transposed_length_is_inverted() -> int:
    """conv_transpose of conv's length is the input's, with the remainder of the division as output_padding."""
    n, k, s, p, d = map(symbol, "nkspd")

    def there_and_back() -> Any:
        window = {"stride": s, "padding": p, "dilation": d}
        there = one_axis_shape("conv", n, k, **window)
        rest = (n + 2 * p - d * (k - 1) - 1) % s
        return one_axis_shape("conv_transpose", there, k, **window, output_padding=rest)

    domain = [*window_domain(*(i.term for i in (n, k, s, p, d))), n.term >= 1]
    return returns(there_and_back, domain, lambda length: {"the length is the input's": equal(term(length), n.term)})


# ---------------------------------------------------------------- concat, broadcasting, permutations
def concat_adds_up() -> int:
    """Base: one input keeps its shape. Step: one input more adds its extent to what the inputs so far give."""
    before, total, more, after = map(symbol, ("before", "total", "more", "after"))
    sizes = [i.term >= 0 for i in (before, total, more, after)]
    one = (before, total, after)
    paths = returns(
        lambda: RUNTIME["concat"].shape(one, axis=1),
        sizes,
        lambda out: {f"axis {a}": equal(term(x), term(y)) for a, (x, y) in enumerate(zip(out, one, strict=True))},
    )
    inputs = [(before, symbol(f"n{k}"), after) for k in range(MOST_JOINED)]
    for k in range(2, MOST_JOINED + 1):  # that the rule is this loop: one input more is one step more
        total_of_k = sum((x[1].term for x in inputs[:k]), to_index(0))

        def is_the_sum(out: Any, total_of_k: Index = total_of_k) -> dict[str, Condition]:
            return {"the sum": equal(term(out[1]), total_of_k)}

        paths += returns(partial(RUNTIME["concat"].shape, *inputs[:k], axis=1), sizes, is_the_sum)
    want = (before, total + more, after)
    return paths + returns(
        lambda: structural.concat_step(one, (before, more, after), axis=1),
        sizes,
        lambda out: {f"axis {a}": equal(term(x), term(y)) for a, (x, y) in enumerate(zip(out, want, strict=True))},
    )


def broadcasting_is_right_aligned() -> int:
    """broadcast_shape: extents aligned on the right, equal or one of them 1; it raises for all others."""
    paths = 0
    for ranks in product(range(MOST_AXES + 1), repeat=2):
        if sum(ranks) > MOST_AXES:
            continue
        a, b = ([symbol(f"{name}{k}") for k in range(rank)] for name, rank in zip("ab", ranks, strict=True))
        pairs = list(zip(reversed(a), reversed(b), strict=False))
        sizes = [i.term >= 0 for i in (*a, *b)]
        fits = [equal(x.term, y.term) | equal(x.term, 1) | equal(y.term, 1) for x, y in pairs]

        def facts(out: Any, a: Any = a, b: Any = b, pairs: Any = pairs) -> dict[str, Condition]:
            longer = a if len(a) >= len(b) else b
            if len(out) != len(longer):
                raise NotShown(f"shapes of {len(a)} and {len(b)} axes give {len(out)} axes")
            found = {f"axis -{k} of the longer": equal(term(out[-k]), term(longer[-k]))
                     for k in range(len(pairs) + 1, len(longer) + 1)}  # fmt: skip
            for k, (x, y) in enumerate(pairs, start=1):
                r = term(out[-k])
                found[f"axis -{k}"] = (equal(x.term, 1) & equal(r, y.term)) | (~equal(x.term, 1) & equal(r, x.term))
            return found

        shape = partial(broadcast_shape, "test", a=tuple(a), b=tuple(b))
        paths += returns(shape, [*sizes, *fits], facts)
        for fit in fits:
            solver, misfit = Solver(), [*sizes, ~fit]
            found = explore(shape, hypotheses=misfit, catch=(GradproofError,), feasible=solver.satisfiable)
            if not found.complete:
                raise NotShown(found.reason, unknown=True)
            if any(p.exception is None and solver.satisfiable([*misfit, *p.conditions]) is not False
                   for p in found.paths):  # fmt: skip
                raise NotShown(f"shapes of {len(a)} and {len(b)} axes that do not fit are accepted")
    return paths


def permutations_are_adjacent_swaps() -> int:
    """transpose by any permutation is the product of the swaps that adjacent_swaps names, in that order."""
    count = 0
    for rank in range(MOST_PERMUTED + 1):
        shape = np.array(range(2, rank + 2))  # every axis another extent
        for axes in permutations(range(rank)):
            swapped = list(shape)
            for depth in structural.adjacent_swaps(axes):
                swapped[depth], swapped[depth + 1] = swapped[depth + 1], swapped[depth]
            if swapped != [shape[a] for a in axes]:
                raise NotShown(f"the swaps of {axes} give {swapped}")
            count += 1
    return count


# ---------------------------------------------------------------- obligations
LEMMAS: dict[str, tuple[Callable[[], int], str, str]] = {
    **{
        f"windows-of-{op.replace('_', '-')}": (
            partial(windows_fit, op),
            f"OPS[{op!r}].shape: the last window fits, one more would not, there is at least one",
            "all integer extents, kernels, strides, paddings" + (", dilations" if op in ("conv", "max_pool") else ""),
        )
        for op in ("conv", "max_pool")
    },
    "transposed-length": (
        transposed_length_inverts,
        "conv's shape rule on conv_transpose's gives the input's length back",
        "all integers, every output_padding below the stride",
    ),
    "transposed-length-back": (
        transposed_length_is_inverted,
        "conv_transpose's shape rule on conv's gives the input's length back, output_padding the remainder",
        "all integers",
    ),
    "concat-size": (
        concat_adds_up,
        "the extent of concat is the sum over its inputs: base and step of the shape rule's loop",
        f"any number of inputs, all extents; that the rule is this loop: run at 1 to {MOST_JOINED} inputs",
    ),
    "broadcasting": (
        broadcasting_is_right_aligned,
        "broadcast_shape aligns on the right, extents equal or 1, and raises for all others",
        f"all extents, up to {MOST_AXES} axes together",
    ),
    "adjacent-swaps": (
        permutations_are_adjacent_swaps,
        "every permutation is the product of its adjacent swaps",
        f"all permutations of up to {MOST_PERMUTED} axes, one by one",
    ),
}


def prove(name: str, proof: Callable[[], int], claim: str) -> Outcome:
    try:
        return Outcome(Verdict.PROVED, data={"paths": proof()})
    except NotShown as e:
        verdict = Verdict.UNKNOWN if e.unknown else Verdict.REFUTED
        return Outcome(verdict, f"{verdict}  lemma[{name}]\n\n  {claim}\n  {e.what}")


def obligations() -> Iterator[Obligation]:
    for name, (proof, claim, over) in LEMMAS.items():
        yield Obligation("lemma", "", name, claim, over, partial(prove, name, proof, claim))
