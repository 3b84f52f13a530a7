/* SPDX-License-Identifier: MIT
 *
 * error.h -- how a fallible function tells what went wrong.
 *
 * A function that can fail returns 0 or a negative errno and leaves its
 * outputs untouched on failure.  The text comes from the first function that
 * failed: it alone knows the file or peer, the place and what to do.  Callers
 * hand the struct up; the program prints it once. */
#ifndef LIB_ERROR_H
#define LIB_ERROR_H

struct error {
	int code;        /* Positive errno of the first failure; 0: none yet. */
	char text[480];  /* One sentence for a person, without a newline. */
};

/* Fills 'error' unless it is NULL or already holds a failure.  Returns
 * -'code', so that "return error_set(error, EINVAL, ...)" reads well.  A code
 * that is no errno, as a library may leave it, becomes EIO: what is returned is
 * always negative, and the compiler may know. */
#define error_set(...) error_negative(error_fill(__VA_ARGS__))
int error_fill(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static inline int
error_negative(int r)
{
	if (r >= 0)
		__builtin_unreachable();
	return r;
}

/* Puts "prefix: " before the text that is already there; adds nothing when
 * 'error' is NULL or empty.  Returns the negative code that it holds. */
int error_prefix(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* error.h */
