/* SPDX-License-Identifier: MIT
 *
 * Macros of system headers in a form that clang's analyzer can follow; only for
 * it (see scan_build in ./check).  It takes what was removed from a hash
 * table or a list for still being there, as it does not know that the element
 * that the links lead to is the one that was found first.  So here whoever is
 * removed leaves a head of which nothing is known. */
#ifdef __clang_analyzer__
#include <sys/queue.h>
#include <uthash.h>
#include <utlist.h>

void *analyzer_unknown(void *head);
unsigned analyzer_hash(const void *key, size_t size);

#undef HASH_FUNCTION
#define HASH_FUNCTION(KEY, SIZE, HASH) ((HASH) = analyzer_hash(KEY, SIZE))
#undef HASH_DELETE
#define HASH_DELETE(HH, HEAD, EL) ((HEAD) = analyzer_unknown(HEAD))
#undef DL_DELETE
#define DL_DELETE(HEAD, EL) ((HEAD) = analyzer_unknown(HEAD))
#endif
