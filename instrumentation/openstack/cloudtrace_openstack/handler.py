# SPDX-License-Identifier: MIT
"""The logging.Handler that log_config_append files name.

It owns no thread and no lock, so there is nothing that fork or eventlet could
leave locked.  Records become JSON (record.py) only while a session listens
(tracepoint.py); then they go to the operator's own handlers (operator_log.py)
where the file says operator=True."""
import logging
import os
import sys
import time

from cloudtrace_openstack import record as _record
from cloudtrace_openstack.operator_log import OperatorLog
from cloudtrace_openstack.services import service_name
from cloudtrace_openstack.tracepoint import tracepoint as _tracepoint

MAX_BYTES = 16384

# Poll loops of oslo.messaging: three lines a second per listener, and more.
_NOISE = frozenset((
    "AMQPListener connection consume", "AMQPListener connection timeout",
    "Listener is running", "Listener is stopped",
    "Poll the incoming message with unique_id: %s"))
_NAMES = 4096           # names of loggers, functions and threads that are kept encoded


class Handler(logging.Handler):
    """Sends records to LTTng-UST.

    service    what the trace calls this process; found by itself when absent
    project    what it is called when it cannot be found
    max_bytes  the most that one message may take; it must be well below the
               size of the session's sub-buffers
    noise      also trace the poll loops of oslo.messaging
    operator   pass records on to the handlers that the service's own options
               (log_file, use_stderr, debug, ...) ask for"""

    def __init__(self, service=None, project=None, max_bytes=MAX_BYTES, noise=False,
                 operator=False):
        logging.Handler.__init__(self, logging.NOTSET)
        self.dropped = {}           # reason: records, not yet told in the trace
        self._nesting = set()       # threads (green or not) that format a record
        self._skip = frozenset() if noise else _NOISE
        self._names = {}
        self._second = (None, b"")
        self._pid, self._head = None, ""
        try:
            self._limit = min(max(int(max_bytes), _record.SMALLEST), 1 << 20)
        except (TypeError, ValueError):
            self._limit = MAX_BYTES
        self._service = service or service_name(project)
        self._operator = OperatorLog() if operator else None
        _tracepoint.load()

    def createLock(self):
        self.lock = None            # nothing here needs one

    def handle(self, record):
        if _tracepoint.state.value:
            self._trace(record)
        if self._operator is not None:
            self._operator.handle(record)
        return True

    emit = handle

    def flush(self):
        if self._operator is not None:
            for handler in self._operator.handlers:
                handler.flush()

    def _trace(self, record):
        try:
            message = record.msg
            if type(message) is str and message in self._skip and \
                    record.name.startswith("oslo_messaging."):
                return
            if self.filters and not self.filter(record):
                return
            if self._pid != _tracepoint.pid:
                self._begin()
            thread = record.thread
            if thread in self._nesting:
                # Formatting a record made this one.
                self._send(record, _record.to_json(self._head, record, self._limit, True))
                return
            self._nesting.add(thread)
            try:
                payload = _record.to_json(self._head, record, self._limit)
            except Exception:       # a context or an instance that cannot be read
                payload = _record.to_json(self._head, record, self._limit, True)
            finally:
                self._nesting.discard(thread)
            if self.dropped:
                self._tell_dropped()
            self._send(record, payload)
        except Exception as error:
            self._drop(type(error).__name__)

    def _begin(self):
        """The start of every message of this process: a fork changes the pid."""
        service = _record.quoted(str(self._service), 128)[0]
        host = _record.quoted(os.uname().nodename, 128)[0]
        self._pid = _tracepoint.pid
        self._head = f'{{"service": {service}, "host": {host}, "pid": {self._pid}, "gt": '

    def _encoded(self, text):
        name = str(text or "")[:256].encode("utf-8", "backslashreplace")
        if len(self._names) >= _NAMES:
            self._names.clear()
        self._names[text] = name
        return name

    def _send(self, record, payload):
        second = int(record.created)
        if second != self._second[0]:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            self._second = (second, stamp.encode())
        names = self._names
        logger, function, thread = record.name, record.funcName, record.threadName
        _tracepoint.fire(self._second[1], payload.encode(),
                         names.get(logger) or self._encoded(logger),
                         names.get(function) or self._encoded(function), record.lineno or 0,
                         record.levelno, (record.thread or 0) & 0xffffffff,
                         names.get(thread) or self._encoded(thread))

    def _drop(self, reason):
        try:
            if reason not in self.dropped and len(self.dropped) >= 16:
                reason = "other"
            self.dropped[reason] = self.dropped.get(reason, 0) + 1
        except Exception:           # out of memory: not even that
            pass

    def _tell_dropped(self):
        """One event for what is missing from the trace since the last one."""
        dropped, self.dropped = self.dropped, {}
        note = logging.makeLogRecord({
            "name": "cloudtrace_openstack", "levelno": logging.WARNING, "levelname": "WARNING",
            "msg": "%d records dropped", "args": (sum(dropped.values()),),
            "funcName": "_tell_dropped", "lineno": sys._getframe().f_lineno})
        text = _record.to_json(self._head, note, self._limit)
        reasons = ", ".join([f"{_record.quoted(k, 64)[0]}: {v}" for k, v in dropped.items()])
        self._send(note, f'{text[:-1]}, "dropped": {{{reasons}}}}}')
