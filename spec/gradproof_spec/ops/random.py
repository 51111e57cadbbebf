"""Random numbers. u are the uniform numbers that the runtime draws: the formulas hold whatever they are."""
from ..op import Op, positive
from ..terms import ZERO, indicator, where

rand_uniform = Op("rand_uniform", "u:real[I] -> y[I]")


@rand_uniform.forward
def rand_uniform_y(u, i):
    return u[i]


@rand_uniform.jvp
def rand_uniform_dy():
    return ZERO


bernoulli_mask = Op("bernoulli_mask", "u:real[I] -> y[I]", reals="keep_prob",
                    domain=lambda size: [size.keep_prob >= 0, size.keep_prob <= 1])


@bernoulli_mask.forward
def bernoulli_mask_y(u, keep_prob, i):
    return indicator(u[i] < keep_prob)


@bernoulli_mask.jvp
def bernoulli_mask_dy():
    return ZERO


# keep_prob = 0 is a call with an empty mask and any other keep_prob
dropout = Op("dropout", "x[I] mask:bool[I] -> y[I]", reals="keep_prob", elements={"keep_prob": positive},
             source="Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, JMLR 15 (2014) 1929-1958")


@dropout.forward
def dropout_y(x, mask, keep_prob, i):
    return where(mask[i], x[i] / keep_prob, 0)


@dropout.jvp
def dropout_dy(dx, mask, keep_prob, i):
    return where(mask[i], dx[i] / keep_prob, 0)


@dropout.vjp("x")
def dropout_gx(mask, keep_prob, g, i):
    return where(mask[i], g[i] / keep_prob, 0)


for op in (rand_uniform, bernoulli_mask, dropout):
    op.register()
