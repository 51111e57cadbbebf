"""Planted wrong kernels: NumPy rules that must be refuted by `kernel`, with a float input at which they are wrong."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import gradproof
from gradproof.op import OPS as RUNTIME

from ..obligations import Obligation, Outcome, Verdict
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
    def direction(self) -> str:
        return self.rule.split()[0]


WRONG: list[WrongKernel] = []


def plant(op: str, name: str, rule: str, example: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
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
            cells = gx[u:u + 2, v:v + 2]
            cells += np.where(x[u:u + 2, v:v + 2] == out, g, 0)
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


def check(fault: WrongKernel) -> Outcome:
    example = next(e for e in EXAMPLES if (e.op, e.name) == (fault.op, fault.example))
    rules = RUNTIME[fault.op].rules
    right = rules[fault.rule]
    rules[fault.rule] = fault.wrong
    try:
        outcome = prove_run(Run(example, fault.direction))
    finally:
        rules[fault.rule] = right
    if outcome.verdict is Verdict.REFUTED:
        return Outcome(Verdict.CAUGHT, outcome.message.splitlines()[2].strip(), {"by": "kernel"})
    return Outcome(Verdict.MISSED, f"MISSED  refutes[{fault.op}-{fault.name}]\n\n  kernel says {outcome.verdict}\n\n{outcome.message}")


def obligations() -> Iterator[Obligation]:
    for fault in WRONG:
        yield Obligation("refutes", fault.op, fault.name, "this wrong NumPy rule is refuted by kernel", "a planted fault",
                         lambda fault=fault: check(fault))  # type: ignore[misc]


__all__ = ["WRONG", "check", "gradproof", "obligations"]
