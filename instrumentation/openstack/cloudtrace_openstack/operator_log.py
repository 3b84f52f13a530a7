# SPDX-License-Identifier: MIT
"""The logging that the operator had before log_config_append was set.

oslo.log ignores log_file, log_dir, use_stderr, use_syslog, use_journal, debug,
default_log_levels and the formats as soon as log_config_append is there, also
those of the command line (Debian's services get --log-file that way).  So the
handlers that oslo.log would have made are made here, by oslo.log itself from
the service's own configuration, and get the records of the levels that they
would have got."""
import logging
import sys

from cloudtrace_openstack.oslo_ini import ADDED

NOTIFICATION = "oslo.messaging.notification."   # and the event's name: the logger's
_NEVER = sys.maxsize


class OperatorLog:
    """handle() passes a record on to the operator's handlers."""

    def __init__(self):
        self._levels = {}           # logger's name: level; what was asked for so far
        self._conf = None
        self._filter = None
        self._notified = True       # the operator's log has notifications
        try:
            self.handlers = self._from_oslo()
        except Exception as error:
            self.handlers = [logging.StreamHandler()]
            self.handlers[0].setFormatter(logging.Formatter(
                "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"))
            self.failed = error
        else:
            self.failed = None

    def handle(self, record):
        level = self._levels.get(record.name)
        if level is None:
            level = self._level(record.name)
        if record.levelno < level:
            return
        if self._filter is not None and not self._filter.filter(record):
            return
        for handler in self.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)

    def _level(self, name):
        """What the operator's debug and default_log_levels say for a logger."""
        if len(self._levels) >= 4096:
            self._levels.clear()
        if not self._notified and name.startswith(NOTIFICATION):
            self._levels[name] = _NEVER
            return _NEVER
        conf = self._conf
        level = logging.DEBUG if conf is not None and conf.debug else logging.INFO
        best = -1
        for pair in conf.default_log_levels if conf is not None else ():
            logger, _, wanted = pair.partition("=")
            if len(logger) > best and (name == logger or name.startswith(logger + ".")):
                number = int(wanted) if wanted.isdigit() else logging.getLevelName(wanted)
                if isinstance(number, int):
                    best, level = len(logger), number
        self._levels[name] = level
        return level

    def _from_oslo(self):
        from oslo_log import formatters, log
        conf = formatters._CONF
        if conf is None:
            raise LookupError("oslo.log has no configuration")
        self._conf = conf
        self._notified = not _for_the_trace_alone(conf)
        root = logging.getLogger()
        before = root.handlers[:], root.level, _levels_now()
        try:
            root.handlers[:] = []
            log._setup_logging_from_conf(conf, conf.project or "unknown", "unknown")
            handlers = root.handlers[:]
        finally:
            # The levels are for the operator's handlers, not for the trace.
            root.handlers[:] = before[0]
            root.setLevel(before[1])
            for name, level in _levels_now().items():
                if level != before[2].get(name, logging.NOTSET):
                    logging.getLogger(name).setLevel(before[2].get(name, logging.NOTSET))
            self._filter = _take_rate_limit()
        conf.register_mutate_hook(lambda *_: self._levels.clear())
        return handlers


def _levels_now():
    return {name: logger.level for name, logger in list(logging.root.manager.loggerDict.items())
            if isinstance(logger, logging.Logger)}


def _for_the_trace_alone(conf):
    """Whether cloudtrace-openstack-setup named the driver `log` of notifications: without it the
    operator's log had none."""
    for path in conf.config_file or ():
        with open(path, encoding="utf-8", errors="replace") as file:
            before = ""
            for line in file:
                if before == ADDED and line.split() == ["driver", "=", "log"]:
                    return True
                before = line.rstrip()
    return False


def _take_rate_limit():
    """oslo.log sets its rate limit on the loggers, where it would thin out the
    trace too: it moves to the operator's handlers."""
    module = sys.modules.get("oslo_log.rate_limit")
    limit = getattr(getattr(module, "install_filter", None), "log_filter", None)
    if limit is not None:
        module.uninstall_filter()
    return limit
