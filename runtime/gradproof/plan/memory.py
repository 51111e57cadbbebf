"""Where each value of a program lives: in a stretch of memory that is kept from run to run, and reused once nobody
reads it."""

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
UNIT = 16  # elements: a longer buffer takes a multiple, so that long ones stay aligned
GROUP = 200  # buffers that are fitted together: the time for each grows with their number
INTO_OUT = frozenset({np.concatenate, np.stack, np.dot, np.einsum, np.argmax, np.argmin, np.cumsum, np.cumprod})
MOVED = frozenset({"copy", "flatten", "astype", "reshape", "ravel"})
FILLED = frozenset({np.zeros_like, np.ones_like, np.full_like, np.empty_like})


@dataclass(eq=False)
class Buffer:
    """A stretch of the memory of its dtype, from element `start` on. first, last: the instructions between which it is
    in use."""

    dtype: Any
    size: int
    first: int
    last: int
    start: int = 0

    def meets(self, other: Buffer) -> bool:
        """Whether both are in use at some time."""
        return self.first <= other.last and other.first <= self.last


@dataclass
class Layout:
    """Where the memory of each root is, by id: a Buffer; ("input", k), the k-th array of the arguments; "fresh", made
    in every run because it is handed out; "constant"; "result", what the instruction itself returns.

    late: (k, value): copied into the k-th array at the end. sizes: of the memory of each dtype.
    """

    places: dict[int, Any] = field(default_factory=dict)
    late: list[tuple[int, RecordedArray]] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    sizes: dict[Any, int] = field(default_factory=dict)

    def of(self, x: RecordedArray) -> Any:
        return self.places[id(x.root)]

    def buffer(self, x: Any, size: int, first: int, last: int) -> Buffer:
        """A new one, for the dtype of x."""
        self.buffers.append(Buffer(x.dtype, size, first, last))
        return self.buffers[-1]

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
                buffer = in_place(i, root, t, dies, layout, holds) or layout.buffer(root, root.size, t, t)
                layout.places[id(root)] = buffer
                buffer.last, holds[id(buffer)] = dies[id(root)], id(root)
        if type(i) is Blocks:
            place_inner(i, t, layout)
    for dtype in dict.fromkeys(buffer.dtype for buffer in layout.buffers):
        layout.sizes[dtype] = fitted([buffer for buffer in layout.buffers if buffer.dtype == dtype])
    return layout


def fitted(buffers: Sequence[Buffer]) -> int:
    """Sets where each begins; returns the size of the memory. The largest comes first, and each goes into the smallest
    gap between those that it meets (Pisarchyk and Lee, 2020)."""
    buffers = sorted(buffers, key=lambda buffer: -buffer.size)
    end = 0
    for k in range(0, len(buffers), GROUP):
        bottom = end
        done: list[Buffer] = []
        for buffer in buffers[k : k + GROUP]:
            taken = sorted((other.start, other.start + room(other)) for other in done if buffer.meets(other))
            gaps, at = [], bottom
            for start, stop in taken:
                if start - at >= room(buffer):
                    gaps.append((start - at, at))
                at = max(at, stop)
            buffer.start = min(gaps)[1] if gaps else at
            done.append(buffer)
            end = max(end, buffer.start + room(buffer))
    return end


def room(buffer: Buffer) -> int:
    """The elements that it takes."""
    return buffer.size if buffer.size < UNIT else -(-buffer.size // UNIT) * UNIT


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
    """Whether it is all of its memory in order, and so is what it is a view of: memory made anew is in that order."""
    return bool(x.size == x.root.size and x.example.flags.c_contiguous and x.root.example.flags.c_contiguous)


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


def place_inner(i: Blocks, t: int, layout: Layout) -> None:
    """Buffers of one block for the values that are read in their chain only."""
    inner = {id(x) for x in i.inner}
    last = {id(x): k for k, step in enumerate(i.steps) for x in (*step.results(), *step.arrays())}
    free: list[Buffer] = []
    for k, step in enumerate(i.steps):
        free += {id(x): layout.places[id(x)] for x in step.arrays() if id(x) in inner and last[id(x)] == k}.values()
        for x in step.results():  # a step may write over what it reads
            if id(x) not in inner:
                continue
            buffer = next((b for b in reversed(free) if b.dtype == x.dtype), None)
            buffer = buffer or layout.buffer(x, blocks.ELEMENTS, t, t)
            free = [b for b in free if b is not buffer]
            layout.places[id(x)] = buffer
            if last[id(x)] == k:
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
