"""Where each value of a program lives: in a buffer that is kept from run to run, and reused once nobody reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..special import FEW
from . import blocks
from .blocks import Blocks, is_elementwise
from .recording import Instruction, RecordedArray, arrays_in
from .simplify import same_layout

SMALL = 256  # elements: an output up to this size is copied out of a buffer rather than made anew
INTO_OUT = frozenset({np.concatenate, np.stack, np.dot, np.einsum, np.argmax, np.argmin, np.cumsum, np.cumprod})
MOVED = frozenset({"copy", "flatten", "astype", "reshape", "ravel", np.copy})
FILLED = frozenset({np.zeros_like, np.ones_like, np.full_like, np.empty_like})


@dataclass
class Buffer:
    """A stretch of memory of one dtype."""

    dtype: Any
    size: int


@dataclass
class Layout:
    """Where the memory of each root is, by id: a Buffer; ("input", k), the k-th array of the arguments; "fresh", made
    in every run because it is handed out; "constant"; "result", what the instruction itself returns.

    late: (k, value): copied into the k-th array at the end.
    """

    places: dict[int, Any] = field(default_factory=dict)
    buffers: list[Buffer] = field(default_factory=list)
    late: list[tuple[int, RecordedArray]] = field(default_factory=list)
    scratch: list[Buffer] = field(default_factory=list)

    def of(self, x: RecordedArray) -> Any:
        return self.places[id(x.root)]

    def is_fixed(self, x: RecordedArray) -> bool:
        """Whether its memory is the same in every run."""
        place = self.of(x)
        return isinstance(place, Buffer) or place == "constant"


def takes_out(i: Instruction) -> bool:
    """Whether the call can be told where to put its result."""
    if type(i) is Blocks:
        return True
    if i.kind != "call" or type(i.result) is not RecordedArray:
        return False
    f, owner = i.function, getattr(i.function, "__self__", None)
    if isinstance(f, np.ufunc):
        return f.nout == 1 and "where" not in i.keywords
    if isinstance(owner, np.ufunc):
        return getattr(f, "__name__", "") in ("reduce", "accumulate") and "initial" not in i.keywords
    if f is np.where:
        return i.result.size >= FEW and i.result.dtype.kind == "f" and isinstance(i.arguments[0], np.ndarray)
    if f in ("reshape", "ravel", "flatten"):  # in the order of C: the result is C-contiguous then
        return i.keywords.get("order", "C") == "C" and (f == "reshape" or i.arguments[1] == "C")
    if f is np.full_like:
        return len(i.arguments) > 1
    return (f in INTO_OUT and "dtype" not in i.keywords) or f in MOVED or f in FILLED


def laid_out(
    instructions: Sequence[Instruction], inputs: Sequence[RecordedArray], outputs: Any, donated: Sequence[int]
) -> Layout:
    """donated: the numbers of the input arrays that may be overwritten."""
    layout = Layout()
    for k, x in enumerate(inputs):
        layout.places[id(x)] = ("input", k)
    for x in (x for i in instructions for x in (*i.arrays(), *i.results()) if x.root.origin == "constant"):
        layout.places[id(x.root)] = "constant"
    born, dies = lifetimes(instructions, outputs)
    taken = handed_over(layout, instructions, inputs, outputs, donated, born, dies)
    out_roots = {id(x.root): x for x in arrays_in(outputs)}
    free: list[Buffer] = []
    until: dict[int, int] = {}  # by the id of a buffer: the last instruction that needs what is in it
    ending: dict[int, list[Buffer]] = {}
    holds: dict[int, int] = {}  # by the id of a buffer: the id of the root in it
    for t, i in enumerate(instructions):
        for x in i.results():
            root = x.root
            if id(root) in layout.places:
                continue
            if not takes_out(i):
                layout.places[id(root)] = "result"
            elif id(root) in taken:
                layout.places[id(root)] = ("input", taken[id(root)])
            elif is_handed_out(out_roots.get(id(root)), layout):
                layout.places[id(root)] = "fresh"
            else:
                buffer = in_place(i, root, t, dies, layout, holds) or reused(root, free, layout)
                layout.places[id(root)] = buffer
                until[id(buffer)], holds[id(buffer)] = dies[id(root)], id(root)
                ending.setdefault(dies[id(root)], []).append(buffer)
        if type(i) is Blocks:
            place_inner(i, layout)
        for buffer in ending.pop(t, []):
            if until[id(buffer)] == t and not any(buffer is other for other in free):
                free.append(buffer)
    return layout


def lifetimes(instructions: Sequence[Instruction], outputs: Any) -> tuple[dict[int, int], dict[int, int]]:
    """Of each root, by id: the instruction that makes it, and the last that reads or writes it or a view of it. What an
    output needs lives on."""
    born: dict[int, int] = {}
    dies: dict[int, int] = {}
    for t, i in enumerate(instructions):
        for x in i.results():
            born.setdefault(id(x.root), t)
        for x in (*i.arrays(), *i.results()):
            dies[id(x.root)] = t
    return born, dies | {id(x.root): len(instructions) for x in arrays_in(outputs)}


def last_check(instructions: Sequence[Instruction]) -> int:
    """The last instruction after which the run may be given up; before it no input is overwritten. Rules and indices
    may raise."""
    checks = [
        t for t, i in enumerate(instructions) if i.kind in ("guard", "whole") or
        (not isinstance(i.function, np.ufunc) and any(x.dtype.kind in "iu" for x in i.arrays()))
    ]  # fmt: skip
    return max(checks, default=-1)


def is_handed_out(output: RecordedArray | None, layout: Layout) -> bool:
    """Whether the memory of an output is made anew so that it can be given away."""
    late = any(output is x for _, x in layout.late)
    return output is not None and not late and output.size > SMALL and is_whole(output)


def is_whole(x: RecordedArray) -> bool:
    return bool(x.size == x.root.size and x.example.flags.c_contiguous)


def in_place(
    i: Instruction, result: RecordedArray, t: int, dies: dict[int, int], layout: Layout, holds: dict[int, int]
) -> Buffer | None:
    """The buffer of an argument that is read here for the last time, element by element."""
    if not is_elementwise(i):
        return None
    for x in i.arrays():
        if not isinstance(layout.of(x), Buffer) or holds.get(id(layout.of(x))) != id(x.root):
            continue
        if dies[id(x.root)] == t and is_free(i, x.root, result, t, dies[id(x.root)]):
            buffer: Buffer = layout.of(x)
            return buffer
    return None


def is_free(i: Instruction, root: RecordedArray, result: RecordedArray, t: int, last: int) -> bool:
    """Whether the result of instruction t may be written over a root that is used last at `last`."""
    return last < t or (last == t and is_aligned(i, root, result))


def is_aligned(i: Instruction, root: RecordedArray, result: RecordedArray) -> bool:
    """Whether all that the instruction reads of this memory is the element that it writes."""
    if type(i) is Blocks:
        return i.is_aligned(root, result)
    reads = [x for x in i.arrays() if x.root is root]
    return is_elementwise(i) and all(
        x.dtype == result.dtype and x.size == root.size == result.size and same_layout(x, result)
        and same_layout(x, root) for x in reads
    )  # fmt: skip


def reused(root: RecordedArray, free: list[Buffer], layout: Layout) -> Buffer:
    """The smallest free buffer that is large enough, and not much too large; else a new one."""
    fitting = [b for b in free if b.dtype == root.dtype and root.size <= b.size <= 4 * root.size + 64]
    if fitting:
        best = min(reversed(fitting), key=lambda b: b.size)  # of equal ones the last: it may be in the cache still
        free[:] = [b for b in free if b is not best]
        return best
    layout.buffers.append(Buffer(root.dtype, root.size))
    return layout.buffers[-1]


def place_inner(i: Blocks, layout: Layout) -> None:
    """Buffers of one block for the values that are read in their chain only. Chains share them."""
    inner = {id(x) for x in i.inner}
    last = {id(x): t for t, step in enumerate(i.steps) for x in (*step.results(), *step.arrays())}
    free = list(layout.scratch)
    for t, step in enumerate(i.steps):
        ending = {id(x): layout.places[id(x)] for x in step.arrays() if id(x) in inner and last[id(x)] == t}
        free = [*free, *ending.values()]  # a step may write over what it reads
        for x in step.results():
            if id(x) not in inner:
                continue
            buffer = next((b for b in reversed(free) if b.dtype == x.dtype), None)
            if buffer is None:
                buffer = Buffer(x.dtype, blocks.ELEMENTS)
                layout.scratch.append(buffer)
            free = [b for b in free if b is not buffer]
            layout.places[id(x)] = buffer
            if last[id(x)] == t:
                free.append(buffer)


def handed_over(
    layout: Layout, instructions: Sequence[Instruction], inputs: Sequence[RecordedArray], outputs: Any,
    donated: Sequence[int], born: dict[int, int], dies: dict[int, int],
) -> dict[int, int]:  # fmt: skip
    """The donated input, by number, in whose memory the root of an output is computed; what cannot be computed there is
    copied at the end."""
    taken: dict[int, int] = {}
    last_guard = last_check(instructions)
    left = list(donated)
    seen: set[int] = set()
    for output in arrays_in(outputs):
        if id(output.root) in seen or output.origin == "input" or output.origin == "constant":
            continue
        seen.add(id(output.root))
        k = next((k for k in left if inputs[k].shape == output.shape and inputs[k].dtype == output.dtype), None)
        if k is None:
            continue
        left.remove(k)
        t, last = born[id(output.root)], dies.get(id(inputs[k]), -1)
        i = instructions[t]
        direct = is_whole(output) and takes_out(i) and t > last_guard and output.root.shape == output.shape
        if direct and is_free(i, inputs[k], output.root, t, last):
            taken[id(output.root)] = k
        else:
            layout.late.append((k, output))
    return taken
