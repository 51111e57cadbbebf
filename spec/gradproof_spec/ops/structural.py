"""Ops that move elements. Row-major throughout."""
from itertools import pairwise, permutations

from ..op import Case, Extents, IndexFunctions, Op
from ..terms import TRUE, Sum, apply, equal, in_range, indicator, where


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


# ---------------------------------------------------------------- slice_range
slice_range = Op("slice_range", "x[B,N,A] -> y[B,L,A]", attributes="start",
                 domain=lambda size: [size.start >= 0, size.start + size.L <= size.N])


@slice_range.forward
def slice_range_y(x, b, l, a, size):
    return x[b, size.start + l, a]


@slice_range.jvp
def slice_range_dy(dx, b, l, a, size):
    return slice_range_y(dx, b, l, a, size)


@slice_range.vjp("x")
def slice_range_gx(g, b, n, a, size):
    return indicator(in_range(n - size.start, size.L)) * g[b, n - size.start, a]


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


# ---------------------------------------------------------------- transpose
def joins(p):
    """Do two neighbouring axes stay neighbours? Then they count as one, and the permutation as one of lower rank."""
    return any(b == a + 1 for a, b in pairwise(p))


# Every permutation of up to 3 axes and those of 4 that are none of fewer; of rank 5 that of pixel_shuffle.
PERMUTATIONS = [p for r in (3, 0, 1, 2, 4) for p in reversed(list(permutations(range(r)))) if r < 4 or not joins(p)]
PERMUTATIONS.append((0, 3, 1, 4, 2))
LETTERS = "ABCDE"


def transpose_signature(axes):
    """Axis k of y is axis axes[k] of x."""
    return f"x[{','.join(LETTERS[:len(axes)])}] -> y[{','.join(LETTERS[a] for a in axes)}]"


transpose = Op("transpose", {" ".join(["axes", *map(str, p)]): transpose_signature(p) for p in PERMUTATIONS})


def in_order(wanted, given, index):
    """The indices of the axes `given` in the order of the axes `wanted`."""
    named = dict(zip(given, index, strict=True))
    return tuple(named[a] for a in wanted)


@transpose.forward
def transpose_y(x, case, index):
    return x[in_order(case.inputs[0].axes, case.output.axes, index)]


@transpose.jvp
def transpose_dy(dx, case, index):
    return transpose_y(dx, case, index)


@transpose.vjp("x")
def transpose_gx(g, case, index):
    return g[in_order(case.output.axes, case.inputs[0].axes, index)]


# ---------------------------------------------------------------- broadcast_to
def same_or_one(i, o, extent):
    """Index i of an axis is what output index o reads: the same, or the only one where the extent is 1."""
    return equal(i, o) | equal(extent, 1)


def broadcast_signatures(ranks):
    """x of rank r to y of rank s >= r, axes aligned on the right."""
    return {f"rank {r} to {s}": f"x[{axes('I', range(s - r, s))}] -> y[{axes('O', range(s))}]" for r, s in ranks}


# At rank 4, axes that x does not have count as axes of extent 1.
BROADCASTS = [*((r, s) for s in range(4) for r in range(s + 1)), (4, 4)]
broadcast_to = Op("broadcast_to", broadcast_signatures(BROADCASTS), domain=lambda size: [
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


# ---------------------------------------------------------------- pad
PADDED = 4  # axes at most


def pad_domain(size):
    return [c for k in range(len(size.case.output.axes)) for c in (
        getattr(size, f"before{k}") >= 0,
        getattr(size, f"before{k}") + getattr(size, f"I{k}") <= getattr(size, f"O{k}"))]


pad = Op("pad", {f"rank {r}": f"x[{axes('I', range(r))}] -> y[{axes('O', range(r))}]" for r in (2, 0, 1, 3, 4)},
         attributes=" ".join(f"before{k}" for k in range(PADDED)), reals="value", domain=pad_domain)


def unpadded(o, size):
    return tuple(j - getattr(size, f"before{k}") for k, j in enumerate(o))


@pad.forward
def pad_y(x, value, index, case, size):
    i = unpadded(index, size)
    return where(inside(i, case.shape("x")), x[i], value)


@pad.jvp
def pad_dy(dx, index, case, size):
    i = unpadded(index, size)
    return indicator(inside(i, case.shape("x"))) * dx[i]


@pad.vjp("x")
def pad_gx(g, index, size):
    return g[tuple(i + getattr(size, f"before{k}") for k, i in enumerate(index))]


# ---------------------------------------------------------------- flip
# N, or N and M, are turned round: neighbouring axes that are both turned, or both kept, count as one.
flip = Op("flip", {"1 group": "x[B,N,A] -> y[B,N,A]", "2 groups": "x[B,N,A,M,C] -> y[B,N,A,M,C]"})


def turned(index, case):
    axes = case.output.axes
    return tuple(n - 1 - i if a in "NM" else i for a, i, n in zip(axes, index, case.shape("x"), strict=True))


@flip.forward
def flip_y(x, case, index):
    return x[turned(index, case)]


@flip.jvp
def flip_dy(dx, case, index):
    return flip_y(dx, case, index)


@flip.vjp("x")
def flip_gx(g, case, index):
    return g[turned(index, case)]


# ---------------------------------------------------------------- roll
roll = Op("roll", "x[B,N,A] -> y[B,N,A]", attributes="shift")


@roll.forward
def roll_y(x, b, n, a, size):
    return x[b, (n - size.shift) % size.N, a]


@roll.jvp
def roll_dy(dx, b, n, a, size):
    return roll_y(dx, b, n, a, size)


@roll.vjp("x")
def roll_gx(g, b, n, a, size):
    return Sum(indicator(equal((m - size.shift) % size.N, n)) * g[b, m, a] for m in size.N)


# ---------------------------------------------------------------- upsample_nearest
upsample_nearest = Op("upsample_nearest", {
    "2 axes": "x[B,H,W] -> y[B,P,Q]", "1 axis": "x[B,H] -> y[B,P]", "3 axes": "x[B,H,W,D] -> y[B,P,Q,R]"},
    domain=lambda size: [n >= 1 for name in ("x", "g") for n in size.case.shape(name)[1:]])


def nearest(o, case):
    """The element of x that is repeated at output index o."""
    b, *o = o
    return (b, *(i * n // m for i, n, m in zip(o, case.shape("x")[1:], case.shape("g")[1:], strict=True)))


@upsample_nearest.forward
def upsample_nearest_y(x, case, index):
    return x[nearest(index, case)]


@upsample_nearest.jvp
def upsample_nearest_dy(dx, case, index):
    return upsample_nearest_y(dx, case, index)


@upsample_nearest.vjp("x")
def upsample_nearest_gx(g, case, index, size):
    b = index[0]
    return Sum(indicator(*map(equal, nearest((b, *o), case), index)) * g[(b, *o)] for o in spatial(size))


def spatial(size):
    return Extents(size.axes("g")[1:])


for op in (concat, slice_range, reshape, transpose, broadcast_to, pad, flip, roll, upsample_nearest):
    op.register()
