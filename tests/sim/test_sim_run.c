/* SPDX-License-Identifier: MIT */
/*
 * Tests the simulator's engine: its parts. CK_RUN_SUITE and the like as ever.
 */
#include <stdlib.h>

#include "test_sim_kit.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_sim_parts());
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
