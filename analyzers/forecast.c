/* SPDX-License-Identifier: MIT */
#include "analyzers/forecast.h"

#include <math.h>
#include <string.h>

void
forecast(const struct forecast_input *input, struct forecast *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->remaining_s = ret->downtime_s = -1;
}
