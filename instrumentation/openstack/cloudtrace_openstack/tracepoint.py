# SPDX-License-Identifier: MIT
"""The tracepoint `lttng_python:event` of this process.

py_tracepoint() of liblttng-ust-python-agent is called as LTTng's own Python
agent calls it, so `lttng enable-event --python --all` selects the events; but
without that agent: no Python thread, no connection, nothing that fork or
eventlet could break.  The library's own two C threads are made new by the
hooks below in a child that goes on running Python, and are not there in one
that becomes another program."""
import ctypes
import os
import struct
import sys

_LIBRARIES = ("liblttng-ust-python-agent.so.1", "liblttng-ust-python-agent.so.0")
_UST = {"liblttng-ust-python-agent.so.1": "liblttng-ust.so.1",
        "liblttng-ust-python-agent.so.0": "liblttng-ust.so.0"}

_IMAGE = 1 << 20        # bytes: more than the library has

# What LTTng-UST waits for a session daemon that takes the connection but does
# not answer; its own default holds a service, and each fork, for 3 s.
REGISTER_TIMEOUT_MS = 500

# Programs that read a service's configuration, but run as root in its stead or
# end at once.  Threads with all capabilities have no place in them.
_NOT_TRACED = ("privsep-helper", "rootwrap")

# Functions of Python's library that fork only to become another program.
_EXEC_FRAMES = frozenset(("_execute_child", "fork_exec", "_spawn_posix", "spawn"))


class _Level:
    """Stands for the tracepoint's `state` where that cannot be read."""

    def __init__(self, value):
        self.value = value


OFF = _Level(0)
_ALWAYS = _Level(1)


class _State(ctypes.Structure):
    """The head of struct lttng_ust_tracepoint (LTTng-UST 2.13 and later)."""
    _fields_ = [("struct_size", ctypes.c_uint32),
                ("provider_name", ctypes.c_void_p),
                ("event_name", ctypes.c_void_p),
                ("state", ctypes.c_int)]


def _ignore(*_):
    pass


class Tracepoint:
    """`state.value` is not 0 when a session has enabled the event, and fire()
    sends one.  Both are replaced when the process forks, so never keep them."""

    def __init__(self):
        self.state = OFF
        self.fire = _ignore
        self.error = None
        self._library = None
        self.pid = os.getpid()
        self._forks = _Forks(self)

    def load(self):
        """Connects this process to the session daemon, once.  Never raises."""
        if self._library is not None or self.error is not None:
            return
        program = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
        if any(name in program for name in _NOT_TRACED):
            self.error = f"{program} is not traced"
            return
        try:
            self._load()
        except Exception as error:  # the service runs without a trace
            self.error = f"{type(error).__name__}: {error}"
            self.off()

    def off(self):
        self.state = OFF
        self.fire = _ignore

    def _load(self):
        name, library = _with_register_timeout(_open_library)
        # CDLL gives up the GIL for the call: a thread's first event waits for a
        # fork of another thread, which in turn needs the GIL to get on.
        fire = library.py_tracepoint
        fire.restype = None
        state = _find_state(library)
        self._forks.install(ctypes.CDLL(_UST[name]))
        self._library = library
        self.state, self.fire = state, fire


def _open_library():
    failed = None
    for name in _LIBRARIES:
        try:
            return name, ctypes.CDLL(name)
        except OSError as error:
            failed = failed or error
    raise failed


def _with_register_timeout(work):
    """LTTng-UST reads its environment once, when it is loaded.  libc's is
    changed, not os.environ, and put back: children get what they always got."""
    variable = "LTTNG_UST_REGISTER_TIMEOUT"
    if variable in os.environ:
        return work()
    libc = ctypes.PyDLL(None)
    libc.setenv(variable.encode(), str(REGISTER_TIMEOUT_MS).encode(), 1)
    try:
        return work()
    finally:
        libc.unsetenv(variable.encode())


def _find_state(library):
    """Where the library's only tracepoint says whether it is enabled.  A
    library that is laid out otherwise counts as always enabled."""
    try:
        path, base = _where(library.py_tracepoint)
        pointers = base + _section(path, b"lttng_ust_tracepoints_ptrs")
        first = ctypes.c_uint64.from_address(pointers).value
        if not base < first < base + _IMAGE:
            return _ALWAYS
        head = _State.from_address(first)
        names = [ctypes.string_at(name, 16).split(b"\0")[0]
                 for name in (head.provider_name, head.event_name)
                 if base < (name or 0) < base + _IMAGE]
        if head.struct_size < ctypes.sizeof(_State) or names != [b"lttng_python", b"event"]:
            return _ALWAYS
        return ctypes.c_int.from_address(first + _State.state.offset)
    except (OSError, ValueError, struct.error):
        return _ALWAYS


class _Image(ctypes.Structure):
    """Dl_info of dladdr(3)."""
    _fields_ = [("path", ctypes.c_char_p), ("base", ctypes.c_void_p),
                ("symbol", ctypes.c_char_p), ("address", ctypes.c_void_p)]


def _where(function):
    """The file that a function was loaded from, and the address it begins at."""
    image = _Image()
    if not ctypes.PyDLL(None).dladdr(ctypes.cast(function, ctypes.c_void_p), ctypes.byref(image)):
        raise ValueError("dladdr")
    return os.fsdecode(image.path), image.base


def _section(path, name):
    """The address of a section: its symbols are hidden, but it has a header."""
    with open(path, "rb") as file:
        data = file.read(_IMAGE)
    if data[:5] != b"\x7fELF\x02" or data[5] != (1 if sys.byteorder == "little" else 2):
        raise ValueError("not a 64-bit ELF file of this machine")
    table, = struct.unpack_from("=Q", data, 0x28)
    size, count, strings = struct.unpack_from("=HHH", data, 0x3a)
    headers = [struct.unpack_from("=IIQQQQ", data, table + i * size) for i in range(count)]
    for header in headers:
        text = headers[strings][4] + header[0]
        if data[text:text + len(name) + 1] == name + b"\0":
            if header[3] + header[5] > _IMAGE or header[5] != 8:
                break
            return header[3]
    raise ValueError("no such section")


class _Forks:
    """What liblttng-ust-fork.so does, for children that go on running Python.

    That library would have to be preloaded, and is then in every program the
    service starts: qemu-img, sudo and others abort when Python has closed the
    tracer's file descriptors under it.  Children of subprocess run no hooks at
    all, unless there is a preexec_fn: they are told by the calling function and
    left alone, with the tracepoint off.  A fork that ran no hook before it (a
    web server's in C) leaves the tracer without threads: off, too."""

    def __init__(self, tracepoint):
        self._tracepoint = tracepoint
        self._ust = None
        self._self = None
        self._masks = {}    # thread that forks: [signal mask or None]

    def install(self, ust):
        libc = ctypes.PyDLL(None)
        libc.pthread_self.restype = ctypes.c_ulong
        self._ust, self._self = ust, libc.pthread_self
        os.register_at_fork(before=self._before, after_in_parent=self._parent,
                            after_in_child=self._child)

    def _before(self):
        try:
            thread = self._self()
            masks = self._masks.setdefault(thread, [])
            caller = sys._getframe(1)
            if masks or caller is None or caller.f_code.co_name in _EXEC_FRAMES:
                masks.append(None)
                return
            mask = ctypes.create_string_buffer(128)
            self._ust.lttng_ust_before_fork(mask)
            masks.append(mask)
        except Exception:
            self._tracepoint.off()

    def _mask(self):
        thread = self._self()
        masks = self._masks.get(thread)
        mask = masks.pop() if masks else None
        if not masks:
            self._masks.pop(thread, None)
        return mask

    def _parent(self):
        try:
            mask = self._mask()
            if mask is not None:
                self._ust.lttng_ust_after_fork_parent(mask)
        except Exception:
            self._tracepoint.off()

    def _child(self):
        self._tracepoint.pid = os.getpid()
        try:
            mask = self._mask()     # the thread that forked keeps its pthread_self()
            self._masks.clear()
            if mask is not None:
                self._ust.lttng_ust_after_fork_child(mask)
            else:
                self._tracepoint.off()
        except Exception:
            self._tracepoint.off()


tracepoint = Tracepoint()
