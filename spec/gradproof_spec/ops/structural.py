"""Ops that move elements. Row-major throughout."""
from ..op import Case, IndexFunctions, Op
from ..terms import TRUE, Sum, apply, equal, in_range, indicator


def axes(letter, numbers):
    return ",".join(f"{letter}{k}" for k in numbers)


# ---------------------------------------------------------------- concat
def concat_signature(count):
    return " ".join(f"x{j}[B,N{j},A]" for j in range(count)) + " -> y[B,N,A]"


concat = Op("concat", {f"{count} input{'s' * (count > 1)}": concat_signature(count) for count in (1, 2, 3)},
            extents={"N": lambda size: start(size, len(size.case.inputs))}, variadic="xs")


def start(size, which):
    """Where input number `which` begins in the output."""
    return sum((getattr(size, f"N{j}") for j in range(which)), start=0 * size.N0)


@concat.forward
def concat_y(xs, b, n, a, size):
    return sum(indicator(in_range(n - start(size, j), getattr(size, f"N{j}"))) * x[b, n - start(size, j), a]
               for j, x in enumerate(xs))


@concat.jvp
def concat_dy(dxs, b, n, a, size):
    return concat_y(dxs, b, n, a, size)


@concat.vjp("xs")
def concat_gx(g, which, index, size):
    b, n, a = index
    return g[b, start(size, which) + n, a]


# ---------------------------------------------------------------- reshape
def flat_position(indices, extents):
    """Row-major position of an element (Horner)."""
    position = 0
    for i, n in zip(indices, extents, strict=True):
        position = position * n + i
    return position


def from_flat_position(position, extents):
    """The indices of the element at a row-major position."""
    indices = []
    for n in reversed(extents):
        indices.insert(0, position % n)
        position = position // n
    return tuple(indices)


def row_major_axioms(case):
    """source and target are mutually inverse bijections between the elements of y and of x (lemma row_major)."""
    def inverse(name, other, domain, range_):
        def axiom(*o):
            i = tuple(apply(f"{name}.{k}", *o) for k in range(len(range_)))
            within = inside(o, domain)
            facts = inside(i, range_)
            for k, x in enumerate(o):
                facts = facts & equal(apply(f"{other}.{k}", *i), x)
            return [~within | facts]

        return {f"{name}.{k}": axiom for k in range(len(range_))}

    x, y = case.shape("x"), case.shape("g")
    return inverse("source", "target", y, x) | inverse("target", "source", x, y)


def inside(indices, extents):
    condition = TRUE
    for i, n in zip(indices, extents, strict=True):
        condition = condition & in_range(i, n)
    return condition


def row_major_meaning(case, sizes):
    x = tuple(sizes[a] for a in case.inputs[0].axes)
    y = tuple(sizes[a] for a in case.output.axes)
    return ({f"source.{k}": lambda *o, k=k: from_flat_position(flat_position(o, y), x)[k] for k in range(len(x))}
            | {f"target.{k}": lambda *i, k=k: from_flat_position(flat_position(i, x), y)[k] for k in range(len(y))})


def product(extents):
    total = 1
    for n in extents:
        total = total * n
    return total


reshape = Op(
    "reshape", {f"rank {r} to {s}": f"x[{axes('I', range(r))}] -> y[{axes('O', range(s))}]"
                for r in range(5) for s in range(5)},
    domain=lambda size: [equal(product(size.case.shape("x")), product(size.case.shape("g")))],
    index_functions=IndexFunctions({"source": "x", "target": "g"}, row_major_axioms, row_major_meaning,
                                   lemma="row_major"))


@reshape.forward
def reshape_y(x, source, index):
    return x[source(index)]


@reshape.jvp
def reshape_dy(dx, source, index):
    return reshape_y(dx, source, index)


@reshape.vjp("x")
def reshape_gx(g, target, index):
    return g[target(index)]


# ---------------------------------------------------------------- broadcast_to
def same_or_one(i, o, extent):
    """Index i of an axis is what output index o reads: the same, or the only one where the extent is 1."""
    return equal(i, o) | equal(extent, 1)


def broadcast_signatures(highest):
    """x of rank r to y of rank s >= r, axes aligned on the right."""
    return {f"rank {r} to {s}": f"x[{axes('I', range(s - r, s))}] -> y[{axes('O', range(s))}]"
            for s in range(highest + 1) for r in range(s + 1)}


broadcast_to = Op("broadcast_to", broadcast_signatures(3), domain=lambda size: [
    equal(getattr(size, f"I{k}"), getattr(size, f"O{k}")) | equal(getattr(size, f"I{k}"), 1)
    for k in aligned_axes(size.case)])


def aligned_axes(case: Case):
    return [int(axis[1:]) for axis in case.inputs[0].axes]


def read_by(case, xi, o, size):
    """[x[xi] is what y[o] reads]"""
    return indicator(*(same_or_one(i, o[k], getattr(size, f"I{k}"))
                       for i, k in zip(xi, aligned_axes(case), strict=True)))


@broadcast_to.forward
def broadcast_to_y(x, case, index, size):
    return Sum(read_by(case, i, index, size) * x[i] for i in size.axes("x"))


@broadcast_to.jvp
def broadcast_to_dy(dx, case, index, size):
    return broadcast_to_y(dx, case, index, size)


@broadcast_to.vjp("x")
def broadcast_to_gx(g, case, index, size):
    return Sum(read_by(case, index, o, size) * g[o] for o in size.axes("y"))


for op in (concat, reshape, broadcast_to):
    op.register()
