"""The cases of every op, one file per family: (id, function of the arrays, reference, arrays).

The id begins with the op's name. A reference says what the op computes, in NumPy written for clarity and without a look
at the runtime's kernels. Integers, Booleans and other attributes are bound in the two functions; an op that takes no
array at all (random numbers) has the empty tuple.
"""

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

FAMILIES = (
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
CASES = [case for family in FAMILIES for case in family.CASES]
