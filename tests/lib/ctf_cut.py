# SPDX-License-Identifier: MIT
"""Traces that are not whole, made from whole ones: a node without a trace, one that died in the
middle, one that lost packets.  Packets are whole in a stream's file, and its index says where."""
import os
import re
import shutil
import struct

ENTRY = struct.Struct(">QQQQQ")      # offset, size and content in bits, first and last time


def clock_offset(folder):
    """Ns from a trace's clock to 1970."""
    with open(os.path.join(folder, "metadata"), "rb") as f:
        text = f.read().decode("latin-1")
    clock = re.search(r"clock \{.*?\};", text, re.S).group(0)

    def number(name, default):
        found = re.search(rf"\b{name} = (\d+);", clock)
        return int(found.group(1)) if found else default

    cycles, rate = number("offset", 0), number("freq", 1000000000)
    return number("offset_s", 0) * 1000000000 + cycles * 1000000000 // rate


def traces(folder):
    for where, _, names in os.walk(folder):
        if "metadata" in names:
            yield where


def packets(folder, stream):
    """(offset, size, first, last) of each packet, in bytes and ns since 1970."""
    add = clock_offset(folder)
    with open(os.path.join(folder, "index", stream + ".idx"), "rb") as f:
        data = f.read()
    size = struct.unpack(">4I", data[:16])[3]
    for at in range(16, len(data) - size + 1, size):
        offset, bits, _, first, last = ENTRY.unpack_from(data, at)
        yield offset, bits // 8, first + add, last + add


def keep(folder, wanted):
    """Leaves only those packets of all streams of a trace that 'wanted' takes."""
    for stream in sorted(os.listdir(os.path.join(folder, "index"))):
        name = stream[:-len(".idx")]
        path = os.path.join(folder, name)
        with open(path, "rb") as f:
            data = f.read()
        kept = [data[p[0]:p[0] + p[1]] for p in packets(folder, name) if wanted(p)]
        os.unlink(os.path.join(folder, "index", stream))
        with open(path, "wb") as f:
            f.write(b"".join(kept))


def without(source, target, node):
    """A copy without a node's trace."""
    shutil.copytree(source, target, ignore=lambda _, names: [n for n in names if n == node],
                    copy_function=os.link)


def changed(source, target, node, wanted):
    without(source, target, node)
    shutil.copytree(os.path.join(source, node), os.path.join(target, node))
    for folder in list(traces(os.path.join(target, node))):
        keep(folder, wanted)


def killed(source, target, node, t_ns):
    """A copy in which a node's trace ends with the last packets before a time."""
    changed(source, target, node, lambda p: p[3] <= t_ns)


def lossy(source, target, node, from_ns, to_ns):
    """A copy in which the packets of a node that touch a time are missing."""
    changed(source, target, node, lambda p: p[3] < from_ns or p[2] > to_ns)
