"""What each op means: one file per family, the same names and order as in `gradproof.ops`."""

# ruff: noqa: I001

from . import (  # noqa: F401  (each registers its ops)
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
