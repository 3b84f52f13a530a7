# SPDX-License-Identifier: MIT
# TLS, HTTP, alerts, delivery, exports.
TESTS += tests/test_tls.py tests/test_http.py tests/test_deliver.py tests/test_exports.py tests/test_reload.py tests/test_alerts.py
EXTRA_DIST += tests/test_reload.py tests/test_alerts.py tests/test_tls.py tests/test_http.py tests/test_deliver.py tests/test_exports.py tests/lib/perfetto.proto contrib/prometheus-rules.yml contrib/grafana-dashboard.json tests/lib/certificates.py contrib/watch.py
if HAVE_CMOCKA
check_PROGRAMS += tests/test_alert_rules tests/test_alert_windows
TESTS += tests/test_alert_rules tests/test_alert_windows
tests_test_alert_windows_SOURCES = tests/test_alert_windows.c $(store_test_common)
tests_test_alert_windows_LDADD = $(store_test_libs)
tests_test_alert_rules_SOURCES = tests/test_alert_rules.c $(store_test_common)
tests_test_alert_rules_LDADD = $(store_test_libs)
endif
