"""Attention: a softmax over the keys M that each query N may read; leading axes joined into B."""
from ..op import Op
from ..terms import TRUE, ConditionTensor, Sum, equal, function, indicator


def allowed(case, b, n):
    """m -> whether query n may read key m."""
    mask = ConditionTensor("mask")
    return (lambda m: mask[b, n, m]) if "mask" in {t.name for t in case.inputs} else (lambda m: TRUE)


def softmax_of(score, may_read, keys):
    """m -> exp(s[m]) / Σ_m exp(s[m]) over the allowed keys, 0 elsewhere. Where a key is allowed, the sum is > 0."""
    def exp_of(m):
        return indicator(may_read(m)) * function("exp", score(m))

    total = Sum(exp_of(m) for m in keys)
    return lambda m: exp_of(m) / total


def centred(w, t, keys):
    """m -> w[m] (t[m] - Σ w t): the Jacobian of softmax is symmetric, so this is its JVP and its VJP."""
    return lambda m: w(m) * (t(m) - Sum(w(j) * t(j) for j in keys))


# ---------------------------------------------------------------- scaled_dot_product_attention
scaled_dot_product_attention = Op("scaled_dot_product_attention", {
    "with mask": "q[B,N,E] k[B,M,E] v[B,M,F] mask:bool[B,N,M] -> y[B,N,F]",
    "without mask": "q[B,N,E] k[B,M,E] v[B,M,F] -> y[B,N,F]"}, reals="scale")


def weights(case, q, k, b, n, scale, size):
    return softmax_of(lambda m: scale * Sum(q[b, n, e] * k[b, m, e] for e in size.E), allowed(case, b, n), size.M)


@scaled_dot_product_attention.forward
def scaled_dot_product_attention_y(case, q, k, v, b, n, f, scale, size):
    w = weights(case, q, k, b, n, scale, size)
    return Sum(w(m) * v[b, m, f] for m in size.M)


@scaled_dot_product_attention.jvp
def scaled_dot_product_attention_dy(case, q, k, v, dq, dk, dv, b, n, f, scale, size):
    w = weights(case, q, k, b, n, scale, size)
    dw = centred(w, lambda m: scale * Sum(dq[b, n, e] * k[b, m, e] + q[b, n, e] * dk[b, m, e] for e in size.E), size.M)
    return Sum(dw(m) * v[b, m, f] + w(m) * dv[b, m, f] for m in size.M)


def score_cotangents(case, q, k, v, g, b, n, scale, size):
    w = weights(case, q, k, b, n, scale, size)
    return centred(w, lambda m: scale * Sum(g[b, n, f] * v[b, m, f] for f in size.F), size.M)


@scaled_dot_product_attention.vjp("q")
def scaled_dot_product_attention_gq(case, q, k, v, g, b, n, e, scale, size):
    gs = score_cotangents(case, q, k, v, g, b, n, scale, size)
    return Sum(gs(m) * k[b, m, e] for m in size.M)


@scaled_dot_product_attention.vjp("k")
def scaled_dot_product_attention_gk(case, q, k, v, g, b, m, e, scale, size):
    return Sum(score_cotangents(case, q, k, v, g, b, n, scale, size)(m) * q[b, n, e] for n in size.N)


@scaled_dot_product_attention.vjp("v")
def scaled_dot_product_attention_gv(case, q, k, g, b, m, f, scale, size):
    return Sum(weights(case, q, k, b, n, scale, size)(m) * g[b, n, f] for n in size.N)


# ---------------------------------------------------------------- multi_head_attention
def heads_and_mask_fit(size):
    return [size.H >= 1, *([equal(size.N, size.M)] if size.case.label == "with mask" else [])]


multi_head_attention = Op("multi_head_attention", {
    "with mask": "x[B,N,D] wq[D,H,E] wk[D,H,E] wv[D,H,E] wo[H,E,D] mask:bool[B,N,M] -> y[B,N,D]",
    "without mask": "x[B,N,D] wq[D,H,E] wk[D,H,E] wv[D,H,E] wo[H,E,D] -> y[B,N,D]"},
    reals="scale", domain=heads_and_mask_fit)


def projected(x, w, b, n, h, e, size):
    return Sum(x[b, n, d] * w[d, h, e] for d in size.D)


def head_weights(case, x, wq, wk, b, h, n, scale, size):
    def score(m):
        return scale * Sum(projected(x, wq, b, n, h, e, size) * projected(x, wk, b, m, h, e, size) for e in size.E)

    return softmax_of(score, allowed(case, b, n), size.N)


def context(case, x, wq, wk, wv, b, n, h, e, scale, size):
    w = head_weights(case, x, wq, wk, b, h, n, scale, size)
    return Sum(w(m) * projected(x, wv, b, m, h, e, size) for m in size.N)


@multi_head_attention.forward
def multi_head_attention_y(case, x, wq, wk, wv, wo, b, n, d, scale, size):
    return Sum(context(case, x, wq, wk, wv, b, n, h, e, scale, size) * wo[h, e, d] for h in size.H for e in size.E)


@multi_head_attention.jvp
def multi_head_attention_dy(case, x, wq, wk, wv, wo, dx, dwq, dwk, dwv, dwo, b, n, d, scale, size):
    def moved(w, dw, n, h, e):
        return projected(dx, w, b, n, h, e, size) + projected(x, dw, b, n, h, e, size)

    def dscore(h, m):
        return scale * Sum(moved(wq, dwq, n, h, e) * projected(x, wk, b, m, h, e, size)
                           + projected(x, wq, b, n, h, e, size) * moved(wk, dwk, m, h, e) for e in size.E)

    def dcontext(h, e):
        w = head_weights(case, x, wq, wk, b, h, n, scale, size)
        dw = centred(w, lambda m: dscore(h, m), size.N)
        return Sum(dw(m) * projected(x, wv, b, m, h, e, size) + w(m) * moved(wv, dwv, m, h, e) for m in size.N)

    return Sum(dcontext(h, e) * wo[h, e, d] + context(case, x, wq, wk, wv, b, n, h, e, scale, size) * dwo[h, e, d]
               for h in size.H for e in size.E)


def gcontext(wo, g, b, n, h, e, size):
    return Sum(g[b, n, d] * wo[h, e, d] for d in size.D)


def head_score_cotangents(case, x, wq, wk, wv, wo, g, b, h, n, scale, size):
    def gweight(m):
        return scale * Sum(gcontext(wo, g, b, n, h, e, size) * projected(x, wv, b, m, h, e, size) for e in size.E)

    return centred(head_weights(case, x, wq, wk, b, h, n, scale, size), gweight, size.N)


def gqueries(case, x, wq, wk, wv, wo, g, b, n, h, e, scale, size):
    gs = head_score_cotangents(case, x, wq, wk, wv, wo, g, b, h, n, scale, size)
    return Sum(gs(m) * projected(x, wk, b, m, h, e, size) for m in size.N)


def gkeys(case, x, wq, wk, wv, wo, g, b, m, h, e, scale, size):
    return Sum(head_score_cotangents(case, x, wq, wk, wv, wo, g, b, h, n, scale, size)(m)
               * projected(x, wq, b, n, h, e, size) for n in size.N)


def gvalues(case, x, wq, wk, wo, g, b, m, h, e, scale, size):
    return Sum(head_weights(case, x, wq, wk, b, h, n, scale, size)(m) * gcontext(wo, g, b, n, h, e, size)
               for n in size.N)


@multi_head_attention.vjp("x")
def multi_head_attention_gx(case, x, wq, wk, wv, wo, g, b, n, d, scale, size):
    return Sum(gqueries(case, x, wq, wk, wv, wo, g, b, n, h, e, scale, size) * wq[d, h, e]
               + gkeys(case, x, wq, wk, wv, wo, g, b, n, h, e, scale, size) * wk[d, h, e]
               + gvalues(case, x, wq, wk, wo, g, b, n, h, e, scale, size) * wv[d, h, e]
               for h in size.H for e in size.E)


@multi_head_attention.vjp("wq")
def multi_head_attention_gwq(case, x, wq, wk, wv, wo, g, d, h, e, scale, size):
    return Sum(x[b, n, d] * gqueries(case, x, wq, wk, wv, wo, g, b, n, h, e, scale, size)
               for b in size.B for n in size.N)


@multi_head_attention.vjp("wk")
def multi_head_attention_gwk(case, x, wq, wk, wv, wo, g, d, h, e, scale, size):
    return Sum(x[b, n, d] * gkeys(case, x, wq, wk, wv, wo, g, b, n, h, e, scale, size)
               for b in size.B for n in size.N)


@multi_head_attention.vjp("wv")
def multi_head_attention_gwv(case, x, wq, wk, wo, g, d, h, e, scale, size):
    return Sum(x[b, n, d] * gvalues(case, x, wq, wk, wo, g, b, n, h, e, scale, size)
               for b in size.B for n in size.N)


@multi_head_attention.vjp("wo")
def multi_head_attention_gwo(case, x, wq, wk, wv, g, h, e, d, scale, size):
    return Sum(context(case, x, wq, wk, wv, b, n, h, e, scale, size) * g[b, n, d] for b in size.B for n in size.N)


for op in (scaled_dot_product_attention, multi_head_attention):
    op.register()
