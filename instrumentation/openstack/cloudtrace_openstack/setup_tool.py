# SPDX-License-Identifier: MIT
"""cloudtrace-openstack-setup: puts the handler into a service's configuration.

Shows the change as a diff, makes it, or takes it back; see the manual page."""
import argparse
import difflib
import os
import shutil
import stat
import sys
import tempfile

from cloudtrace_openstack import __version__, services
from cloudtrace_openstack.oslo_ini import Ini, Refused
from cloudtrace_openstack.tracepoint import tracepoint

BACKUP = ".cloudtrace-backup"
READY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "conf")

EXAMPLES = """\
examples:
  cloudtrace-openstack-setup /etc/nova/nova.conf            what would change
  cloudtrace-openstack-setup --apply /etc/nova/nova.conf    change it
  cloudtrace-openstack-setup --revert /etc/nova/nova.conf   as it was before
  cloudtrace-openstack-setup --apply --service=nova-compute /etc/nova/nova-compute.conf
Restart the services afterwards."""


def service_of(path, wanted):
    """The service, or the project whose services share the file."""
    if wanted:
        return wanted
    folder, file = os.path.split(os.path.abspath(path))
    name = os.path.splitext(file)[0]
    for guess in (name, os.path.basename(folder)):
        if guess in services.names():
            return guess
    raise Refused(path, 0, "which service reads it is not clear; say --service=NAME "
                  "(nova, nova-compute, ...)")


def change(ini, name, ready, notifications):
    """Puts the handler, and the notifications that analyzers read, into `ini`."""
    for setting in ini.all("DEFAULT", "log_config_append") + ini.all("DEFAULT", "log_config"):
        if setting.value != ready:
            raise Refused(ini.path, setting.first + 1,
                          f"{setting.key} already names {setting.value}; add the handler to "
                          f"that file, as {ready} has it, or remove the option")
    project, section = services.project_of(name), "oslo_messaging_notifications"
    notifications = notifications and project in services.NOTIFYING and not name.endswith("-agent")
    old = ini.all("DEFAULT", "notification_driver") if notifications else []
    if old:
        raise Refused(ini.path, old[-1].first + 1,
                      "notification_driver in [DEFAULT] is of an older OpenStack; "
                      f"name the driver in [{section}], or use --no-notifications")
    ini.set("DEFAULT", "log_config_append", ready)
    if not notifications:
        return
    if project == "nova":
        others = [s for s in ini.all(section, "driver") if s.value not in ("", "noop", "log")]
        form = ini.all("notifications", "notification_format")
        if not form or form[-1].value == "unversioned":
            ini.set("notifications", "notification_format", "both" if others else "versioned")
        ini.set("notifications", "notify_on_state_change", "vm_and_task_state")
    ini.add(section, "driver", "log")


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def write(path, text):
    """All of it or nothing, with the owner and the mode that the file has."""
    path = os.path.realpath(path)
    state = os.stat(path)
    handle, new = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape",
                       newline="") as file:
            file.write(text)
            file.flush()
            if (state.st_uid, state.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), state.st_uid, state.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(state.st_mode))
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def back_up(path):
    """The file as it was before the first change; it holds passwords, too."""
    path = os.path.realpath(path)
    if os.path.exists(path + BACKUP):
        return
    state = os.stat(path)
    handle = os.open(path + BACKUP, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out, open(path, "rb") as file:
        shutil.copyfileobj(file, out)
        if (state.st_uid, state.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(handle, state.st_uid, state.st_gid)
        os.fchmod(handle, stat.S_IMODE(state.st_mode))


def forget_backup(path):
    """Only if it says nothing that the file does not say."""
    path = os.path.realpath(path)
    if os.path.exists(path + BACKUP):
        if read(path + BACKUP) == read(path):
            os.unlink(path + BACKUP)
        else:
            print(f"{path} was edited since; {path + BACKUP} is kept", file=sys.stderr)


def planned(path, options):
    """What the file has, and what it is to have."""
    before = read(path)
    ini = Ini(path, before)
    ini.undo()
    if not options.revert:
        name = service_of(path, options.service)
        ready = os.path.abspath(os.path.join(options.logging_dir, name + ".conf"))
        if not os.path.isfile(ready):
            raise Refused(ready, 0, "there is no such file; see --logging-dir")
        change(ini, name, ready, options.notifications)
    return before, ini.text()


def show(path, before, after):
    for line in difflib.unified_diff(before.splitlines(keepends=True),
                                     after.splitlines(keepends=True), path, path):
        line = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        sys.stdout.write(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")


def arguments(words):
    parser = argparse.ArgumentParser(
        prog="cloudtrace-openstack-setup", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Shows, makes or takes back the change that lets a service log to LTTng.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--apply", action="store_true", help="make the change")
    what.add_argument("--revert", action="store_true", help="take it back")
    what.add_argument("--list", action="store_true", help="the services that are known")
    parser.add_argument("--service", metavar="NAME", choices=services.names(),
                        help="the service that reads the file, or the project (nova, ...) "
                        "if several do; known from the file's name where there is none")
    parser.add_argument("--logging-dir", metavar="DIR", default=READY,
                        help="where the logging.conf files are (%(default)s)")
    parser.add_argument("--no-notifications", dest="notifications", action="store_false",
                        help="leave the options of notifications alone")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("files", metavar="FILE", nargs="*", help="the service's configuration")
    options = parser.parse_args(words)
    if not options.list and not options.files:
        parser.error("which FILE? As in /etc/nova/nova.conf")
    return options


def main(words=None):
    options = arguments(words)
    if options.list:
        for name in services.names():
            print(name)
        return 0
    try:    # all are looked at before one is changed
        plans = [(path, *planned(path, options)) for path in options.files]
        changes = [plan for plan in plans if plan[1] != plan[2]]
        for path, before, after in changes:
            show(path, before, after)
            if options.apply:
                back_up(path)
            if options.apply or options.revert:
                write(path, after)
        if options.revert:
            for path, _, _ in plans:
                forget_backup(path)
    except Refused as error:
        print(f"cloudtrace-openstack-setup: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cloudtrace-openstack-setup: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    if not changes:
        print("nothing to change", file=sys.stderr)
    elif options.apply or options.revert:
        print("done; restart the services", file=sys.stderr)
    if not options.revert:
        tracepoint.load()
        if tracepoint.error:
            print(f"warning: there will be no trace: {tracepoint.error} "
                  "(install liblttng-ust-python-agent1)", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
