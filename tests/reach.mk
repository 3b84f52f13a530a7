# SPDX-License-Identifier: MIT
# TLS, HTTP, alerts, delivery, exports.
TESTS += tests/test_tls.py tests/test_http.py
EXTRA_DIST += tests/test_tls.py tests/test_http.py tests/lib/certificates.py contrib/watch.py
