#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cloudtrace-openstack-setup on configurations as operators have them."""
import configparser
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from python_tracing import PACKAGE, PYTHON  # noqa: E402
import tap_unittest  # noqa: E402

sys.path.insert(0, os.path.dirname(PACKAGE))
from cloudtrace_openstack import services  # noqa: E402

NOVA = """\
# Written by hand; keep it so.
[DEFAULT]
debug = false
log_dir=/var/log/nova
  ; a comment of its own
enabled_apis = osapi_compute,
    metadata

[notifications]
#notification_format = versioned
notification_format = unversioned

[oslo_messaging_notifications]
driver = messagingv2
topics: notifications
[api]
auth_strategy=keystone
"""


class Setup(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="cloudtrace-setup.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.conf = self.file("nova/nova.conf", NOVA)

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def run_setup(self, *words, status=0):
        done = subprocess.run(
            [PYTHON, "-m", "cloudtrace_openstack.setup_tool", *words], capture_output=True,
            text=True, timeout=60, check=False,
            env=dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE), PYTHONDONTWRITEBYTECODE="1"))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def test_diff_only(self):
        """without --apply it shows the diff and changes nothing"""
        out, _ = self.run_setup(self.conf)
        self.assertIn("+log_config_append = ", out)
        self.assertIn("/conf/nova.conf\n", out)
        self.assertIn("+# cloudtrace: was: notification_format = unversioned", out)
        self.assertIn("+notification_format = both", out)
        self.assertEqual(self.read(self.conf), NOVA.encode())
        self.assertEqual(os.listdir(os.path.dirname(self.conf)), ["nova.conf"])

    def test_apply_revert(self):
        """--apply twice is as once; --revert gives the same bytes, and leaves nothing"""
        os.chmod(self.conf, 0o640)
        self.run_setup("--apply", self.conf)
        applied = self.read(self.conf)
        self.assertEqual(stat.S_IMODE(os.stat(self.conf).st_mode), 0o640)
        self.assertEqual(self.read(self.conf + ".cloudtrace-backup"), NOVA.encode())
        self.assertEqual(stat.S_IMODE(os.stat(self.conf + ".cloudtrace-backup").st_mode), 0o640)
        out, err = self.run_setup("--apply", self.conf)
        self.assertEqual(out, "")
        self.assertIn("nothing to change", err)
        self.assertEqual(self.read(self.conf), applied)
        place = -1      # comments and order stay
        for line in NOVA.splitlines():
            if line != "notification_format = unversioned":
                place = applied.decode().splitlines().index(line, place + 1)
        self.run_setup("--revert", self.conf)
        self.assertEqual(self.read(self.conf), NOVA.encode())
        self.assertEqual(os.listdir(os.path.dirname(self.conf)), ["nova.conf"])
        self.run_setup("--revert", self.conf)

    def test_oslo_reads_it(self):
        """oslo.config reads what was written, drivers of others included"""
        self.run_setup("--apply", self.conf)
        done = subprocess.run([PYTHON, "-c", """
import sys
from oslo_config import cfg
c = cfg.ConfigOpts()
c.register_opts([cfg.StrOpt("log_config_append"), cfg.ListOpt("enabled_apis")])
c.register_opts([cfg.MultiStrOpt("driver")], "oslo_messaging_notifications")
c.register_opts([cfg.StrOpt("notification_format"), cfg.StrOpt("notify_on_state_change")],
                "notifications")
c(["--config-file", sys.argv[1]])
print(c.log_config_append.endswith("conf/nova.conf"), c.enabled_apis,
      c.oslo_messaging_notifications.driver, c.notifications.notification_format,
      c.notifications.notify_on_state_change)
""", self.conf], capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual(done.stdout, "True ['osapi_compute', 'metadata'] ['messagingv2', 'log'] "
                         "both vm_and_task_state\n")

    def test_edited_since(self):
        """what the operator edits after --apply stays through --revert"""
        self.run_setup("--apply", self.conf)
        text = self.read(self.conf).decode().replace("debug = false", "debug = true")
        self.file("nova/nova.conf", text + "[new]\na = b\n")
        _, err = self.run_setup("--revert", self.conf)
        self.assertEqual(self.read(self.conf).decode(),
                         NOVA.replace("debug = false", "debug = true") + "[new]\na = b\n")
        self.assertIn("was edited since", err)

    def test_odd_files(self):
        """no last line end, CRLF, no section, other encodings: all come back as they were"""
        for i, text in enumerate((b"", b"[DEFAULT]", b"[DEFAULT]\r\na = b\r\n", b"[x]\na=1",
                                  b"# \xff\xfe\n[DEFAULT]\na = \xe9\n", b"[DEFAULT]\n\n\n",
                                  b"[oslo_messaging_notifications]\ndriver=log\n")):
            path = self.file(f"{i}/nova.conf", text)
            self.run_setup("--apply", path)
            applied = self.read(path)
            self.assertIn(b"log_config_append = ", applied)
            self.assertEqual(b"\r\n" in text, b"\r\n" in applied)
            self.run_setup("--apply", path)
            self.assertEqual(self.read(path), applied)
            self.run_setup("--revert", path)
            self.assertEqual(self.read(path), text)

    def test_refuses(self):
        """what it does not understand it refuses, with file and line, and changes no file"""
        for text, line in (("[DEFAULT]\nnonsense\n", 2), ("a = b\n", 1), ("[DEFAULT\n", 1),
                           ("[DEFAULT]\n  x = y\n", 2), ("[DEFAULT]\na = \0\n", 2),
                           ("[DEFAULT]\na = b\rc = d\n", 1),
                           ("[DEFAULT]\n\nlog_config_append = /etc/own.conf\n", 3),
                           ("[DEFAULT]\nlog-config-append = /etc/own.conf\n", 2),
                           ("[DEFAULT]\nnotification_driver = messaging\n", 2)):
            path = self.file("bad/nova.conf", text)
            _, err = self.run_setup("--apply", self.conf, path, status=1)
            self.assertIn(f"{path}:{line}: ", err)
            self.assertEqual(self.read(path), text.encode())
            self.assertEqual(self.read(self.conf), NOVA.encode())
        path = self.file("elsewhere/some.conf", "[DEFAULT]\n")
        self.assertIn("--service", self.run_setup(path, status=1)[1])
        self.run_setup(os.path.join(self.folder, "none.conf"), status=1)
        self.run_setup("--service=unheard-of", path, status=2)
        self.run_setup(status=2)

    def test_services(self):
        """each service gets its file and its own notifications; agents and cinder get none"""
        for name, notified in (("cinder/cinder.conf", False), ("glance/glance-api.conf", True),
                               ("neutron/neutron.conf", True), ("placement/placement.conf", False),
                               ("x/neutron-dhcp-agent.conf", False)):
            out, _ = self.run_setup(self.file(name, "[DEFAULT]\n"))
            self.assertEqual("+driver = log" in out, notified, name)
            self.assertNotIn("notification_format", out)
        out, _ = self.run_setup("--no-notifications", "--service=nova-compute", self.conf)
        self.assertIn("/conf/nova-compute.conf", out)
        self.assertNotIn("driver", out)

    def test_symbolic_link(self):
        """a link stays a link, and the file behind it is changed"""
        link = os.path.join(self.folder, "nova.conf")
        os.symlink(self.conf, link)
        self.run_setup("--apply", "--service=nova", link)
        self.assertTrue(os.path.islink(link))
        self.assertIn(b"log_config_append", self.read(self.conf))
        self.run_setup("--revert", link)
        self.assertEqual(self.read(self.conf), NOVA.encode())


class Ready(unittest.TestCase):
    def test_generated(self):
        """the ready logging.conf files are what their table says, and can be loaded"""
        folder = os.path.join(PACKAGE, "conf")
        self.assertEqual(sorted(os.listdir(folder)), sorted(n + ".conf" for n in services.names()))
        for name in services.names():
            with open(os.path.join(folder, name + ".conf"), encoding="ascii") as file:
                text = file.read()
            self.assertEqual(text, services.logging_conf(name), name)
            parser = configparser.ConfigParser()
            parser.read_string(text)
            for key in parser["loggers"]["keys"].split(","):
                self.assertIn("logger_" + key, parser)

    def test_service_names(self):
        """a service is known by its program, or by what its web server runs"""
        for argv, project, name in (
                (["/usr/bin/nova-compute"], None, "nova-compute"),
                (["/usr/bin/nova-compute"], "nova", "nova-compute"),
                (["/usr/bin/nova-api-wsgi"], "nova", "nova-api"),
                (["/usr/bin/neutron-linuxbridge-agent"], "neutron", "neutron-linuxbridge-agent"),
                (["uwsgi"], "cinder", "cinder"), (["/x/tool.py"], None, "tool.py")):
            before = sys.argv
            sys.argv = argv
            try:
                self.assertEqual(services.service_name(project), name)
            finally:
                sys.argv = before

    def test_install(self):
        """pyproject.toml installs the package, its files and the command"""
        if subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True,
                          check=False).returncode:
            self.skipTest("no pip")
        folder = tempfile.mkdtemp(prefix="cloudtrace-setup.")
        self.addCleanup(shutil.rmtree, folder)
        source = shutil.copytree(os.path.dirname(PACKAGE), os.path.join(folder, "source"))
        subprocess.run([PYTHON, "-m", "pip", "install", "-q", "--no-deps", "--no-index",
                        "--no-build-isolation", "--target", os.path.join(folder, "site"), source],
                       capture_output=True, timeout=120, check=True)
        done = subprocess.run([PYTHON, os.path.join(folder, "site/bin/cloudtrace-openstack-setup"),
                               "--list"], capture_output=True, text=True, timeout=60, check=True,
                              env=dict(os.environ, PYTHONPATH=os.path.join(folder, "site")))
        self.assertEqual(done.stdout.split(), services.names())
        self.assertTrue(os.path.isfile(os.path.join(
            folder, "site/cloudtrace_openstack/conf/nova.conf")))


tap_unittest.main()
