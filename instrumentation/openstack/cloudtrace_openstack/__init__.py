# SPDX-License-Identifier: MIT
"""Log records of OpenStack services as LTTng-UST events.

logging.conf names `cloudtrace_openstack.Handler`; everything else here serves
that class, or the command cloudtrace-openstack-setup."""
from cloudtrace_openstack.handler import Handler

__all__ = ["Handler"]
__version__ = "0.1.0"
