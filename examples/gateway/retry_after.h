/* SPDX-License-Identifier: MIT
 *
 * How long an answer asks its endpoint to be left alone.
 */
#ifndef GW_RETRY_AFTER_H
#define GW_RETRY_AFTER_H

#include "http_head.h"

/**
 * What the Retry-After of an answer says: seconds, or an HTTP date in one of
 * its three forms, which is counted from the answer's Date, so that clocks that
 * differ do no harm.
 *
 * @param head   Of an answer.
 * @param now_s  The time since 1970, for an answer without a good Date.
 * @return       Nanoseconds; 0: there is no such field, it lies in the past,
 *               or cannot be understood. 31 years at most.
 */
uint64_t gw_retry_after_ns(const struct http_head *head, int64_t now_s);

#endif
