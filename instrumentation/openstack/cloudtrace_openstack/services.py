# SPDX-License-Identifier: MIT
"""The services of OpenStack that are traced, and their logging.conf files.

    python3 -m cloudtrace_openstack.services FOLDER     writes the files anew

One table per kind of knowledge: which programs there are, under what other
names they run, and the levels that the analyzers need."""
import os
import sys

# project: its services.  A file is made for each service, and one for the
# project, for a configuration that several services share (nova.conf).
PROJECTS = {
    "nova": ("nova-api", "nova-api-metadata", "nova-compute", "nova-conductor", "nova-scheduler",
             "nova-novncproxy", "nova-serialproxy", "nova-spicehtml5proxy"),
    "neutron": ("neutron-server", "neutron-rpc-server", "neutron-periodic-workers",
                "neutron-dhcp-agent", "neutron-l3-agent", "neutron-linuxbridge-agent",
                "neutron-macvtap-agent", "neutron-metadata-agent", "neutron-metering-agent",
                "neutron-openvswitch-agent", "neutron-ovn-agent", "neutron-ovn-maintenance-worker",
                "neutron-ovn-metadata-agent", "neutron-sriov-nic-agent"),
    "cinder": ("cinder-api", "cinder-backup", "cinder-scheduler", "cinder-volume"),
    "glance": ("glance-api",),
    "placement": ("placement-api",),
}

# Scripts under which a web server runs a service.
ALIASES = {
    "nova-api-wsgi": "nova-api", "nova-api-os-compute": "nova-api",
    "nova-metadata-wsgi": "nova-api-metadata",
    "neutron-api": "neutron-server",
    "cinder-wsgi": "cinder-api",
    "glance-wsgi-api": "glance-api", "glance-wsgi": "glance-api",
    "placement-wsgi": "placement-api",
}

# What the trace gets: everything (root is DEBUG), but for libraries whose
# chatter no analyzer reads.  Those at DEBUG are named, so that no other level
# of theirs remains: RPC and REST links, flows, locks, the services themselves.
LEVELS = (
    ("nova", "DEBUG"), ("neutron", "DEBUG"), ("cinder", "DEBUG"), ("glance", "DEBUG"),
    ("placement", "DEBUG"), ("os_vif", "DEBUG"), ("os_brick", "DEBUG"),
    ("oslo_messaging", "DEBUG"), ("oslo.messaging", "DEBUG"), ("keystoneauth", "DEBUG"),
    ("novaclient", "DEBUG"), ("taskflow", "DEBUG"), ("oslo_concurrency.lockutils", "DEBUG"),
    ("eventlet.wsgi.server", "INFO"),
    ("amqp", "WARNING"), ("amqplib", "WARNING"), ("kombu", "WARNING"), ("sqlalchemy", "WARNING"),
    ("iso8601", "WARNING"), ("urllib3", "WARNING"), ("requests", "WARNING"),
    ("websocket", "WARNING"), ("keystonemiddleware", "WARNING"),
    ("routes.middleware", "WARNING"), ("stevedore", "WARNING"),
    ("oslo_service.service", "INFO"),   # lists a thousand options when it starts
    ("suds", "INFO"), ("oslo.cache", "INFO"), ("oslo_policy", "INFO"), ("dogpile", "INFO"),
    ("oslo.privsep.daemon", "INFO"), ("ovsdbapp", "INFO"), ("glanceclient", "WARNING"),
)

# Options that make a service say in its log what it tells the message bus:
# states and starts and ends of operations.  nova's own format of them depends
# on who else reads them.  Cinder answers 500 with any driver; placement and
# Neutron's agents have none.
NOTIFYING = ("nova", "neutron", "glance")

_FILE = """\
# SPDX-License-Identifier: MIT
# {what}: logging to LTTng, and as before.  Made by cloudtrace_openstack.services.
#
# operator=True: log_file, use_stderr, debug, default_log_levels and the other
# options of the service's own configuration remain in force for its own log.

[loggers]
keys = root,{keys}

[handlers]
keys = cloudtrace

[formatters]
keys =

[handler_cloudtrace]
class = cloudtrace_openstack.Handler
args = ()
kwargs = {kwargs}

[logger_root]
level = DEBUG
handlers = cloudtrace
"""

_LOGGER = """
[logger_{key}]
level = {level}
handlers =
qualname = {name}
"""


def project_of(service):
    for project, services in PROJECTS.items():
        if service == project or service in services:
            return project
    return None


def logging_conf(name):
    """The logging.conf of a service, or of a project."""
    if name in PROJECTS:
        what, kwargs = f"all services of {name}", {"project": name, "operator": True}
    else:
        what, kwargs = name, {"service": name, "operator": True}
    keys = [logger.replace(".", "_") + ("_dotted" if logger == "oslo.messaging" else "")
            for logger, _ in LEVELS]
    return _FILE.format(what=what, keys=",".join(keys), kwargs=kwargs) + \
        "".join([_LOGGER.format(key=key, level=level, name=logger)
                 for key, (logger, level) in zip(keys, LEVELS)])


def names():
    """All for which there is a file."""
    return [name for project, services in PROJECTS.items() for name in (project,) + services]


def _known(word):
    name = os.path.basename(word)
    for end in (".py", ".wsgi", ".ini", ".conf", "-uwsgi"):
        if name.endswith(end):
            name = name[:-len(end)]
    name = ALIASES.get(name, name)
    return name if any(name in services for services in PROJECTS.values()) else None


def service_name(project=None):
    """What this process runs: by its program's name, or by a name on the
    command line of the web server that it runs in."""
    argv = list(getattr(sys, "argv", None) or [""])
    words = argv[:1]
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words += os.fsdecode(file.read(65536)).split("\0")
    except OSError:
        pass
    for word in words:
        for part in (word, word.rpartition("=")[2]):
            found = _known(part)
            if found is not None and (project is None or project_of(found) == project):
                return found
    return project or os.path.basename(argv[0]) or "python"


def main(arguments):
    if len(arguments) != 1:
        print("usage: python3 -m cloudtrace_openstack.services FOLDER", file=sys.stderr)
        return 2
    os.makedirs(arguments[0], exist_ok=True)
    for name in names():
        with open(os.path.join(arguments[0], name + ".conf"), "w", encoding="ascii") as file:
            file.write(logging_conf(name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
