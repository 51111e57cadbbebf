"""The calls that are compared with PyTorch, one file per family, in the order of the op table."""
# ruff: noqa: F401
from . import (
    attention,
    convolution,
    indexing,
    linalg,
    loss,
    normalization,
    optimizer,
    pointwise,
    pooling,
    random,
    reduction,
    softmax,
    structural,
)
from .common import CALLS, COMPOSED, NO_COUNTERPART, Call, array
