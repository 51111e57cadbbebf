"""What a recorded program does not need: copies, multiplications by one, what is computed twice, what nobody reads.

Each step keeps the value of every output bit for bit. A value may stand for another only where neither's memory is
written into by an instruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .recording import Instruction, RecordedArray, Recorder, arrays_in, replaced

FILLED = (np.zeros_like, np.ones_like, np.full_like)
LARGEST_CONSTANT = 4096  # elements: what is computed from constants alone is kept up to this size


def simplified(recorder: Recorder, outputs: Any) -> tuple[list[Instruction], Any]:
    """The instructions that are needed for the outputs, and the outputs."""
    last_write = last_writes(recorder.instructions)
    versions: dict[int, int] = {}  # by the id of a root: how often it has been written into so far
    substitutes: dict[int, RecordedArray] = {}
    known: dict[Any, Any] = {}
    kept = []

    def current(x: Any) -> Any:
        return substitutes.get(id(x), x)

    def key_of(tree: Any) -> Any:
        """Equal for equal arguments: the same values as they are now, and equal constants."""
        if isinstance(tree, (tuple, list)):
            return (type(tree).__name__, *map(key_of, tree))
        if type(tree) is dict:
            return tuple((name, key_of(x)) for name, x in tree.items())
        if isinstance(tree, slice):
            return ("slice", key_of(tree.start), key_of(tree.stop), key_of(tree.step))
        if type(tree) is RecordedArray:
            return (id(tree), versions.get(id(tree.root), 0))
        return (type(tree).__name__, repr(tree)) if tree is None or type(tree) in (int, float, bool, str) else id(tree)

    for t, i in enumerate(recorder.instructions):
        i.arguments, i.keywords = replaced(i.arguments, current), replaced(i.keywords, current)
        if i.target is not None:
            i.target = current(i.target)
            versions[id(i.target.root)] = versions.get(id(i.target.root), 0) + 1
        for x in i.results():
            if x.root is not x:  # the memory that it is a view of may be that of a substitute, or constant, by now
                rebase(x, current(x.root).root)
        result = i.result
        if i.kind not in ("call", "view") or type(result) is not RecordedArray:
            kept.append(i)
            continue
        settled = last_write.get(id(result.root), -1) < t  # nobody writes into it any more
        if settled and i.kind == "call":
            if is_constant(i):
                i.kind, result.origin = "constant", "constant"
                kept.append(i)
                continue
            same = unchanged(i)
            if same is not None and last_write.get(id(same.root), -1) < t:
                substitutes[id(result)] = same
                continue
        key = (i.function, key_of(i.arguments), key_of(i.keywords)) if settled or i.kind == "view" else None
        if key is not None and key in known:
            substitutes[id(result)] = known[key]
            continue
        if i.source is not None:
            i.source = current(i.source)
            if i.source.dtype == result.dtype and same_layout(i.source, result):
                substitutes[id(result)] = i.source
                continue
        if key is not None:
            known[key] = result
        kept.append(i)
    outputs = replaced(outputs, current)
    return needed(kept, outputs), outputs


def last_writes(instructions: Sequence[Instruction]) -> dict[int, int]:
    """Of each root, by id: the last instruction that writes into it or a view of it."""
    return {id(i.target.root): t for t, i in enumerate(instructions) if i.target is not None}


def rebase(x: RecordedArray, root: RecordedArray) -> None:
    """x is a view of the memory of `root`."""
    x._root, x.origin = root, root.origin


def is_constant(i: Instruction) -> bool:
    """Whether an instruction gives the same array in every run."""
    if i.function in FILLED:
        filled = i.function is not np.full_like or not any(True for _ in arrays_in((i.arguments[1:], i.keywords)))
        return filled and i.result.size <= LARGEST_CONSTANT and no_numbers(i)
    arrays = list(i.arrays())
    return bool(arrays) and all(x.origin == "constant" for x in arrays) and i.result.size <= LARGEST_CONSTANT \
        and no_numbers(i)  # fmt: skip


def no_numbers(i: Instruction) -> bool:
    return not i.result.recorder.numbers_in(i.arguments, i.keywords)


def unchanged(i: Instruction) -> RecordedArray | None:
    """The argument that the result is equal to, of the same layout."""
    result = i.result
    candidates: Sequence[Any] = ()
    if i.function in ("copy", "flatten", "astype"):
        candidates = i.arguments[:1]
    elif i.function is np.multiply and not i.keywords:
        a, b = i.arguments
        candidates = [x for x, other in ((a, b), (b, a)) if is_one(other)]
    for x in candidates:
        if type(x) is RecordedArray and x.dtype == result.dtype and same_layout(x, result):
            return x
    return None


def is_one(x: Any) -> bool:
    if type(x) is RecordedArray:
        return x.origin == "constant" and bool(np.all(x.example == 1))
    return type(x) in (int, float) and x == 1


def same_layout(x: Any, y: Any) -> bool:
    strides = [(a, b) for n, a, b in zip(x.shape, x.strides, y.strides, strict=False) if n > 1]
    return bool(x.shape == y.shape and all(a == b for a, b in strides))


def needed(instructions: Sequence[Instruction], outputs: Any) -> list[Instruction]:
    """Without those whose results reach no output and no guard."""
    values = {id(x) for x in arrays_in(outputs)}
    memory = {id(x.root) for x in arrays_in(outputs)}
    kept = []
    for i in reversed(instructions):
        if i.kind == "view":
            wanted = any(id(x) in values for x in i.results())
        elif i.kind == "write":
            wanted = i.target is not None and id(i.target.root) in memory
        elif i.kind == "guard" or i.result is None:
            wanted = True
        else:
            wanted = any(id(x.root) in memory for x in i.results())
        if wanted:
            kept.append(i)
            values |= {id(x) for x in i.arrays()}
            memory |= {id(x.root) for x in i.arrays()}
    return kept[::-1]
