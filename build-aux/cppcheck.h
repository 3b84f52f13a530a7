/* SPDX-License-Identifier: MIT
 *
 * Macros of system headers in a form that cppcheck understands; only for it. */
#define LL_FOREACH(HEAD, EL) for (EL = (HEAD); EL; EL = (EL)->next)
#define DL_FOREACH(HEAD, EL) for (EL = (HEAD); EL; EL = (EL)->next)
#define LL_FOREACH_SAFE(HEAD, EL, TMP) for (EL = (HEAD); EL && (TMP = (EL)->next, 1); EL = TMP)
#define DL_FOREACH_SAFE(HEAD, EL, TMP) for (EL = (HEAD); EL && (TMP = (EL)->next, 1); EL = TMP)
#define HASH_ITER(HH, HEAD, EL, TMP) \
	for (EL = (HEAD), TMP = next_of(EL); EL; EL = TMP, TMP = next_of(EL))
#define json_array_foreach(ARRAY, I, VALUE) \
	for (I = 0; I < json_array_size(ARRAY) && (VALUE = json_array_get(ARRAY, I)); I++)
#define json_object_foreach(OBJECT, KEY, VALUE) \
	for (KEY = first_key(OBJECT); KEY && (VALUE = json_object_get(OBJECT, KEY)); KEY = next_key(KEY))
#define LTTNG_UST_TRACEPOINT_EVENT(...)
#define lttng_ust_tracepoint(...) (void) 0
#define lttng_ust_tracepoint_enabled(...) 1
