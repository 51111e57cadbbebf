"""Values that are made only to be copied into a view, computed there at once."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np

from .blocks import is_elementwise
from .memory import takes_out
from .recording import Instruction, RecordedArray, arrays_in


def without_copies(instructions: Sequence[Instruction], outputs: Any) -> list[Instruction]:
    """The same program, where elementwise operations whose result is copied once, and not read otherwise, have the
    place of the copy and write into its target."""
    used: dict[int, int] = {}  # by the id of a root: how many instructions make, read or write it or views of it
    written: dict[int, list[int]] = {}  # by the id of a root: when
    made: dict[int, int] = {}  # by the id of a value: when
    for t, i in enumerate(instructions):
        for root in {id(x.root) for x in (*i.arrays(), *i.results())}:
            used[root] = used.get(root, 0) + 1
        if i.target is not None:
            written.setdefault(id(i.target.root), []).append(t)
        if i.kind == "call" and type(i.result) is RecordedArray:
            made[id(i.result)] = t
    handed_out = {id(x.root) for x in arrays_in(outputs)}
    found: list[Instruction | None] = list(instructions)
    for t, i in enumerate(instructions):
        if i.kind != "write" or i.function is not np.copyto or i.keywords.keys() - {"casting"} or i.target is None:
            continue
        if len(i.arguments) != 2:  # a mask may be among them
            continue
        value = i.arguments[1]
        k = made.get(id(value), -1)
        if k < 0 or used[id(value)] != 2 or id(value) in handed_out or not fits(instructions[k], i.target):
            continue
        if not any(is_written(written.get(id(x.root), []), k, t) for x in instructions[k].arrays()):
            maker = instructions[k]
            keywords = maker.keywords if maker.function is np.where else {**maker.keywords, "out": i.target}
            found[k], found[t] = None, Instruction("write", maker.function, maker.arguments, keywords, None, i.target)
    return [i for i in found if i is not None]


def fits(maker: Instruction, target: RecordedArray) -> bool:
    """Whether an instruction can write into the target. What it reads may overlap it: NumPy sees to that."""
    value = maker.result
    alike = value.dtype == target.dtype and value.shape == target.shape
    return bool(alike and is_elementwise(maker) and takes_out(maker))


def is_written(times: Sequence[int], after: int, before: int) -> bool:
    """Whether one of the times, which are in order, is between the two."""
    k = bisect(times, after)
    return k < len(times) and times[k] < before
