/* SPDX-License-Identifier: MIT */
/*
 * Tests the simulator's engine: queues against theory, every fault, every
 * figure, to the nanosecond where nothing is random. CK_RUN_SUITE and the like
 * as ever.
 */
#include <stdlib.h>

#include "test_sim_kit.h"

int main(void)
{
    SRunner *runner = srunner_create(suite_sim_parts());
    int failed;

    srunner_add_suite(runner, suite_sim_queues());
    srunner_add_suite(runner, suite_sim_faults());
    srunner_add_suite(runner, suite_sim_list());
    srunner_add_suite(runner, suite_sim_processes());
    srunner_add_suite(runner, suite_sim_requests());
    srunner_add_suite(runner, suite_sim_chance());
    srunner_add_suite(runner, suite_sim_asking());
    srunner_add_suite(runner, suite_sim_own());
    srunner_add_suite(runner, suite_sim_measures());
    srunner_add_suite(runner, suite_sim_contract());
    srunner_add_suite(runner, suite_sim_refused());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
