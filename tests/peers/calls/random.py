"""rand_uniform, bernoulli_mask, dropout."""
import numpy as np
import torch

import gradproof as gp

from .common import NO_COUNTERPART, Call, array, composed, extent, shape

NO_COUNTERPART |= {
    "rand_uniform": "PyTorch has other random numbers",
    "bernoulli_mask": "PyTorch has other random numbers",
}


@composed("PyTorch has other random numbers; x times our mask / keep_prob")
def dropout(draw, dtype):
    keep, seed, stream = extent(draw, 0, 4) / 4, extent(draw, 0, 99), extent(draw, 0, 9)
    x = array(draw, dtype, *shape(draw))
    mask = gp.bernoulli_mask(keep, x.shape, seed, stream, dtype)
    factor = torch.from_numpy(np.asarray(mask / (keep or 1), dtype))
    return Call(gp.dropout, lambda x: x * factor, [x],
                {"keep_prob": keep, "seed": seed, "stream": stream})
