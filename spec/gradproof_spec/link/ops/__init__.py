"""Each op's calls as instances of the specification, and how they are tried: one file per family, as in both `ops`."""

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
