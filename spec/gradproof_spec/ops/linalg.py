"""Matrix products and sums of products."""
from math import prod

from ..op import Op, SpecificationError
from ..terms import Sum, equal, indicator

linear = Op("linear", "x[...,I] weight[O,I] bias[O] -> y[...,O]")


@linear.forward
def linear_y(x, weight, bias, batch, o, size):
    return Sum(x[batch, i] * weight[o, i] for i in size.I) + bias[o]


@linear.jvp
def linear_dy(x, weight, dx, dweight, dbias, batch, o, size):
    return Sum(dx[batch, i] * weight[o, i] + x[batch, i] * dweight[o, i] for i in size.I) + dbias[o]


@linear.vjp("x")
def linear_gx(weight, g, batch, i, size):
    return Sum(g[batch, o] * weight[o, i] for o in size.O)


@linear.vjp("weight")
def linear_gweight(x, g, o, i, size):
    return Sum(g[batch, o] * x[batch, i] for batch in size.batch)


@linear.vjp("bias")
def linear_gbias(g, o, size):
    return Sum(g[batch, o] for batch in size.batch)


matmul = Op("matmul", "a[...,N,K] b[...,K,M] -> c[...,N,M]")


@matmul.forward
def matmul_c(a, b, batch, n, m, size):
    return Sum(a[batch, n, k] * b[batch, k, m] for k in size.K)


@matmul.jvp
def matmul_dc(a, b, da, db, batch, n, m, size):
    return matmul_c(da, b, batch, n, m, size) + matmul_c(a, db, batch, n, m, size)


@matmul.vjp("a")
def matmul_ga(b, g, batch, n, k, size):
    return Sum(g[batch, n, m] * b[batch, k, m] for m in size.M)


@matmul.vjp("b")
def matmul_gb(a, g, batch, k, m, size):
    return Sum(a[batch, n, k] * g[batch, n, m] for n in size.N)


# ---------------------------------------------------------------- einsum
def terms_of(equation):
    inputs, output = equation.split("->")
    return inputs.split(","), output


def axes_of(term):
    """Names of a term's axes: the letter, and for the r-th repeat the letter with r."""
    return [letter.upper() + (str(r) if (r := term[:k].count(letter)) else "") for k, letter in enumerate(term)]


def einsum_signature(equation):
    inputs, output = terms_of(equation)
    operands = " ".join(f"x{k}[{','.join(axes_of(term))}]" for k, term in enumerate(inputs))
    return f"{operands} -> y[{','.join(axes_of(output))}]"


def repeats_agree(size):
    inputs, _ = terms_of(size.case.label)
    return [equal(getattr(size, letter.upper()), getattr(size, axis))
            for term in inputs for letter, axis in zip(term, axes_of(term), strict=True) if axis != letter.upper()]


def over_letters(letters, size, known, body):
    """Sum of body(index of each letter) over the letters that are not known."""
    first = next((letter for letter in letters if letter not in known), None)
    if first is None:
        return body(known)
    return Sum(over_letters(letters, size, known | {first: i}, body) for i in getattr(size, first.upper()))


def read(x, term, at):
    return x[tuple(at[letter] for letter in term)]


def einsum_y(xs, case, index, size):
    inputs, output = terms_of(case.label)
    return over_letters("".join(inputs), size, dict(zip(output, index, strict=True)),
                        lambda at: prod(read(x, t, at) for x, t in zip(xs, inputs, strict=True)))


def einsum_dy(xs, dxs, case, index, size):
    return sum(einsum_y([*xs[:k], dx, *xs[k + 1:]], case, index, size) for k, dx in enumerate(dxs))


def einsum_gx(xs, g, which, case, index, size):
    inputs, output = terms_of(case.label)
    term, others = inputs[which], [(g, output), *((x, t) for k, (x, t) in enumerate(zip(xs, inputs, strict=True))
                                                  if k != which)]
    known = dict(zip(reversed(term), reversed(index), strict=True))  # of a repeated letter the first index
    on_diagonal = [equal(i, known[letter]) for letter, i in zip(term, index, strict=True) if i != known[letter]]
    return indicator(*on_diagonal) * over_letters("".join(t for _, t in others), size, known,
                                                  lambda at: prod(read(x, t, at) for x, t in others))


def einsum_op(*equations):
    """The op for explicit equations without ellipsis; a letter repeated in a term reads the diagonal."""
    if any("g" in e for e in equations):
        raise SpecificationError("einsum: the letter g is the output's cotangent: use another one")
    op = Op("einsum", {e: einsum_signature(e) for e in equations}, domain=repeats_agree, variadic="xs")
    op.forward(einsum_y)
    op.jvp(einsum_dy)
    op.vjp("xs")(einsum_gx)
    return op


EINSUMS = (
    "ij,jk->ik", "bij,bjk->bik", "i,j->ij", "ii->", "ii->i", "ij->ji", "ij->", "ij->i", "i,ij,j->", "ij,ij->ij",
    "bhqd,bhkd->bhqk", "ij,jk,kl->il", "ij,k->i", "ii,ij->j", "ik,jk->ij", "->")
einsum = einsum_op(*EINSUMS)


for op in (linear, matmul, einsum):
    op.register()
