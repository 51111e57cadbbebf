"""TRUSTED. The `lowering` obligations of optimizer steps: the shipped functions on nested parameters, run on symbols
for two steps, give what their papers say. The ops that they are made of are specified and proved like any other.

Only gates are replaced: those that look at dtypes and, so that the learning rate of SGD is universally quantified,
those that want a Python number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any
from unittest.mock import patch

from gradproof import optimizers

from ..obligations import Obligation, Outcome, Verdict
from ..solver import Solver
from ..symbolic import Unsupported, as_terms, explore, symbols, undischarged
from ..symbolic.comparison import Comparison, Different
from ..terms import ONE, ZERO, Scalar, access, function, to_scalar
from .floats import objects_pass

STEPS = 2
SHAPES = {"w": (2,), "b": ()}
RATE = "learning_rate"


@dataclass(frozen=True)
class Step:
    """A shipped step with these hyperparameters, and one entry of it as the paper says.

    textbook(p, gradients) -> p after all steps, for one entry p and its gradients in order.
    """

    name: str
    claim: str
    function: Callable[..., Any]
    settings: dict[str, Any]
    textbook: Callable[[Scalar, list[Scalar]], Scalar]


def rate() -> Scalar:
    return access(RATE)


def number(x: float) -> Scalar:
    return to_scalar(Fraction(repr(x)))


def textbook_sgd(p: Scalar, gradients: list[Scalar], momentum: float = 0.0, nesterov: bool = False,
                 decay: float = 0.0) -> Scalar:  # fmt: skip
    v: Scalar | None = None
    for gradient in gradients:
        g = gradient + number(decay) * p
        v = g if v is None else number(momentum) * v + g
        p = p - rate() * (g + number(momentum) * v if nesterov else v if momentum else g)
    return p


RATE_NUMBER, BETA1, BETA2, EPS = 0.125, 0.5, 0.75, 0.25


def textbook_adam(p: Scalar, gradients: list[Scalar], decay: float = 0.0, decoupled: float = 0.0) -> Scalar:
    m = v = ZERO
    for t, gradient in enumerate(gradients, start=1):
        p = p - number(RATE_NUMBER * decoupled) * p
        g = gradient + number(decay) * p
        m = number(BETA1) * m + number(1 - BETA1) * g
        v = number(BETA2) * v + number(1 - BETA2) * g * g
        m_hat, v_hat = m / (ONE - number(BETA1**t)), v / (ONE - number(BETA2**t))
        p = p - number(RATE_NUMBER) * m_hat / (function("sqrt", v_hat) + number(EPS))
    return p


ADAM = {"learning_rate": RATE_NUMBER, "betas": (BETA1, BETA2), "eps": EPS}
MOMENTUM, DECAY = 0.75, 0.5
CASES = (
    Step("sgd", "p - learning_rate g", optimizers.sgd, {}, textbook_sgd),
    Step("sgd-momentum", "v = momentum v + g, p - learning_rate v", optimizers.sgd, {"momentum": MOMENTUM},
         partial(textbook_sgd, momentum=MOMENTUM)),
    Step("sgd-nesterov", "v = momentum v + g, p - learning_rate (g + momentum v)", optimizers.sgd,
         {"momentum": MOMENTUM, "nesterov": True}, partial(textbook_sgd, momentum=MOMENTUM, nesterov=True)),
    Step("sgd-decay", "SGD of the gradient g + decay p", optimizers.sgd, {"weight_decay": DECAY},
         partial(textbook_sgd, decay=DECAY)),
    Step("adam", "Kingma and Ba 2015, Algorithm 1", optimizers.adam, ADAM, textbook_adam),
    Step("adam-decay", "Adam of the gradient g + decay p", optimizers.adam, {**ADAM, "weight_decay": DECAY},
         partial(textbook_adam, decay=DECAY)),
    Step("adamw", "Loshchilov and Hutter 2019, Algorithm 2", optimizers.adamw, {**ADAM, "weight_decay": DECAY},
         partial(textbook_adam, decoupled=DECAY)),
)  # fmt: skip


def run(step: Step) -> dict[str, Any]:
    """The parameters after the steps, by the shipped function."""
    settings = {RATE: symbols(RATE, ()), **step.settings} if RATE not in step.settings else step.settings
    with ExitStack() as stack:
        stack.enter_context(objects_pass())
        if RATE not in step.settings:
            for place in ("gradproof.optimizers.within", "gradproof.ops.optimizer.number"):
                stack.enter_context(patch(place, lambda op, name, value: value))
        params: Any = {name: symbols(name, shape) for name, shape in SHAPES.items()}
        state = None
        for t in range(STEPS):
            gradients = {name: symbols(f"g{t}{name}", shape) for name, shape in SHAPES.items()}
            params, state = step.function(params, gradients, state, **settings)
    return {name: as_terms(x) for name, x in params.items()}


def prove(step: Step) -> Outcome:
    label = f"lowering[step-{step.name}]"
    try:
        exploration = explore(partial(run, step))
    except Unsupported as fault:
        return Outcome(Verdict.UNSUPPORTED, f"UNSUPPORTED  {label}\n\n  {fault}")
    except Exception as error:
        return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  the step raises {type(error).__name__}: {error}")
    if not exploration.complete:
        return Outcome(Verdict.UNKNOWN, f"UNKNOWN  {label}\n\n  {exploration.reason}")
    for path in exploration.paths:
        solver = Solver()
        owed = undischarged(path.side_conditions, list(path.result.values()), path.conditions, solver.valid)
        if owed:
            return Outcome(Verdict.UNKNOWN, f"UNKNOWN  {label}\n\n  side condition not shown: {owed[0].goal}")
        comparison = Comparison(solver, path.conditions, frozenset())
        for name, shape in SHAPES.items():
            got = path.result[name]
            if got.shape != shape:
                return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  {name} has shape {got.shape}, had {shape}")
            for i in [(k,) for k in range(shape[0])] if shape else [()]:
                gradients = [access(f"g{t}{name}", *i) for t in range(STEPS)]
                try:
                    comparison.require_equal(to_scalar(got[i]), step.textbook(access(name, *i), gradients))
                except Different as found:
                    return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  {name}{list(i)}: {found}")
    return Outcome(Verdict.PROVED, data={"paths": len(exploration.paths), "steps": STEPS})


def obligations() -> Iterator[Obligation]:
    for step in CASES:
        settings = ", ".join(f"{name}={value}" for name, value in step.settings.items())
        over = f"{STEPS} steps, all parameters and gradients{', ' + settings if settings else ''}"
        yield Obligation("lowering", "", f"step-{step.name}", step.claim, over, partial(prove, step))
