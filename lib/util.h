/* SPDX-License-Identifier: MIT
 *
 * util.h -- small things that everybody needs. */
#ifndef LIB_UTIL_H
#define LIB_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(A) (sizeof (A) / sizeof *(A))
#ifdef __cppcheck__  /* 2.10 can't read statement expressions. */
#define MIN(A, B) ((A) < (B) ? (A) : (B))
#define MAX(A, B) ((A) > (B) ? (A) : (B))
#else
#define MIN(A, B) ({ __typeof__(A) a_ = (A); __typeof__(B) b_ = (B); a_ < b_ ? a_ : b_; })
#define MAX(A, B) ({ __typeof__(A) a_ = (A); __typeof__(B) b_ = (B); a_ > b_ ? a_ : b_; })
#endif
#define CONTAINER_OF(POINTER, STRUCT, MEMBER) \
	((STRUCT *) (void *) ((char *) (POINTER) - offsetof(STRUCT, MEMBER)))
#define _cleanup_(FUNCTION) __attribute__((cleanup(FUNCTION)))
#define _nonnull_ __attribute__((returns_nonnull))
#define _printf_(FORMAT, FIRST) __attribute__((format(printf, FORMAT, FIRST)))

/* Allocation for start-up, fixed tables and small records: ends the program
 * when memory is gone.  What outsiders can grow is capped by its owner, and
 * large buffers of outside size are allocated with checked malloc(). */
void *xmalloc(size_t size) _nonnull_;
void *xcalloc(size_t count, size_t size) _nonnull_;
void *xrealloc(void *old, size_t size) _nonnull_;
char *xstrdup(const char *string) _nonnull_;
char *xstrndup(const char *string, size_t length) _nonnull_;
char *xasprintf(const char *format, ...) _printf_(1, 2) _nonnull_;

/* For _cleanup_(freep): frees what the pointer variable points to. */
void freep(void *pointer_to_pointer);
/* For _cleanup_(closep): closes the descriptor unless it is negative. */
void closep(int *fd);

static inline bool
streq(const char *a, const char *b)
{
	return __builtin_strcmp(a, b) == 0;
}

/* Whether 'string' starts with 'prefix'. */
bool starts_with(const char *string, const char *prefix);

/* Reads a whole decimal, 0x or 0 number into *ret.  Returns 0, -EINVAL when
 * 'string' is no number or has more behind it, -ERANGE when too large. */
int parse_u64(const char *string, uint64_t *ret);

/* Reads a duration such as "300ms", "2s", "1.5h", "7d" into *ret_ns; a bare
 * number is seconds.  Returns 0, -EINVAL or -ERANGE. */
int parse_duration(const char *string, uint64_t *ret_ns);

/* Reads a size such as "64K", "16MiB" into *ret_bytes (powers of 1024). */
int parse_size(const char *string, uint64_t *ret_bytes);

#endif /* util.h */
