/* SPDX-License-Identifier: MIT */
/* The tests that need no more than ilb.h: for any build of the library. */
#include "suites.h"
#include "util.h"

int main(void)
{
    return test_run(suites_public, suites_public_n);
}
