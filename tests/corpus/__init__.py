"""Hand-written gradients, right and wrong, as people write them: to judge gradient checkers."""

from __future__ import annotations

from . import activations, attention, branchy, convolution, linear, losses, norms, pooling, segment, stable
from .case import HIDDEN, Case

FAMILIES = {
    module.__name__.rpartition(".")[2]: module.CASES
    for module in (activations, norms, losses, pooling, convolution, attention, segment, linear, stable, branchy)
}
CASES: list[Case] = [case for family in FAMILIES.values() for case in family]
# right over the reals: only in floats, where exp overflows or a difference rounds to 0, are they nan or inf
WRONG_ONLY_IN_FLOATS = (
    "silu-overflows",
    "bce-target-by-logs",
    "softmax-naive-exp",
    "softmax-entropy-log-p",
    "softplus-naive",
    "log1mexp-cancels",
    "log-cosh-by-exp",
)

__all__ = ["CASES", "FAMILIES", "HIDDEN", "WRONG_ONLY_IN_FLOATS", "Case"]
