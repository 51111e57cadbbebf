"""Planted wrong rules: random."""

from ..terms import indicator, where
from .fault import plant

plant("rand_uniform", "reads-next-element", "bounds", forward=lambda u, i: u[i + 1])
plant(
    "bernoulli_mask",
    "reads-previous-element",
    "bounds",
    forward=lambda u, keep_prob, i: indicator(u[i - 1] < keep_prob),
)
plant("bernoulli_mask", "empty-domain", "bounds", fields={"domain": lambda size: [size.keep_prob > size.keep_prob]})
plant("dropout", "vjp-ignores-the-mask", "adjoint", x=lambda keep_prob, g, i: g[i] / keep_prob)
plant("dropout", "vjp-not-scaled", "adjoint", x=lambda mask, g, i: where(mask[i], g[i], 0))
plant(
    "dropout",
    "both-keep-what-is-dropped",
    "derivative",
    x=lambda mask, keep_prob, g, i: where(mask[i], 0, g[i] / keep_prob),
    jvp=lambda dx, mask, keep_prob, i: where(mask[i], 0, dx[i] / keep_prob),
)
plant("dropout", "keep-prob-may-be-0", "bounds", fields={"elements": {}})
