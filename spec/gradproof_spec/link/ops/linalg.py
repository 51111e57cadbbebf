"""TRUSTED. Matrix products as instances of the specification: leading batch axes.

Trusted is the correspondence. Below it stand the examples, the float forms, nan and inf, and the wrong kernels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy import inf, nan

from ...op import OPS, Op
from ...ops.linalg import einsum_op
from ..calls import EXTENTS, Draw, Form, form, narrowed, some_shape
from ..cases import Correspondence, Shape, batched, corresponds, extents
from ..examples import BATCHES, example
from ..nonfinite import TABLE, forward, jvp, vjp
from ..planted_kernels import plant


# ---------------------------------------------------------------- the correspondence
@corresponds("linear")
def linear_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    return batched(op, {"x": 1, "y": 1}, shapes)


@corresponds("matmul")
def matmul_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    return batched(op, {"a": 2, "b": 2, "c": 2}, shapes)


LETTERS = "ijklmnopqrstuvwxyzabcdefh"  # g is the cotangent


def renamed(equation: str) -> str:
    """The equation in the specification's letters."""
    new = dict(zip(dict.fromkeys(c for c in equation if c.isalpha()), LETTERS, strict=False))
    return "".join(new.get(c, c) for c in equation)


@corresponds("einsum", attributes=lambda case, sizes: {"equation": case.label})
def einsum_instance(op: str, shapes: Sequence[Shape], attributes: Mapping[str, Any]) -> Correspondence:
    equation = attributes["equation"]
    spec: Op = OPS[op] if equation in OPS[op].signatures else einsum_op(renamed(equation))  # type: ignore[no-untyped-call]
    case = next(c for c in spec.cases if c.label in (equation, renamed(equation)))
    return Correspondence(case, extents(case, {t.name: s for t, s in zip(case.inputs, shapes, strict=True)}))


# ---------------------------------------------------------------- examples for the kernels
for batch in BATCHES:
    example("linear", f"batch{len(batch)}", (*batch, 3), (2, 3), (2,))
    example("matmul", f"batch{len(batch)}", (*batch, 2, 3), (*batch, 3, 2))
example("linear", "no-bias", (2, 3), (2, 3))
example("linear", "empty-batch", (0, 3), (2, 3), (2,))
example("matmul", "empty-k", (2, 0), (0, 2))
example("matmul", "ones", (1, 1), (1, 1))

EINSUMS: dict[str, tuple[str, tuple[Shape, ...]]] = {
    "matmul": ("ij,jk->ik", ((2, 3), (3, 2))),
    "batch": ("bij,bjk->bik", ((2, 1, 2), (2, 2, 1))),
    "transposed": ("ji,jk->ki", ((2, 2), (2, 3))),
    "outer": ("i,j->ij", ((2,), (3,))),
    "trace": ("ii->", ((2, 2),)),
    "diagonal": ("ii->i", ((2, 2),)),
    "transpose": ("ij->ji", ((2, 3),)),
    "sum": ("ij->", ((2, 2),)),
    "dot": ("i,i->", ((2,), (2,))),
    "bilinear": ("i,ij,j->", ((2,), (2, 2), (2,))),
    "hadamard": ("ij,ij->ij", ((2, 1), (2, 1))),
    "scores": ("bhqd,bhkd->bhqk", ((1, 2, 1, 2), (1, 2, 2, 2))),
    "three": ("ij,jk,kl->il", ((1, 2), (2, 2), (2, 1))),
    "spread": ("ij,k->i", ((2, 2), (2,))),
    "diagonal-of-one": ("ii,ij->j", ((2, 2), (2, 2))),
    "diagonal-of-three": ("iij,jk->k", ((2, 2, 1), (1, 2))),
    "numbers": (",->", ((), ())),
    "number-and-dot": (",i,i->", ((), (2,), (2,))),
    "empty": ("ij,jk->ik", ((2, 0), (0, 1))),
}
for name, (equation, shapes) in EINSUMS.items():
    example("einsum", name, *shapes, equation=equation)


# ---------------------------------------------------------------- calls in floats
@form("linear")
def linear_form(draw: Draw) -> Form:
    lead, i, o = some_shape(draw, 0, 2), draw(EXTENTS), draw(EXTENTS)
    return Form([(*lead, i), (o, i), (o,)][: draw(st.sampled_from((3, 2)))], (*lead, o))


@form("matmul")
def matmul_form(draw: Draw) -> Form:
    n, k, m = (draw(EXTENTS) for _ in "nkm")
    batch = some_shape(draw, 0, 2)
    narrow = draw(st.booleans()) and len(batch) < 2  # the specification's broadcast_to has ranks up to 3
    a, b = (narrowed(draw, batch) if narrow else batch for _ in "ab")
    left = draw(st.sampled_from([(*a, n, k), (k,)] if narrow else [(*a, n, k)]))
    right = draw(st.sampled_from([(*b, k, m), (k, m), (k,)] if narrow else [(*b, k, m)]))
    return Form([left, right], np.matmul(np.zeros(left), np.zeros(right)).shape)


@form("einsum", first=("equation",))
def einsum_form(draw: Draw) -> Form:
    """Letters, repeats, a broadcast axis; sometimes with an ellipsis or without the output."""
    extent = {letter: draw(EXTENTS) for letter in "abc"}
    terms = draw(st.lists(st.text("abc", max_size=3), min_size=1, max_size=3))
    used = "".join(dict.fromkeys("".join(terms)))
    output = "".join(draw(st.permutations(used)))[: draw(st.integers(0, 3))]
    shapes = [tuple(extent[letter] for letter in term) for term in terms]
    if draw(st.booleans()):
        place = draw(st.integers(0, len(terms) - 1))
        shapes[place] = (*some_shape(draw, 0, 1), *shapes[place])
        terms[place], output = f"...{terms[place]}", f"...{output}"
    equation = ",".join(terms) + (f"->{output}" if draw(st.integers(0, 3)) else "")
    return Form(shapes, np.einsum(equation, *map(np.zeros, shapes)).shape, {"equation": equation})


# ---------------------------------------------------------------- nan, inf, -inf, -0.0
TABLE.update({
    "linear": [
        forward(
            [[1.0, 2.0], [nan, 0.0]],
            [[1.0, 1.0], [inf, 0.0], [1.0, 0.0]],
            [0.0, 0.0, -inf],
            gives=[[3.0, inf, -inf], [nan, nan, nan]],
        ),
        jvp([[inf, 1.0]], [[1.0, 2.0]], [nan], d=([[1.0, 1.0]], [[1.0, 0.0]], [0.0]), gives=[[inf]]),
        vjp(
            [[1.0, 2.0]],
            [[1.0, 1.0], [0.0, 1.0]],
            [0.0, 0.0],
            g=[[nan, 1.0]],
            gives=([[nan, nan]], [[nan, nan], [1.0, 2.0]], [nan, 1.0]),
        ),
    ],
    "matmul": [  # 0 * inf = nan; what a row of a holds stays in its row
        forward(
            [[nan, 1.0], [0.0, 1.0], [1.0, 2.0]], [[1.0, inf], [1.0, 1.0]], gives=[[nan, nan], [1.0, nan], [3.0, inf]]
        ),
        jvp([[inf, 1.0]], [[1.0], [2.0]], d=([[1.0, nan]], [[0.0], [0.0]]), gives=[[nan]]),
        vjp(
            [[inf, 1.0], [2.0, 3.0]], [[1.0], [0.0]], g=[[1.0], [nan]], gives=([[1.0, 0.0], [nan, nan]], [[nan], [nan]])
        ),
    ],
    "einsum": [
        forward([[nan, 1.0], [0.0, 1.0]], [1.0, inf], equation="ij,j->i", gives=[nan, inf]),
        forward([[1.0, nan], [inf, -0.0]], equation="ii->i", gives=[1.0, -0.0], signed=True),
        jvp([[1.0, 2.0]], [inf, 1.0], equation="ij,j->i", d=([[0.0, 1.0]], [1.0, 0.0]), gives=[nan]),
        vjp([[1.0, nan]], [inf, 1.0], equation="ij,j->i", g=[1.0], gives=([[inf, 1.0]], [1.0, nan])),
        vjp([[1.0, nan], [inf, 2.0]], equation="ii->i", g=[nan, 1.0], gives=([[nan, 0.0], [0.0, 1.0]],)),
        vjp([[1.0, nan]], [inf], equation="ij,k->i", g=[2.0], gives=([[inf, inf]], [nan])),
    ],
})


# ---------------------------------------------------------------- wrong kernels
@plant("linear", "kernel-gbias-not-summed", "vjp bias", "batch1")  # 12
def gbias_not_summed(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return g[0]


@plant("matmul", "kernel-not-transposed", "vjp a", "batch1")
def matmul_wrong(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return (g @ np.swapaxes(inputs[1], -1, -2))[..., ::-1, :]


@plant("matmul", "shape-transposed", "shape")
def matmul_shape(a: Any, b: Any) -> Any:
    return (*a[:-2], b[-1], a[-2])


@plant("einsum", "kernel-gx-off-the-diagonal", "vjp xs", "diagonal")
def off_the_diagonal(g: Any, inputs: Any, out: Any, residual: Any, *, equation: Any) -> Any:
    return (np.broadcast_to(g, inputs[0].shape),)


@plant("einsum", "kernel-operands-exchanged", "vjp xs", "matmul")
def operands_exchanged(g: Any, inputs: Any, out: Any, residual: Any, *, equation: Any) -> Any:
    a, b = inputs
    return (b @ np.swapaxes(g, 0, 1)).T, a.T @ g[::-1]


@plant("einsum", "shape-in-order-of-appearance", "shape")
def einsum_shape(*xs: Any, equation: Any) -> Any:
    terms, output = equation.split("->")
    extent = dict(zip(terms.replace(",", ""), (n for x in xs for n in x), strict=True))
    return tuple(n for letter, n in extent.items() if letter in output)
