"""All obligations, and running them: the one list behind `gradproof prove` and `pytest proofs/`."""
from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from .obligations import KINDS, Entry, Obligation, Outcome, Verdict
from .terms import fresh_names


@cache
def all_obligations() -> tuple[Obligation, ...]:
    """Every obligation, by kind in the order of KINDS, then by op in the order of registration."""
    from . import any_shape, flat, law, lemmas, mutants, ops, planted  # noqa: F401  `ops` registers every op
    from .link import (
        floats,
        induction,
        ir_kinds,
        kernels,
        lowering,
        plans,
        planted_kernels,
        planted_loops,
        planted_plans,
        shape_lemmas,
        shapes,
        steps,
    )

    modules = (any_shape, shapes, flat, kernels, lowering, ir_kinds, induction, steps, plans, floats, law, lemmas,
               shape_lemmas, planted, planted_kernels, planted_loops, planted_plans, mutants)
    found = [obligation for module in modules for obligation in module.obligations()]
    repeated = [i for i, n in Counter(o.id for o in found).items() if n > 1]
    if repeated:
        raise RuntimeError(f"two obligations share an id: {', '.join(repeated)}")
    order = list(KINDS)
    return tuple(sorted(found, key=lambda o: order.index(o.kind)))


def run(obligation: Obligation) -> Entry:
    """Check one obligation. An exception inside our prover is a failure of that obligation, shown as one."""
    started = time.perf_counter()
    with fresh_names():
        try:
            outcome = obligation.check()
        except Exception:  # a fault of the prover itself is never a pass
            outcome = internal_error(obligation, traceback.format_exc())
    return Entry(obligation, outcome, time.perf_counter() - started)


def internal_error(obligation: Obligation, trace: str) -> Outcome:
    text = "The prover stopped with an error of its own. This is a defect of gradproof: please report it."
    return Outcome(Verdict.UNKNOWN, f"UNKNOWN  {obligation.id}\n\n  {text}\n\n{trace}")


def select(ops: Sequence[str] = (), kinds: Sequence[str] = ()) -> list[Obligation]:
    return [o for o in all_obligations() if (not ops or o.op in ops) and (not kinds or o.kind in kinds)]


def prove_ops(ops: Sequence[str] = (), kinds: Sequence[str] = (),
              progress: Callable[[Entry], None] | None = None) -> Iterator[Entry]:
    """Run the obligations of the named ops (all by default), yielding each entry as it is decided."""
    for obligation in select(ops, kinds):
        entry = run(obligation)
        if progress:
            progress(entry)
        yield entry
