# SPDX-License-Identifier: MIT
# TLS, HTTP, alerts, delivery, exports.
TESTS += tests/test_tls.py tests/test_http.py tests/test_deliver.py
EXTRA_DIST += tests/test_tls.py tests/test_http.py tests/test_deliver.py tests/lib/certificates.py contrib/watch.py
