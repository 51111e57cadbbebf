"""Planted wrong rules: at least three per op, each with the kind of obligation that must refute it.

A check that cannot fail proves nothing, so every kind is shown faults that it must catch. One file per family, as in
`gradproof_spec.ops`; numbers in comments are those of the table in docs/known_wrong_rules.md.
"""

# ruff: noqa: I001

from .fault import PLANTED, Planted, check_planted, obligations, plant
from . import (  # noqa: F401  (each plants the faults of its ops)
    pointwise,
    reduction,
    linalg,
    structural,
    indexing,
    softmax,
    convolution,
    pooling,
    normalization,
    attention,
    loss,
    random,
    optimizer,
)

__all__ = ["PLANTED", "Planted", "check_planted", "obligations", "plant"]
