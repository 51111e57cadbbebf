"""Planted wrong steps of the compiler of plans, that the `plan` obligations of `lowering` must not prove."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from gradproof.plan import blocks, direct, memory, recording, simplify, source
from gradproof.plan.recording import Recorder, arrays_in

from ..obligations import PASSING, Obligation, Outcome, Verdict
from . import plans

WRONG: list[tuple[str, Any, str, Callable[..., Any], tuple[str, ...]]] = []


def plant(name: str, owner: Any, function: str, *by: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`function` of `owner` is replaced; each of the programs `by` must be refuted then."""

    def register(wrong: Callable[..., Any]) -> Callable[..., Any]:
        WRONG.append((name, owner, function, wrong, by))
        return wrong

    return register


# ---------------------------------------------------------------- what is left out
@plant("nothing-is-written-into", simplify, "last_writes", "numpy")
def no_writes(instructions: Any) -> dict[int, int]:
    return {}


@plant("views-stay-with-what-is-left-out", simplify, "rebase", "parts")
def never_moved(x: Any, root: Any) -> None:
    pass


@plant("any-constant-is-one", simplify, "is_one", "momentum", "swapped")
def every_constant(x: Any) -> bool:
    return type(x) in (int, float) or getattr(x, "origin", "") == "constant"


@plant("every-layout-is-the-same", simplify, "same_layout", "sgd", "shared")
def any_layout(x: Any, y: Any) -> bool:
    return bool(x.size == y.size)


needed = simplify.needed


@plant("writes-are-not-needed", simplify, "needed", "numpy")
def without_writes(instructions: Any, outputs: Any) -> Any:
    return [i for i in needed(instructions, outputs) if i.kind != "write"]


@plant("guards-are-not-needed", simplify, "needed", "branching")
def without_guards(instructions: Any, outputs: Any) -> Any:
    return [i for i in needed(instructions, outputs) if i.kind != "guard"]


@plant("inputs-are-constants", simplify, "is_constant", "sgd", "shared")
def input_independent(i: Any) -> bool:
    return bool(i.result.size == 1)


# ---------------------------------------------------------------- where things are kept
lifetimes = memory.lifetimes
joined = blocks.joined


@plant("views-do-not-keep-alive", memory, "lifetimes", "adam", "shared")
def direct_uses(instructions: Any, outputs: Any) -> Any:
    born, dies = lifetimes(instructions, outputs)
    for t, i in enumerate(instructions):
        for x in i.results():
            if x.root is x:
                dies[id(x)] = max((s for s, j in enumerate(instructions) if any(y is x for y in j.arrays())), default=t)
    return born, dies


@plant("outputs-do-not-live-on", memory, "lifetimes", "adam", "shared")
def forgotten_outputs(instructions: Any, outputs: Any) -> Any:
    return lifetimes(instructions, ())


@plant("in-place-while-read", memory, "is_free", "adam", "swapped")
def too_early(i: Any, root: Any, result: Any, t: int, last: int) -> bool:
    return True


@plant("values-are-computed-late", direct, "is_written", "copied")
def never(times: Any, after: int, before: int) -> bool:
    """Where they are copied, though what they are computed from has changed."""
    return False


fitted = memory.fitted


@plant("one-buffer-for-all", memory, "fitted", "sgd", "momentum", "adam", "shared", "numpy", "convolution")
def all_at_zero(found: Any) -> int:
    return int(max(buffer.size for buffer in found))


@plant("buffers-overlap", memory, "fitted", "sgd", "momentum", "adam", "shared", "numpy", "labelled", "blocks")
def overlapping(found: Any) -> int:
    """By one element."""
    end = fitted(found)
    for buffer in found:
        buffer.start -= buffer.start > 0
    return end


@plant("a-result-is-written-over-what-is-read", memory.Buffer, "meets", "blocks", "early")
def meets_within(self: Any, other: Any) -> bool:
    return bool(self.first < other.last and other.first < self.last)


@plant("anything-is-given-away", source, "may_be_given", "sgd", "swapped")
def given(x: Any, place: Any, inputs: Any, left: Any) -> bool:
    return True


@plant("a-block-is-written-over-what-is-read-later", blocks.Blocks, "is_aligned", "early")
def any_step(self: Any, root: Any, result: Any) -> bool:
    return bool(root.size == result.size)


@plant("inner-values-are-those-read-once", source, "joined", "blocks")
def too_many_inner(instructions: Any, outputs: Any) -> Any:
    handed_out = {id(x.root) for x in arrays_in(outputs)}
    found = joined(instructions, outputs)
    for i in found:
        if isinstance(i, blocks.Blocks):
            i.inner += [x for x in i.result if id(x) not in handed_out]
            i.result = tuple(x for x in i.result if id(x) in handed_out)
    return found


# ---------------------------------------------------------------- what is written down
@plant("buffers-are-not-filled", source, "FILLED", "numpy")
def unfilled() -> Any:
    """np.zeros_like as np.empty_like."""
    return {np.empty_like}


@plant("branches-are-not-recorded", Recorder, "guard", "branching")
def no_guard(self: Recorder, x: Any) -> bool:
    return bool(x.example)


@plant("what-is-added-in-place-is-lost", recording, "is_same_memory", "numpy")
def never_written(a: Any, b: Any) -> bool:
    return True


def check(name: str, owner: Any, function: str, wrong: Callable[..., Any], by: tuple[str, ...]) -> Outcome:
    programs = {program.name: program for program in plans.programs()}
    replacement = wrong() if function == "FILLED" else wrong
    with patch.object(owner, function, replacement):
        outcomes = {program: plans.prove_program(programs[program]) for program in by}
    missed = [program for program, outcome in outcomes.items() if outcome.verdict in PASSING]
    if missed:
        text = f"MISSED  refutes[-plan-{name}]\n\n  planted wrong, and plan-{missed[0]} is {Verdict.PROVED}"
        return Outcome(Verdict.MISSED, text)
    return Outcome(Verdict.CAUGHT, data={"caught_by": {f"lowering[plan-{n}]": str(o.verdict) for n, o in
                                                       outcomes.items()}})  # fmt: skip


def obligations() -> Iterator[Obligation]:
    for name, owner, function, wrong, by in WRONG:
        claim = f"plans are not proved with {function} replaced: {name.replace('-', ' ')}"
        over = ", ".join(f"lowering[plan-{program}]" for program in by)
        check_it = partial(check, name, owner, function, wrong, by)
        yield Obligation("refutes", "", f"plan-{name}", claim, over, check_it)


