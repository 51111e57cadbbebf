"""scaled_dot_product_attention, multi_head_attention."""
import hypothesis.strategies as st
import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

import gradproof as gp

from .common import Call, array, batch, booleans, case, composed, extent, narrowed, shape


def allowed(mask, causal, n, m):
    """What PyTorch gets: one mask. It refuses a mask beside is_causal; causal is key <= query on both sides."""
    both = torch.ones(n, m, dtype=torch.bool) if mask is None else torch.from_numpy(mask)
    return torch.logical_and(both, torch.ones(n, m, dtype=torch.bool).tril()) if causal else both


def plainly(function):
    """In PyTorch's formula: its fused kernels have no JVP."""

    def call(*xs):
        with sdpa_kernel(SDPBackend.MATH):
            return function(*xs)

    return call


@case
def scaled_dot_product_attention(draw, dtype):
    n, m, e, f = (extent(draw, 1, 3) for _ in range(4))
    full = shape(draw, most=2)
    arrays = [array(draw, dtype, *narrowed(draw, full), *inner) for inner in ((n, e), (m, e), (m, f))]
    joint = np.broadcast_shapes(*(x.shape[:-2] for x in arrays))  # the mask adds no batch axes
    mask = booleans(draw, *narrowed(draw, (*joint, n, m))) if draw(st.booleans()) else None
    causal, scale = draw(st.booleans()), draw(st.sampled_from((None, 0.5, 2.0)))
    mask_of_theirs = {"is_causal": True} if causal and mask is None else {"attn_mask": allowed(mask, causal, n, m)}
    return Call(gp.scaled_dot_product_attention,
                plainly(lambda *qkv: F.scaled_dot_product_attention(*qkv, **mask_of_theirs, scale=scale)), arrays,
                {"mask": mask, "is_causal": causal, "scale": scale})


@composed("PyTorch's takes H*E = D and packed weights; linear and scaled_dot_product_attention otherwise")
def multi_head_attention(draw, dtype):
    heads, e, n = extent(draw, 1, 3), extent(draw, 1, 2), extent(draw, 1, 3)
    lead, packed = batch(draw), draw(st.booleans())
    d = heads * e if packed else extent(draw, 1, 3)
    mask = booleans(draw, *narrowed(draw, (n, n) if packed else (*lead, n, n))) if draw(st.booleans()) else None
    arrays = [array(draw, dtype, *lead, n, d), *(array(draw, dtype, d, heads * e) for _ in range(3)),
              array(draw, dtype, heads * e, d)]
    both = allowed(mask, False, n, n)

    def packed_weights(x, wq, wk, wv, wo):
        weights = torch.cat([wq, wk, wv], 1).T
        y = x.reshape(-1, n, d).transpose(0, 1)  # (n, batch, D)
        y, _ = F.multi_head_attention_forward(y, y, y, d, heads, weights, None, None, None, False, 0.0, wo.T, None,
                                              need_weights=False, attn_mask=~both.broadcast_to(n, n))
        return y.transpose(0, 1).reshape(x.shape)

    def composition(x, wq, wk, wv, wo):
        split = [(x @ w).unflatten(-1, (heads, e)).transpose(-3, -2) for w in (wq, wk, wv)]
        over_heads = both[..., None, :, :] if both.ndim > 2 else both
        return F.scaled_dot_product_attention(*split, attn_mask=over_heads).transpose(-3, -2).flatten(-2) @ wo

    return Call(gp.multi_head_attention, plainly(packed_weights if packed else composition), arrays,
                {"num_heads": heads, "mask": mask})
