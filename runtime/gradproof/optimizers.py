"""SGD, Adam and AdamW as pure functions of nested parameters, made of ops of the table, step by step as in PyTorch.

    params, state = adam(params, gradients, state)

The state is None before the first step. Parameters, gradients and state are nested dicts, lists and tuples; nothing
that is passed in is changed, and no result shares memory with it. Where a gradient is None, as `grad` gives for an
integer, the parameter and its state stay as they are. Everything is checked before anything is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, NamedTuple

import numpy as np

from .attributes import integer, number, small_number
from .dtypes import floats, is_float
from .errors import DomainError, DtypeError, GraphError, ShapeError, describe
from .op import PlanValue
from .ops import adam_update, add, exponential_average, momentum_update, scale, sgd_update, square
from .tape import Traced
from .trees import is_leaf, map_leaves


class SGDState(NamedTuple):
    """The number of steps, and the velocity of each parameter: None without momentum, or without a gradient so far."""

    step: int
    velocity: Any


class AdamState(NamedTuple):
    """The number of steps; for each parameter how many gradients it has had, and the averages of its gradients and of
    their squares: None if there was none."""

    step: int
    counts: Any
    first_moment: Any
    second_moment: Any


def sgd(
    params: Any,
    gradients: Any,
    state: SGDState | None = None,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Any, SGDState]:
    """(params, state) after a step of stochastic gradient descent, as torch.optim.SGD:

        g = gradient + weight_decay p
        v = momentum v + (1 - dampening) g      the first time v = g
        p = p - learning_rate v                 nesterov: p - learning_rate (g + momentum v); momentum 0: g for v

    Raises GraphError, ShapeError and DtypeError where params, gradients and state do not fit together, DomainError
    unless learning_rate, momentum and weight_decay are >= 0, and for nesterov without momentum or with dampening.
    Source: Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum in deep learning", ICML
    2013.

    >>> params, state = sgd({"w": np.array([1.0, 2.0])}, {"w": np.array([10.0, -10.0])}, learning_rate=0.1)
    >>> params
    {'w': array([0., 3.])}
    """
    rate, mu, decay = (
        within("sgd", name, value)
        for name, value in (("learning_rate", learning_rate), ("momentum", momentum), ("weight_decay", weight_decay))
    )
    damping = number("sgd", "dampening", dampening)
    if not isfinite(damping):
        raise DomainError(describe("sgd", "dampening must be finite", "0 is usual", dampening=dampening))
    if nesterov and (mu == 0 or damping != 0):
        remedy = "pass momentum > 0 and dampening = 0"
        raise DomainError(
            describe("sgd", "nesterov needs momentum, undamped", remedy, momentum=momentum, dampening=dampening)
        )
    before = SGDState(0, everywhere(None, params)) if state is None else known("sgd", state, SGDState)
    leaves = checked("sgd", params, gradients, {"state.velocity": before.velocity})

    def update(leaf: Leaf) -> Leaf:
        (velocity,) = leaf.moments
        g = decayed(leaf, decay)
        if mu != 0:
            velocity = own(g) if velocity is None else momentum_update(velocity, g, mu, damping)
            g = add(g, scale(velocity, mu)) if nesterov else velocity
        else:
            velocity = own(velocity)
        return Leaf(sgd_update(leaf.parameter, g, rate), None, (velocity,))

    params, (velocity,) = updated(update, leaves, 1)
    return params, SGDState(before.step + 1, velocity)


def adam(
    params: Any,
    gradients: Any,
    state: AdamState | None = None,
    *,
    learning_rate: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Any, AdamState]:
    """(params, state) after a step of Adam, as torch.optim.Adam: for the t-th gradient of a parameter p

        g = gradient + weight_decay p
        m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g²      both 0 at first
        p = p - learning_rate (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    Raises GraphError, ShapeError and DtypeError where params, gradients and state do not fit together, DomainError
    unless learning_rate and weight_decay are >= 0, 0 <= betas < 1 and eps > 0.
    Source: Kingma, Ba, "Adam: A Method for Stochastic Optimization", 2015, arXiv:1412.6980.

    >>> params, state = adam([np.array([1.0, 2.0])], [np.array([0.5, -70.0])], learning_rate=0.1)
    >>> params[0].round(6)
    array([0.9, 2.1])
    """
    return adam_step("adam", params, gradients, state, learning_rate, betas, eps, weight_decay, decoupled=False)


def adamw(
    params: Any,
    gradients: Any,
    state: AdamState | None = None,
    *,
    learning_rate: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Any, AdamState]:
    """(params, state) after a step of AdamW, as torch.optim.AdamW: p = (1 - learning_rate weight_decay) p, then a step
    of `adam` with the plain gradient.

    Raises as `adam`.
    Source: Loshchilov, Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101.

    >>> params, state = adamw(np.array([1.0, 2.0]), np.zeros(2), learning_rate=0.5, weight_decay=0.5)
    >>> params, state.step
    (array([0.75, 1.5 ]), 1)
    """
    return adam_step("adamw", params, gradients, state, learning_rate, betas, eps, weight_decay, decoupled=True)


def adam_step(
    op: str,
    params: Any,
    gradients: Any,
    state: AdamState | None,
    learning_rate: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> tuple[Any, AdamState]:
    rate, decay = within(op, "learning_rate", learning_rate), within(op, "weight_decay", weight_decay)
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise DtypeError(describe(op, "betas must be two numbers", "(0.9, 0.999) is usual", betas=betas))
    beta1, beta2 = (within(op, f"betas[{k}]", beta, below=1) for k, beta in enumerate(betas))
    small = number(op, "eps", eps)
    if not (small > 0 and isfinite(small)):
        raise DomainError(describe(op, "eps must be positive and finite", "pass eps > 0, such as 1e-8", eps=eps))
    nothing = everywhere(None, params)
    before = (
        AdamState(0, everywhere(0, params), nothing, nothing) if state is None else known(op, state, AdamState)
    )
    moments = {"state.first_moment": before.first_moment, "state.second_moment": before.second_moment}
    leaves = checked(op, params, gradients, moments, before.counts, small)

    def update(leaf: Leaf) -> Leaf:
        t = leaf.count + 1
        p = scale(leaf.parameter, 1 - rate * decay) if decoupled else leaf.parameter
        g = leaf.gradient if decoupled else decayed(leaf, decay)
        m, v = (np.zeros(p.shape, p.dtype) if moment is None else moment for moment in leaf.moments)
        m, v = exponential_average(m, g, beta1), exponential_average(v, square(g), beta2)
        return Leaf(adam_update(p, m, v, rate, 1 - beta1**t, 1 - beta2**t, small), None, (m, v))

    params, (first, second) = updated(update, leaves, 2)
    counts = map_leaves(lambda leaf: leaf.count + (leaf.gradient is not None), leaves)
    return params, AdamState(before.step + 1, counts, first, second)


# What they share.


@dataclass(frozen=True)
class Leaf:
    """One parameter. Where the gradient is None nothing is computed."""

    parameter: Any
    gradient: Any
    moments: tuple[Any, ...]
    count: int = 0


def within(op: str, name: str, value: Any, below: float = inf) -> float:
    """A hyperparameter that is at least 0, and not nan."""
    result = number(op, name, value)
    if not 0 <= result < below:
        what = "at least 0 and finite" if below == inf else f"at least 0 and less than {below}"
        raise DomainError(describe(op, f"{name} must be {what}", "check its value", **{name: value}))
    return result


def everywhere(value: Any, params: Any) -> Any:
    return map_leaves(lambda _: value, params)


def known(op: str, state: Any, kind: type[Any]) -> Any:
    if not isinstance(state, kind):
        remedy = "pass None at first, then the state of the step before"
        raise DtypeError(describe(op, f"state must be None or {kind.__name__}", remedy, type=type(state).__name__))
    number_of(op, "state.step", state.step)
    return state


def number_of(op: str, name: str, value: Any) -> int:
    count = value if isinstance(value, PlanValue) and isinstance(value, int) else integer(op, name, value)
    if count < 0:
        raise DomainError(describe(op, f"{name} is negative", "pass a state as it was returned", **{name: value}))
    return count


def places(tree: Any, path: str = "") -> Any:
    """For each leaf the text that, behind the name of the tree, leads to it: ['w'][0]."""
    if is_leaf(tree):
        return path
    if isinstance(tree, dict):
        return {key: places(child, f"{path}[{key!r}]") for key, child in tree.items()}
    return [places(child, f"{path}[{k}]") for k, child in enumerate(tree)]


def checked(
    op: str, params: Any, gradients: Any, moments: dict[str, Any], counts: Any = None, eps: float | None = None
) -> Any:
    """A Leaf in place of every parameter, once everything fits together. `moments`: trees of the state, by name."""
    counts = everywhere(0, params) if counts is None else counts
    for name, tree in {"gradients": gradients, "state.counts": counts, **moments}.items():
        map_leaves(lambda *_: None, params, tree, op=op, path=name)

    def leaf(parameter: Any, place: str, gradient: Any, count: Any, *kept: Any) -> Leaf:
        given = {f"params{place}": parameter, f"gradients{place}": gradient}
        given |= {f"{name}{place}": moment for name, moment in zip(moments, kept, strict=True) if moment is not None}
        for name, value in {**given, f"state.counts{place}": count}.items():
            if not is_leaf(value):
                remedy = "nest both in the same way"
                raise GraphError(describe(op, f"{name} is a {type(value).__name__}, params{place} a leaf", remedy))
        gradients_so_far = number_of(op, f"state.counts{place}", count)
        if eps is not None and {moment is None for moment in kept} != {gradients_so_far == 0}:
            what = f"the state of params{place} does not agree with its count"
            raise GraphError(describe(op, what, "pass a state as it was returned", count=count))
        if gradient is None:
            return Leaf(parameter, None, kept, gradients_so_far)
        if not (isinstance(parameter, Traced) or is_float(parameter)):
            what = f"params{place} is not float32 or float64 and has no gradient"
            kind = getattr(parameter, "dtype", type(parameter).__name__)
            raise DtypeError(describe(op, what, f"pass None as gradients{place}", type=kind))
        arrays = dict(zip(given, floats(op, **given), strict=True))
        first = arrays[f"params{place}"]
        for name, x in arrays.items():
            if x.shape != first.shape:
                what = f"{name} has another shape than params{place}"
                raise ShapeError(describe(op, what, "give both one shape", expected=first.shape, given=x.shape))
            if x.dtype != first.dtype:
                what = f"{name} has another dtype than params{place}"
                raise DtypeError(describe(op, what, "convert it", expected=first.dtype, given=x.dtype))
        if eps is not None:
            small_number(op, "eps", eps, first.dtype)
        kept = tuple(None if m is None else arrays[f"{name}{place}"] for name, m in zip(moments, kept, strict=True))
        return Leaf(first, arrays[f"gradients{place}"], kept, gradients_so_far)

    return map_leaves(leaf, params, places(params), gradients, counts, *moments.values(), op=op)


def decayed(leaf: Leaf, decay: float) -> Any:
    """The gradient of the loss plus decay |p|² / 2."""
    return add(leaf.gradient, scale(leaf.parameter, decay)) if decay != 0 else leaf.gradient


def updated(update: Callable[[Leaf], Leaf], leaves: Any, moments: int) -> tuple[Any, list[Any]]:
    """The new parameters, and the trees of the new moments."""

    def new(leaf: Leaf) -> Leaf:
        if leaf.gradient is None:
            return Leaf(own(leaf.parameter), None, tuple(map(own, leaf.moments)))
        return update(leaf)

    after = map_leaves(new, leaves)
    trees = [map_leaves(lambda leaf, k=k: leaf.moments[k], after) for k in range(moments)]
    return map_leaves(lambda leaf: leaf.parameter, after), trees


def own(x: Any) -> Any:
    return x.copy() if isinstance(x, np.ndarray) else x
