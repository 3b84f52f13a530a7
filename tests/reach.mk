# SPDX-License-Identifier: MIT
# TLS, HTTP, alerts, delivery, exports.
TESTS += tests/test_tls.py tests/test_http.py tests/test_deliver.py tests/test_exports.py
EXTRA_DIST += tests/test_tls.py tests/test_http.py tests/test_deliver.py tests/test_exports.py tests/lib/perfetto.proto contrib/prometheus-rules.yml contrib/grafana-dashboard.json tests/lib/certificates.py contrib/watch.py
