"""Planted wrong rules of the runtime: NumPy kernels that `kernel` must refute, shape rules that `shape` must."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import gradproof
from gradproof.errors import ShapeError
from gradproof.op import OPS as RUNTIME

from ..obligations import Obligation, Outcome, Verdict
from ..op import OPS
from . import shapes
from .examples import EXAMPLES
from .kernels import Run, prove_run


@dataclass(frozen=True)
class WrongKernel:
    """`rule` (a key of the table entry's rules) replaced by `wrong`; shown wrong at the named example."""

    op: str
    name: str
    rule: str
    example: str
    wrong: Callable[..., Any]

    @property
    def kind(self) -> str:
        return "shape" if self.rule == "shape" else "kernel"

    @property
    def direction(self) -> str:
        return self.rule.split()[0]


WRONG: list[WrongKernel] = []


def plant(op: str, name: str, rule: str, example: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(wrong: Callable[..., Any]) -> Callable[..., Any]:
        WRONG.append(WrongKernel(op, name, rule, example, wrong))
        return wrong

    return register


@plant("sub", "kernel-adds", "forward", "2x3")
def sub_adds(inputs: Any) -> Any:
    return inputs[0] + inputs[1], None


@plant("mul", "kernel-vjp-of-the-other", "vjp a", "3")
def mul_wrong(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return g * inputs[0]


@plant("exp", "kernel-vjp-without-factor", "vjp x", "3")
def exp_wrong(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return g


@plant("relu", "kernel-slope-1-at-0", "vjp x", "3")
def relu_at_zero(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return np.where(inputs[0] >= 0, g, 0)


@plant("relu", "kernel-right-but-at-2", "forward", "3")
def relu_but(inputs: Any) -> Any:
    (x,) = inputs
    return np.where(x == 2, 0, np.maximum(x, 0)), None


@plant("maximum", "kernel-tie-to-one-side", "vjp a", "3")  # 7
def maximum_tie(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return np.where(inputs[0] >= inputs[1], g, 0)


@plant("reduce_sum", "kernel-wrong-axis", "forward", "2x3-axis0")
def reduce_wrong(inputs: Any, *, axis: Any, keepdims: Any) -> Any:
    return inputs[0].sum(axis=1, keepdims=keepdims), None


@plant("reduce_mean", "kernel-divides-by-all", "vjp x", "2x3-axis1")
def mean_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, axis: Any, keepdims: Any) -> Any:
    (x,) = inputs
    return np.broadcast_to(g[:, None], x.shape) / x.size


@plant("linear", "kernel-gbias-not-summed", "vjp bias", "batch1")  # 12
def gbias_not_summed(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return g[0]


@plant("matmul", "kernel-not-transposed", "vjp a", "batch1")
def matmul_wrong(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return (g @ np.swapaxes(inputs[1], -1, -2))[..., ::-1, :]


@plant("broadcast_to", "kernel-left-aligned", "forward", "2-to-2x2")  # 5, at a shape where both alignments fit
def broadcast_left(inputs: Any, *, shape: Any) -> Any:
    return np.broadcast_to(inputs[0][:, None], shape), None


@plant("reshape", "kernel-column-major", "forward", "2x3-to-3x2")
def reshape_fortran(inputs: Any, *, shape: Any) -> Any:
    return inputs[0].transpose().reshape(shape), None


@plant("concat", "kernel-reversed", "forward", "axis0-2")
def concat_reversed(inputs: Any, *, axis: Any) -> Any:
    return np.concatenate(inputs[::-1], axis=axis), None


@plant("gather_rows", "kernel-repeats-dropped", "vjp x", "repeats")  # 13
def gather_drops(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    x, indices = inputs
    gx = np.zeros_like(x)
    inside = (indices >= 0) & (indices < x.shape[0])
    gx[indices[inside]] = g[inside]
    return gx


@plant("gather_rows", "kernel-negative-wraps", "forward", "outside")
def gather_wraps(inputs: Any) -> Any:
    x, indices = inputs
    return x[indices % x.shape[0]], None


@plant("softmax", "kernel-vjp-without-the-sum", "vjp x", "2x3-axis1")  # 15
def softmax_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, axis: Any) -> Any:
    return g * out


@plant("log_softmax", "kernel-vjp-formula-as-jvp", "jvp x", "2x3-axis1")  # 1
def log_softmax_wrong(dx: Any, inputs: Any, out: Any, residual: Any, *, axis: Any) -> Any:
    return dx - np.exp(out) * dx.sum(axis=axis, keepdims=True)


@plant("conv", "kernel-gbias-not-summed-over-batch", "vjp bias", "batch1-k2")  # 12
def conv_gbias(g: Any, inputs: Any, out: Any, residual: Any, *, stride: Any, padding: Any) -> Any:
    return g.sum(axis=(-2, -1))[0]


@plant("max_pool", "kernel-every-tied-cell", "vjp x", "h3w3-k2-s1")  # 8
def pool_all(g: Any, inputs: Any, out: Any, residual: Any, *, kernel: Any, stride: Any, padding: Any) -> Any:
    (x,) = inputs
    gx = np.zeros_like(x)
    for u in range(2):
        for v in range(2):
            cells = gx[u : u + 2, v : v + 2]
            cells += np.where(x[u : u + 2, v : v + 2] == out, g, 0)
    return gx


@plant("layer_norm", "kernel-without-mean-of-g-xhat", "vjp x", "batch1")  # 10
def layer_norm_wrong(g: Any, inputs: Any, out: Any, residual: Any, *, eps: Any) -> Any:
    x, gamma, _ = inputs
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps)
    gxhat = g * gamma
    return scale * (gxhat - gxhat.mean(axis=-1, keepdims=True))


@plant("mse_loss", "kernel-without-the-2", "vjp yhat", "3")
def mse_wrong(g: Any, inputs: Any, out: Any, residual: Any) -> Any:
    yhat, target = inputs
    return g * (yhat - target) / yhat.size


@plant("neg", "kernel-in-place-sign", "jvp x", "3")
def neg_wrong(dx: Any, inputs: Any, out: Any, residual: Any) -> Any:
    return dx


@plant("add", "kernel-forgets-b", "forward", "2x3")
def add_wrong(inputs: Any) -> Any:
    return inputs[0] + 0 * inputs[1], None


# ---------------------------------------------------------------- wrong shape rules, refuted by `shape`
def window_count(extent: Any, window: Any, step: Any, pad: Any) -> Any:
    return (extent + 2 * pad - window) // step + 1


@plant("conv", "shape-phantom-output-at-stride-0", "shape")  # 4: division by 0 gives 0, so there is one phantom output
def conv_stride_zero(x: Any, weight: Any, bias: Any = None, *, stride: Any, padding: Any) -> Any:
    out: tuple[Any, ...] = ()
    for extent, window, step, pad in zip(x[-2:], weight[-2:], stride, padding, strict=True):
        if step < 0 or pad < 0 or window < 1 or extent + 2 * pad < window:
            raise ShapeError("conv: no window")
        out += (1 if step == 0 else window_count(extent, window, step, pad),)
    return (*x[:-3], weight[0], *out)


@plant(
    "conv", "shape-truncated-subtraction", "shape"
)  # 6: max(H + 2 padding - U, 0)
def conv_truncated(x: Any, weight: Any, bias: Any = None, *, stride: Any, padding: Any) -> Any:
    out: tuple[Any, ...] = ()
    for extent, window, step, pad in zip(x[-2:], weight[-2:], stride, padding, strict=True):
        if step < 1 or pad < 0 or window < 1:
            raise ShapeError("conv: no window")
        out += (1 if extent + 2 * pad < window else window_count(extent, window, step, pad),)
    return (*x[:-3], weight[0], *out)


@plant("max_pool", "shape-one-window-more", "shape")
def max_pool_ceil(x: Any, *, kernel: Any, stride: Any, padding: Any) -> Any:
    pools = zip(x[-2:], kernel, stride, padding, strict=True)
    return (*x[:-2], *(window_count(extent + step - 1, window, step, pad) for extent, window, step, pad in pools))


@plant("broadcast_to", "shape-left-aligned", "shape")  # 5
def broadcast_shape_left(x: Any, *, shape: Any) -> Any:
    for have, want in zip(x, shape, strict=False):
        if have != want and have != 1:
            raise ShapeError("broadcast_to: shapes do not match")
    return shape


@plant("concat", "shape-of-the-first", "shape")
def concat_shape_first(*xs: Any, axis: Any) -> Any:
    return xs[0]


@plant("matmul", "shape-transposed", "shape")
def matmul_shape(a: Any, b: Any) -> Any:
    return (*a[:-2], b[-1], a[-2])


def check(fault: WrongKernel) -> Outcome:
    """CAUGHT if, with the wrong rule in the runtime's table, the named kind is refuted."""
    rules = RUNTIME[fault.op].rules
    right = rules[fault.rule]
    rules[fault.rule] = fault.wrong
    try:
        if fault.kind == "shape":
            outcome = shapes.check(OPS[fault.op])
        else:
            example = next(e for e in EXAMPLES if (e.op, e.name) == (fault.op, fault.example))
            outcome = prove_run(Run(example, fault.direction))
    finally:
        rules[fault.rule] = right
    if outcome.verdict is Verdict.REFUTED:
        return Outcome(Verdict.CAUGHT, outcome.message.splitlines()[2].strip(), {"by": fault.kind})
    return Outcome(
        Verdict.MISSED,
        f"MISSED  refutes[{fault.op}-{fault.name}]\n\n  {fault.kind} says {outcome.verdict}\n\n{outcome.message}",
    )


def obligations() -> Iterator[Obligation]:
    for fault in WRONG:
        claim = f"this wrong rule of the runtime is refuted by {fault.kind}"
        yield Obligation("refutes", fault.op, fault.name, claim, "a planted fault", partial(check, fault))


__all__ = ["WRONG", "check", "gradproof", "obligations"]
