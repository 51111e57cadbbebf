"""The ops, one file per family. The order of the imports is the order of the table."""

# ruff: noqa: I001

from .pointwise import add, sub, mul, neg, exp, maximum, relu
from .reduction import reduce_sum, reduce_mean
from .linalg import linear, matmul
from .structural import concat, reshape, broadcast_to
from .indexing import gather_rows
from .softmax import softmax, log_softmax
from .convolution import conv
from .pooling import max_pool
from .normalization import layer_norm
from .loss import mse_loss

__all__ = [
    "add",
    "sub",
    "mul",
    "neg",
    "exp",
    "maximum",
    "relu",
    "reduce_sum",
    "reduce_mean",
    "linear",
    "matmul",
    "concat",
    "reshape",
    "broadcast_to",
    "gather_rows",
    "softmax",
    "log_softmax",
    "conv",
    "max_pool",
    "layer_norm",
    "mse_loss",
]
