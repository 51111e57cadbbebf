"""Chains of elementwise operations on large arrays, computed block by block: what passes between two of them stays in
the cache, and what nobody else reads needs memory for one block only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .recording import Instruction, RecordedArray, arrays_in

ELEMENTS = 32768  # of a block
LEAST = 32 * ELEMENTS  # elements, from which on a chain is cut into blocks: below, the cache has room for all of it


class Blocks(Instruction):
    """Several elementwise instructions on arrays of one size, one after the other for each block.

    results: those of its steps that are read elsewhere. inner: the others.
    """

    __slots__ = ("inner", "size", "steps")

    def __init__(self, steps: Sequence[Instruction], read_elsewhere: set[int]) -> None:
        made = [x for i in steps for x in i.results()]
        super().__init__("blocks", "blocks", (), {}, tuple(x for x in made if id(x) in read_elsewhere))
        self.steps, self.size = list(steps), size_of(steps[0])
        self.inner = [x for x in made if id(x) not in read_elsewhere]

    def arrays(self) -> Iterator[RecordedArray]:
        made = {id(x) for i in self.steps for x in i.results()}
        return (x for i in self.steps for x in i.arrays() if id(x) not in made)

    def is_aligned(self, root: RecordedArray, result: RecordedArray) -> bool:
        """Whether a result may be written over a root that it reads: the steps up to the one that makes it read the
        same element, the later ones nothing."""
        made = next(t for t, i in enumerate(self.steps) if any(x is result for x in i.results()))
        return all(
            t <= made and x is root and x.dtype == result.dtype and x.size == result.size
            for t, i in enumerate(self.steps) for x in i.arrays() if x.root is root
        )  # fmt: skip


def is_elementwise(i: Instruction) -> bool:
    """Whether each element of what it makes depends on the elements in the same place only."""
    of_elements = isinstance(i.function, np.ufunc) and i.function.signature is None
    return type(i) is Blocks or i.function is np.where or of_elements


def size_of(i: Instruction) -> int:
    x = i.result if i.target is None else i.target
    return int(x.size) if type(x) is RecordedArray else 0


def is_flat(x: RecordedArray, size: int) -> bool:
    """Whether it is a number, or all of its memory in order."""
    return x.root.size == 1 or (x.size == size == x.root.size and bool(x.example.flags.c_contiguous))


def fits(i: Instruction) -> bool:
    """Whether an instruction can be done block by block."""
    if not is_elementwise(i) or i.kind not in ("call", "write") or set(i.keywords) - {"out"} or size_of(i) < LEAST:
        return False
    whole = i.result if i.target is None else i.target
    if type(whole) is not RecordedArray or whole.root is not whole:
        return False
    if i.function is np.where and (whole.dtype.kind != "f" or not isinstance(i.arguments[0], np.ndarray)):
        return False
    shapes = {x.shape for x in (*i.arrays(), whole) if x.size > 1}
    return len(shapes) == 1 and all(is_flat(x, size_of(i)) for x in (*i.arrays(), whole))


def joined(instructions: Sequence[Instruction], outputs: Any) -> list[Instruction]:
    """The same program with chains of two and more such instructions of one size as Blocks."""
    chains: list[list[Instruction]] = []
    for i in instructions:
        if chains and fits(i) and fits(chains[-1][-1]) and size_of(i) == size_of(chains[-1][-1]):
            chains[-1].append(i)
        else:
            chains.append([i])
    readers: dict[int, set[int]] = {}  # by the id of a root: the chains that read or write it
    for number, chain in enumerate(chains):
        for x in (x for i in chain for x in i.arrays()):
            readers.setdefault(id(x.root), set()).add(number)
    handed_out = {id(x.root) for x in arrays_in(outputs)}
    found: list[Instruction] = []
    for number, chain in enumerate(chains):
        if len(chain) == 1:
            found += chain
            continue
        made = {id(x) for i in chain for x in i.results()}
        found.append(Blocks(chain, {x for x in made if x in handed_out or readers.get(x, set()) - {number}}))
    return found
