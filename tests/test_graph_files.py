"""Graphs in files and pictures: what is saved is loaded, a crash leaves a whole graph, and files that are none are
refused before anything of theirs is believed."""

import hashlib
import json
import os
import pickle
import struct
import tracemalloc
import xml.etree.ElementTree as ET
import zipfile
from io import BytesIO
from math import inf, nan

import numpy as np
import pytest

import gradproof as gp
from gradproof import graph_files

# Round trips.


def model(x, w):
    h = gp.relu(x @ w + np.array([0.1, -0.0, np.nan]))
    h = gp.pad(h, ((0, 0), (1, 0)), -inf)
    return gp.reduce_sum(gp.gather_rows(h, np.array([0, 1], np.int32))), gp.clamp(h, -inf, 1.0 / 3)


@pytest.fixture
def graph():
    return gp.trace(model, (2, 3), (3, 3))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.json"


def test_a_graph_is_saved_and_loaded(graph, path):
    graph.save(path)
    loaded = gp.Graph.load(path)
    assert loaded == graph
    assert [node.attributes for node in loaded.nodes if node.op == "pad"] == [
        {"widths": ((0, 0), (1, 0)), "value": -inf}
    ]
    assert sorted(file.name for file in path.parent.iterdir()) == ["model.json", "model.npz"]
    graph.save(str(path))  # and again, over the old one
    assert gp.Graph.load(str(path)) == graph


def test_the_json_is_readable(path):
    gp.trace(lambda x: gp.clamp(x, -0.1, 0.3), {"β": (2, 3)}["β"]).save(path)
    assert (
        path.read_text()
        == """{
"format": "gradproof graph",
"version": 1,
"nodes": [
{"id": 0, "op": "input", "shape": [2, 3], "dtype": "float64", "name": "x0"},
{"id": 1, "op": "clamp", "parents": [0], "attributes": {"min": -0.1, "max": 0.3}, "shape": [2, 3], "dtype": "float64"}
],
"outputs": [1]
}
"""
    )


def test_numpy_reads_the_constants(graph, path):
    graph.save(path)
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        assert {int(name) for name in arrays} == set(graph.payload)
        for number, array in graph.payload.items():
            np.testing.assert_array_equal(arrays[str(number)], array)
            assert arrays[str(number)].dtype == array.dtype


@pytest.mark.parametrize("dtype", sorted(gp.graph.DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)], ids=str)
def test_constants_of_every_dtype_and_shape(dtype, shape, path):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    builder = gp.GraphBuilder()
    builder.const(array)
    graph = builder.build()
    graph.save(path)
    assert gp.Graph.load(path) == graph
    loaded = gp.Graph.load(path).payload[0]
    assert loaded.flags.owndata and not loaded.flags.writeable


def test_arrays_in_any_memory_order_are_kept(path):
    wide = np.arange(24.0).reshape(4, 6)
    for array in (np.asfortranarray(wide), wide[::-1, ::2], wide.T, wide.astype(">f8")):
        graph = gp.trace(lambda x, array=array: gp.concat([x, array.ravel()]) @ np.ones(1 + array.size), (1,))
        builder = gp.GraphBuilder()
        builder.const(array)
        for each in (graph, builder.build()):
            each.save(path)
            assert gp.Graph.load(path) == each


FLOATS = (0.1, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3, 2.0**60, inf, -inf, nan)


@pytest.mark.parametrize("value", FLOATS, ids=repr)
def test_floats_come_back_exactly(value, path):
    gp.trace(lambda x: gp.pad(x, ((1, 1),), value), (2,)).save(path)
    loaded = gp.Graph.load(path).nodes[1].attributes["value"]
    assert struct.pack("<d", loaded) == struct.pack("<d", value)


def test_what_numpy_saves_is_loaded(graph, path):
    """An .npz of np.savez, of np.savez_compressed and of arrays in Fortran's order, entered in the JSON."""
    graph.save(path)
    arrays = {str(number): np.asfortranarray(array) for number, array in graph.payload.items()}
    for savez in (np.savez, np.savez_compressed):
        savez(path.with_suffix(".npz"), **arrays)
        enter_digest(path)
        assert gp.Graph.load(path) == graph


def test_names_that_need_quotes(path):
    builder = gp.GraphBuilder()
    for name in ('"', "\\", "\n", "é😀", "\0", "</svg>", ""):
        builder.input((), name=name)
    graph = builder.build(*builder.args())
    graph.save(path)
    assert gp.Graph.load(path) == graph


def test_a_name_that_is_no_text_is_not_saved(path):
    builder = gp.GraphBuilder()
    builder.input((), name="\ud800")
    with pytest.raises(gp.NodeError, match="surrogate"):
        builder.build().save(path)
    assert not path.exists()


def test_a_graph_that_is_not_well_formed_is_not_saved(graph, path):
    graph.save(path)
    before = path.read_bytes()
    with pytest.raises(gp.GraphError):
        gp.Graph(graph.nodes, (99,), graph.payload).save(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["", ".", "model.npz", ".."])
def test_names_that_cannot_be_the_json(graph, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (graph.save, gp.Graph.load):
        with pytest.raises(gp.GraphError):
            call(name)
    assert list(tmp_path.iterdir()) == []


# Crashes.


class Crash(BaseException):
    pass


@pytest.mark.parametrize("at", range(9))
def test_a_crash_leaves_the_old_graph_or_the_new_one(at, path, monkeypatch):
    """The process ends at the at-th step of saving: an open, a sync or a renaming."""
    old = gp.trace(lambda x: x + np.array([1.0, 2.0]), (2,))
    new = gp.trace(lambda x: x * np.array([3.0, 4.0]), (2,))
    old.save(path)
    steps = 0

    def crashing(function):
        def call(*args, **kwargs):
            nonlocal steps
            if steps >= at:
                raise Crash
            steps += 1
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crashing(os.replace))
        patch.setattr(os, "fsync", crashing(os.fsync))
        patch.setattr(graph_files, "open", crashing(open), raising=False)
        patch.setattr(type(path), "unlink", lambda *_, **__: None)  # nothing is tidied after a crash
        try:
            new.save(path)
            crashed = False
        except Crash:
            crashed = True
    loaded = gp.Graph.load(path)
    assert loaded == new or (crashed and loaded == old)
    new.save(path)
    assert gp.Graph.load(path) == new


def test_saving_has_fewer_steps_than_are_tried(path, monkeypatch):
    steps = []

    def counting(function):
        return lambda *args, **kwargs: (steps.append(function.__name__), function(*args, **kwargs))[1]

    monkeypatch.setattr(os, "replace", counting(os.replace))
    monkeypatch.setattr(os, "fsync", counting(os.fsync))
    monkeypatch.setattr(graph_files, "open", counting(open), raising=False)
    gp.trace(lambda x: x + np.ones(2), (2,)).save(path)
    assert steps == ["open", "fsync", "open", "replace", "open", "fsync", "replace", "replace"]


def test_an_error_leaves_no_temporary_files(graph, path, monkeypatch):
    graph.save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="disk full"):
                graph.save(path)
    assert sorted(file.name for file in path.parent.iterdir()) == ["model.json", "model.npz"]
    assert path.read_bytes() == before


def test_constants_of_another_graph_are_refused(path):
    """Two graphs whose files share the name of the .npz."""
    first, second = path.with_name("m.first"), path.with_name("m.second")
    gp.trace(lambda x: x + np.array([1.0, 2.0]), (2,)).save(first)
    gp.trace(lambda x: x * np.array([3.0, 4.0]), (2,)).save(second)
    with pytest.raises(gp.GraphError, match="not the one that belongs"):
        gp.Graph.load(first)
    assert gp.Graph.load(second).nodes[-1].op == "mul"


# Hostile JSON.


def small():
    """%0 input, %1 const (2,), %2 add, %3 pad."""
    return gp.trace(lambda x: gp.pad(x + np.array([1.0, 2.0]), ((0, 1),), 0.5), (2,))


def enter_digest(path):
    document = json.loads(path.read_text())
    document["payload"] = hashlib.sha256(path.with_suffix(".npz").read_bytes()).hexdigest()
    path.write_text(json.dumps(document))


def refused(path, match, node=None):
    with pytest.raises(gp.GraphError, match=match) as caught:
        gp.Graph.load(path)
    assert getattr(caught.value, "node", None) == node
    assert len(str(caught.value)) < 1500


BYTES = {
    "empty": (b"", "not JSON"),
    "no-json": (b"import os", "not JSON"),
    "pickle": (pickle.dumps({"format": "gradproof graph"}), "not UTF-8|not JSON"),
    "no-utf-8": (b'{"format": "\xff"}', "not UTF-8"),
    "utf-16": ('{"format": "gradproof graph"}'.encode("utf-16"), "not UTF-8"),
    "utf-8-bom": (b"\xef\xbb\xbf{}", "not JSON"),
    "trailing": (b"{} {}", "not JSON"),
    "cut": (b'{"format": "gradproof graph", "nodes": [', "not JSON"),
    "deep-lists": (b"[" * 100_000, "nests too deeply"),
    "deep-lists-closed": (b"[" * 100_000 + b"]" * 100_000, "nests too deeply"),
    "deep-objects": (b'{"a":' * 100_000, "nests too deeply"),
    "duplicate-key": (b'{"format": "gradproof graph", "format": "gradproof graph"}', "stands twice"),
    "duplicate-deep": (b'{"nodes": [{"id": 0, "id": 0}]}', "stands twice"),
    "huge-int": (b'{"version": ' + b"9" * 100_000 + b"}", "more than 400 digits"),
    "huge-negative": (b'{"version": -' + b"9" * 5000 + b"}", "more than 400 digits"),
    "nan": (b'{"version": NaN}', "NaN is not JSON"),
    "infinity": (b'{"version": Infinity}', "Infinity is not JSON"),
    "minus-infinity": (b'{"version": -Infinity}', "-Infinity is not JSON"),
    "overflow": (b'{"version": 1e999}', "beyond float64"),
    "list": (b"[]", "'format'"),
    "number": (b"1", "'format'"),
    "null": (b"null", "'format'"),
    "object": (b"{}", "'format'"),
}


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_graph(name, path):
    content, match = BYTES[name]
    path.write_bytes(content)
    refused(path, match)


DOCUMENTS = {
    "format": ({"format": "onnx"}, "'format'"),
    "format-type": ({"format": 1}, "'format'"),
    "newer": ({"version": 2}, "upgrade gradproof"),
    "older": ({"version": 0}, "no such version"),
    "version-float": ({"version": 1.0}, "no such version"),
    "version-bool": ({"version": True}, "no such version"),
    "version-text": ({"version": "1"}, "no such version"),
    "version-null": ({"version": None}, "no such version"),
    "unknown-field": ({"code": "x"}, "unknown = \\['code'\\]"),
    "no-nodes": ({"nodes": ...}, "missing = \\['nodes'\\]"),
    "no-outputs": ({"outputs": ...}, "missing = \\['outputs'\\]"),
    "nodes-object": ({"nodes": {}}, "'nodes' must be a list"),
    "nodes-null": ({"nodes": None}, "'nodes' must be a list"),
    "nodes-empty": ({"nodes": [], "payload": ..., "outputs": []}, "no output"),
    "outputs-object": ({"outputs": {}}, "list of ids"),
    "outputs-int": ({"outputs": 3}, "list of ids"),
    "outputs-text": ({"outputs": ["3"]}, "list of ids"),
    "outputs-bool": ({"outputs": [True]}, "list of ids"),
    "outputs-float": ({"outputs": [3.0]}, "list of ids"),
    "outputs-empty": ({"outputs": []}, "no output"),
    "outputs-outside": ({"outputs": [4]}, "an output is no node"),
    "outputs-negative": ({"outputs": [-1]}, "an output is no node"),
    "outputs-huge": ({"outputs": [10**300]}, "an output is no node"),
    "no-payload": ({"payload": ...}, "SHA-256"),
    "payload-null": ({"payload": None}, "SHA-256"),
    "payload-short": ({"payload": "ab"}, "SHA-256"),
    "payload-path": ({"payload": "../" * 20 + "etcd"}, "SHA-256"),
    "payload-other": ({"payload": "0" * 64}, "not the one that belongs"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_fields_that_do_not_fit(name, path):
    changes, match = DOCUMENTS[name]
    small().save(path)
    document = json.loads(path.read_text())
    document.update(changes)
    path.write_text(json.dumps({key: value for key, value in document.items() if value is not ...}))
    refused(path, match)


def test_a_payload_without_constants_is_refused(path):
    gp.trace(gp.relu, (2,)).save(path)
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "payload": "0" * 64}))
    refused(path, "no constant")


NODES = {
    "no-object": (3, None, "must be an object"),
    "list": (3, [], "must be an object"),
    "empty": (3, {}, "missing = \\['dtype', 'id', 'op', 'shape'\\]"),
    "unknown-field": (3, {"code": "x"}, "unknown = \\['code'\\]"),
    "id-other": (3, {"id": 4}, "ids must be"),
    "id-text": (3, {"id": "3"}, "ids must be"),
    "id-float": (3, {"id": 3.0}, "ids must be"),
    "id-bool": (1, {"id": True}, "ids must be"),
    "op-unknown": (3, {"op": "exec"}, "no such op"),
    "op-null": (3, {"op": None}, "must be text"),
    "op-list": (3, {"op": ["pad"]}, "must be text"),
    "op-other": (3, {"op": "relu"}, "unknown attributes"),
    "op-const": (3, {"op": "const"}, "member per constant"),
    "op-not-const": (1, {"op": "input"}, "no constant"),
    "dtype-unknown": (3, {"dtype": "object"}, "unknown dtype"),
    "dtype-unknown-const": (1, {"dtype": "object"}, "unknown dtype"),
    "dtype-other": (3, {"dtype": "float32"}, "another shape or dtype"),
    "dtype-null": (3, {"dtype": None}, "must be text"),
    "name-number": (0, {"name": 3}, "must be text"),
    "name-null": (0, {"name": None}, "must be text"),
    "name-surrogate": (0, {"name": "\ud800"}, "surrogate"),
    "name-of-an-op": (3, {"name": "y"}, "only inputs have names"),
    "shape-null": (3, {"shape": None}, "list of integers"),
    "shape-number": (3, {"shape": 3}, "list of integers"),
    "shape-float": (3, {"shape": [3.0]}, "list of integers"),
    "shape-bool": (3, {"shape": [True]}, "list of integers"),
    "shape-nested": (3, {"shape": [[3]]}, "list of integers"),
    "shape-negative": (3, {"shape": [-3]}, "extents >= 0"),
    "shape-huge": (3, {"shape": [2**62]}, "no array has this shape"),
    "shape-huge-const": (1, {"shape": [2**62]}, "no array has this shape"),
    "shape-large-const": (1, {"shape": [2**50]}, "another size"),
    "shape-other-const": (1, {"shape": [3]}, "another size|another shape"),
    "shape-transposed-const": (1, {"shape": [2, 1]}, "another shape"),
    "shape-axes": (3, {"shape": [1] * 65}, "no array has this shape"),
    "shape-other": (3, {"shape": [4]}, "another shape or dtype"),
    "shape-of-input": (0, {"shape": [3]}, "broadcast"),
    "parents-null": (3, {"parents": None}, "list of ids"),
    "parents-text": (3, {"parents": ["2"]}, "list of ids"),
    "parents-float": (3, {"parents": [2.0]}, "list of ids"),
    "parents-bool": (3, {"parents": [True]}, "list of ids"),
    "parents-itself": (3, {"parents": [3]}, "does not come before"),
    "parents-later": (2, {"parents": [0, 3]}, "does not come before"),
    "parents-negative": (3, {"parents": [-1]}, "does not come before"),
    "parents-huge": (3, {"parents": [10**300]}, "does not come before"),
    "parents-fewer": (2, {"parents": [0]}, "number of parents"),
    "parents-none": (2, {"parents": []}, "number of parents"),
    "parents-of-input": (0, {"parents": [0]}, "does not come before"),
    "parents-of-const": (1, {"parents": [0]}, "has parents"),
    "attributes-null": (3, {"attributes": None}, "must be an object"),
    "attributes-list": (3, {"attributes": []}, "must be an object"),
    "attributes-missing": (3, {"attributes": {"value": 0.5}}, "attributes do not fit"),
    "attributes-unknown": (3, {"attributes": {"widths": [[0, 1]], "value": 0.5, "shell": "x"}}, "unknown attributes"),
    "attributes-object": (3, {"attributes": {"widths": {"a": 1}, "value": 0.5}}, "an attribute is an object"),
    "attributes-float-object": (
        3,
        {"attributes": {"widths": [[0, 1]], "value": {"float": "1e9"}}},
        "an attribute is an object",
    ),
    "attributes-float-number": (
        3,
        {"attributes": {"widths": [[0, 1]], "value": {"float": 1}}},
        "an attribute is an object",
    ),
    "attributes-float-list": (
        3,
        {"attributes": {"widths": [[0, 1]], "value": {"float": []}}},
        "an attribute is an object",
    ),
    "attributes-two-floats": (
        3,
        {"attributes": {"widths": [[0, 1]], "value": {"float": "inf", "x": 1}}},
        "an attribute is an object",
    ),
    "attributes-int-for-float": (3, {"attributes": {"widths": [[0, 1]], "value": 1}}, "normal form"),
    "attributes-bool": (3, {"attributes": {"widths": [[False, True]], "value": 0.5}}, "widths"),
    "attributes-negative": (3, {"attributes": {"widths": [[0, -1]], "value": 0.5}}, "width"),
    "attributes-huge": (3, {"attributes": {"widths": [[0, 10**300]], "value": 0.5}}, "another shape or dtype"),
    "attributes-long": (3, {"attributes": {"widths": [[0, 10**350]], "value": 0.5}}, "no plain value"),
    "attributes-deep": (
        3,
        {"attributes": {"widths": json.loads("[" * 50 + "]" * 50), "value": 0.5}},
        "nests too deeply",
    ),
    "attributes-surrogate": (3, {"attributes": {"widths": "\udfff", "value": 0.5}}, "surrogate"),
}
NOT_OF_A_NODE = {"op-const", "op-not-const"}
BLAMED = {"shape-of-input": 2}


@pytest.mark.parametrize("name", NODES)
def test_nodes_that_do_not_fit(name, path):
    number, changes, match = NODES[name]
    small().save(path)
    document = json.loads(path.read_text())
    node = document["nodes"][number]
    document["nodes"][number] = {**node, **changes} if changes else changes
    path.write_text(json.dumps(document))
    refused(path, match, None if name in NOT_OF_A_NODE else BLAMED.get(name, number))


def test_a_node_that_is_missing_or_there_twice(path):
    small().save(path)
    document = json.loads(path.read_text())
    nodes = document["nodes"]
    path.write_text(json.dumps({**document, "nodes": nodes[1:]}))
    refused(path, "ids must be", 0)
    path.write_text(json.dumps({**document, "nodes": [*nodes, nodes[0]]}))
    refused(path, "ids must be", 4)
    path.write_text(json.dumps({**document, "nodes": [nodes[1], nodes[0], *nodes[2:]]}))
    refused(path, "ids must be", 0)


def test_files_that_are_not_there(path):
    with pytest.raises(FileNotFoundError):
        gp.Graph.load(path)
    path.mkdir()
    refused(path, "this is no file")
    with pytest.raises(gp.GraphError, match="directory"):
        small().save(path)


# Hostile .npz: `small` with another .npz, whose digest is entered in the JSON.

GOOD = np.array([1.0, 2.0])


def npy(array=GOOD, **keywords):
    out = BytesIO()
    np.lib.format.write_array(out, array, **keywords)
    return out.getvalue()


def header(text):
    raw = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw + GOOD.tobytes()


def zipped(*members, compression=zipfile.ZIP_STORED):
    """(name or ZipInfo, bytes) each."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def patched(content, signature, offset, change):
    """A zip with bytes changed in its first local header or first entry of the directory."""
    place = content.index(signature) + offset
    return content[:place] + change + content[place + len(change) :]


LOCAL, DIRECTORY = b"PK\x03\x04", b"PK\x01\x02"


def both(content, offset, change):
    """Changed in the local header and in the directory, whose fields stand two bytes later."""
    return patched(patched(content, LOCAL, offset, change), DIRECTORY, offset + 2, change)


def link():
    info = zipfile.ZipInfo("1.npy")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


ONE = zipped(("1.npy", npy()))
ZEROS = npy(np.zeros(10**7))
GIB = struct.pack("<L", 2**30)
HEADER = "{'descr': %s, 'fortran_order': False, 'shape': %s, }"
ARCHIVES = {
    "empty": (b"", "no zip file"),
    "text": (b"hello", "no zip file"),
    "npy": (npy(), "no zip file"),
    "cut": (ONE[:-30], "no zip file"),
    "cut-in-the-middle": (ONE[:80], "no zip file"),
    "no-member": (zipped(), "missing = \\['1.npy'\\]"),
    "other-member": (zipped(("2.npy", npy())), "unknown = \\['2.npy'\\]"),
    "one-member-more": (zipped(("1.npy", npy()), ("7.npy", npy())), "unknown = \\['7.npy'\\]"),
    "member-of-an-op": (zipped(("1.npy", npy()), ("2.npy", npy())), "unknown = \\['2.npy'\\]"),
    "leading-zero": (zipped(("01.npy", npy())), "missing"),
    "no-suffix": (zipped(("1", npy())), "missing"),
    "path": (zipped(("1.npy", npy()), ("../1.npy", npy())), "unknown = \\['../1.npy'\\]"),
    "absolute": (zipped(("/1.npy", npy())), "missing"),
    "folder": (zipped(("1.npy/", b"")), "missing"),
    "link": (zipped((link(), npy())), "no plain file"),
    "encrypted": (both(ONE, 6, b"\x01\x00"), "npz is encrypted;"),
    "bzip2": (zipped(("1.npy", npy()), compression=zipfile.ZIP_BZIP2), "unknown way"),
    "lzma": (zipped(("1.npy", npy()), compression=zipfile.ZIP_LZMA), "unknown way"),
    "unknown-compression": (both(ONE, 8, b"\x63\x00"), "unknown way"),
    "stored-as-deflated": (both(ONE, 8, b"\x08\x00"), "cannot be read"),
    "wrong-crc": (both(ONE, 14, b"\x00\x00\x00\x00"), "cannot be read"),
    "other-data": (ONE.replace(GOOD.tobytes(), GOOD[::-1].tobytes()), "cannot be read"),
    "other-local-name": (patched(ONE, LOCAL, 30, b"2.npy"), "cannot be read"),
    "offset-outside": (patched(ONE, DIRECTORY, 42, b"\xff\xff\xff\x7f"), "cannot be read|no zip file"),
    "bomb": (zipped(("1.npy", ZEROS), compression=zipfile.ZIP_DEFLATED), "another size"),
    "size-too-large": (patched(ONE, DIRECTORY, 24, GIB), "another size"),
    "compressed-size-too-large": (patched(ONE, DIRECTORY, 20, GIB), "another size"),
    "size-too-small": (patched(ONE, DIRECTORY, 24, struct.pack("<L", 20)), "cannot be read|another size|no array"),
    "data-cut": (zipped(("1.npy", npy()[:-1])), "another size"),
    "data-missing": (zipped(("1.npy", npy()[:-16])), "another size"),
    "data-longer": (zipped(("1.npy", npy() + b"\0")), "another size"),
    "data-of-scalar": (zipped(("1.npy", npy(np.array(1.0)) + bytes(8))), "another shape"),
    "member-empty": (zipped(("1.npy", b"")), "another size"),
    "no-magic": (zipped(("1.npy", b"\x93NUMPX" + npy()[6:])), "format 1.0"),
    "pickle": (zipped(("1.npy", pickle.dumps("x" * 100))), "format 1.0"),
    "object": (zipped(("1.npy", npy(np.array([1, "x"], object), allow_pickle=True))), "header is not"),
    "version-2": (zipped(("1.npy", npy(version=(2, 0)))), "format 1.0"),
    "float32": (zipped(("1.npy", npy(np.zeros(4, np.float32)))), "another dtype"),
    "int64": (zipped(("1.npy", npy(np.array([1, 2])))), "another dtype"),
    "complex": (zipped(("1.npy", npy(np.array([1j])))), "another dtype"),
    "unicode": (zipped(("1.npy", npy(np.array(["abcd"])))), "another dtype"),
    "datetime": (zipped(("1.npy", npy(np.zeros(2, "M8[s]")))), "header is not"),
    "structured": (zipped(("1.npy", npy(np.zeros(2, [("a", "f8")])))), "header is not"),
    "big-endian": (zipped(("1.npy", npy(GOOD.astype(">f8")))), "another dtype"),
    "native-endian": (zipped(("1.npy", header(HEADER % ("'=f8'", "(2,)")))), "another dtype"),
    "shape": (zipped(("1.npy", npy(GOOD[None]))), "another shape"),
    "header-negative": (zipped(("1.npy", header(HEADER % ("'<f8'", "(-2,)")))), "header is not"),
    "header-code": (zipped(("1.npy", header(HEADER % ("__import__('os')", "(2,)")))), "header is not"),
    "header-deep": (zipped(("1.npy", header("(" * 117))), "header is not"),
    "header-cut": (zipped(("1.npy", npy()[:20] + bytes(40))), "header is not|another size"),
    "header-long": (zipped(("1.npy", b"\x93NUMPY\x01\x00\xff\xff" + b" " * 16)), "header is not|another size"),
}  # fmt: skip


def hostile(path, content):
    small().save(path)
    path.with_suffix(".npz").write_bytes(content)
    enter_digest(path)


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_that_do_not_fit(name, path):
    content, match = ARCHIVES[name]
    hostile(path, content)
    with pytest.raises(gp.GraphError, match=match) as caught:
        gp.Graph.load(path)
    assert getattr(caught.value, "node", 1) == 1


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(path):
    hostile(path, zipped(("1.npy", npy()), ("1.npy", npy())))
    refused(path, "duplicates = 1")


def test_the_good_archive_is_read(path):
    hostile(path, ONE)
    assert gp.Graph.load(path) == small()


def test_constants_that_are_missing_or_changed(path):
    small().save(path)
    path.with_suffix(".npz").write_bytes(ONE + b"x")
    refused(path, "not the one that belongs")
    path.with_suffix(".npz").unlink()
    refused(path, "constants are missing")


def test_truth_values_are_0_or_1(path):
    builder = gp.GraphBuilder((2,))
    graph = builder.build(builder.where(np.array([True, False]), builder.arg(0), 0.0))
    graph.save(path)
    number = next(k for k, node in enumerate(graph.nodes) if node.dtype == "bool")
    with np.load(path.with_suffix(".npz")) as arrays:
        members = [(f"{name}.npy", npy(arrays[name])) for name in arrays]
    path.with_suffix(".npz").write_bytes(zipped(*((name, content[:-1] + b"\x02" if name == f"{number}.npy" else content)
                                                  for name, content in members)))  # fmt: skip
    enter_digest(path)
    refused(path, "neither 0 nor 1", number)


@pytest.mark.parametrize("name", ["bomb", "size-too-large", "compressed-size-too-large"])
def test_no_more_memory_is_taken_than_declared(name, path):
    hostile(path, ARCHIVES[name][0])
    tracemalloc.start()
    with pytest.raises(gp.GraphError):
        gp.Graph.load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_shape_that_only_the_json_claims_takes_no_memory(path):
    """JSON and zip agree on 2**40 bytes that are not there."""
    small().save(path)
    document = json.loads(path.read_text())
    document["nodes"][1]["shape"] = [2**37]
    path.write_text(json.dumps(document))
    content = zipped(("1.npy", npy()))
    path.with_suffix(".npz").write_bytes(content)
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.npy", header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({2**37},), }}"))
        archive.infolist()[0].file_size = 2**40 + 128
    path.with_suffix(".npz").write_bytes(out.getvalue())
    enter_digest(path)
    tracemalloc.start()
    refused(path, "another size|cannot be read", 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_files_with_random_damage(suffix, path):
    """Bytes changed, cut or repeated: refused, or another well-formed graph; never another exception."""
    original = small()
    original.save(path)
    target = path.with_suffix(suffix)
    content, document = target.read_bytes(), path.read_bytes()
    rng = np.random.default_rng(0)
    refusals = 0
    for _ in range(600):
        path.write_bytes(document)
        damaged = bytearray(content)
        for _ in range(rng.integers(1, 4)):
            start, length = int(rng.integers(len(content))), int(rng.integers(1, 6))
            kind = rng.integers(4)
            if kind == 0:
                damaged[start : start + length] = rng.bytes(length)
            elif kind == 1:
                del damaged[start : start + length]
            elif kind == 2:
                damaged[start:start] = damaged[start : start + length]
            else:
                damaged[start : start + 1] = bytes([rng.choice(list(b'0123456789-.eE[]{}",:'))])
        target.write_bytes(bytes(damaged))
        if suffix == ".npz":
            enter_digest(path)
        try:
            loaded = gp.Graph.load(path)
        except gp.GradproofError as error:
            assert isinstance(error, gp.GraphError)
            refusals += 1
        else:
            loaded.check_well_formed()
    assert refusals > 300


# Pictures.

SVG = "{http://www.w3.org/2000/svg}"


def block(x, w, mask):
    """Long edges, shared and repeated parents, constants, every kind of label."""
    h = gp.dropout(gp.relu(gp.linear(x, w)), 0.9, 3)
    y = gp.layer_norm(h + gp.scaled_dot_product_attention(h, h, h, mask), np.ones(4), np.zeros(4))
    z = gp.clamp(gp.tanh(y * y) + x, -inf, 0.5)
    return gp.cross_entropy(z, np.array([0, 1, 2])), y


@pytest.fixture
def pictured():
    return gp.trace(block, (3, 4), (4, 4), gp.TensorSpec((3, 3), "bool"))


def test_the_svg_shows_every_node(pictured):
    root = ET.fromstring(pictured.to_svg())
    texts = [element.text for element in root.iter(f"{SVG}text")]
    for number, node in enumerate(pictured.nodes):
        assert any(text.startswith(f"%{number} {node.op}") for text in texts)
    assert "float64[3, 4]" in texts and "mask" not in texts and "eps=1e-05" in texts
    inputs = sum(node.op == "input" for node in pictured.nodes)
    constants = sum(node.op == "const" for node in pictured.nodes)
    assert len(list(root.iter(f"{SVG}ellipse"))) == inputs
    assert len(list(root.iter(f"{SVG}polygon"))) == constants
    ops = len(pictured.nodes) - inputs - constants
    assert len(list(root.iter(f"{SVG}rect"))) == 1 + ops + len(pictured.outputs)  # the background, double lines
    arrows = [element for element in root.iter(f"{SVG}path") if element.get("marker-end")]
    assert len(arrows) == sum(len(node.parents) for node in pictured.nodes)
    assert not [element for element in root.iter() if "href" in str(element.attrib) or element.tag.endswith("script")]


def boxes(root):
    for element in root.iter():
        get = lambda name, element=element: float(element.get(name))  # noqa: E731
        if element.tag == f"{SVG}rect" and element.get("x"):
            yield get("x"), get("y"), get("x") + get("width"), get("y") + get("height")
        elif element.tag == f"{SVG}ellipse":
            yield get("cx") - get("rx"), get("cy") - get("ry"), get("cx") + get("rx"), get("cy") + get("ry")
        elif element.tag == f"{SVG}polygon":
            corners = [tuple(map(float, corner.split(","))) for corner in element.get("points").split()]
            xs, ys = zip(*corners, strict=True)
            yield min(xs), min(ys), max(xs), max(ys)


def test_nodes_do_not_overlap_and_lie_within(pictured):
    root = ET.fromstring(pictured.to_svg())
    width, height = float(root.get("width")), float(root.get("height"))
    found = list(boxes(root))
    for a, box in enumerate(found):
        assert 0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height
        for other in found[:a]:
            apart = box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1]
            double_line = other[0] < box[0] and box[2] < other[2] and box[3] < other[3]
            assert apart or double_line


def test_pictures_quote_names():
    builder = gp.GraphBuilder()
    for name in ('a"; evil [label="', "\\", "</text><script>x</script>", "\n", "&lt;", "\ud800", "\0"):
        builder.input((), name=name)
    graph = builder.build(*builder.args())
    root = ET.fromstring(graph.to_svg().encode())
    assert len(list(root)) == 2 + 7 * 4  # nothing that a name brought: ellipse twice, two lines of text
    dot = graph.to_dot()
    assert len(dot.splitlines()) == 3 + 7
    for line in dot.splitlines()[2:-1]:
        inside = line.replace("\\\\", "").replace('\\"', "")
        assert inside.count('"') == 4
    assert "&amp;lt;" in dot


def test_pictures_of_a_malformed_graph_are_refused(pictured):
    other = gp.Graph(pictured.nodes[1:], (0,), pictured.payload)
    for picture in (other.to_dot, other.to_svg):
        with pytest.raises(gp.GraphError):
            picture()


def test_long_graphs_are_drawn():
    def chain(x):
        y = x
        for _ in range(500):
            y = y + x * np.ones(2)
        return y

    graph = gp.trace(chain, (2,))
    assert graph.to_dot().count("->") == 2000
    assert len(graph.to_svg()) < 3_000_000
    ET.fromstring(graph.to_svg())
