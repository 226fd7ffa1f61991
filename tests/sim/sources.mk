# SPDX-License-Identifier: MIT
# The simulator: all of it but its main file, which its tests link as well.
ILB_SIM_SOURCES = \
	tests/sim/policies/policies.h \
	tests/sim/policies/policy_brpc_la.c \
	tests/sim/policies/policy_brpc_p2c.c \
	tests/sim/policies/policy_c3.c \
	tests/sim/policies/policy_envoy.c \
	tests/sim/policies/policy_envoy_outlier.c \
	tests/sim/policies/policy_envoy_outlier.h \
	tests/sim/policies/policy_finagle.c \
	tests/sim/policies/policy_finagle_accrual.c \
	tests/sim/policies/policy_finagle_accrual.h \
	tests/sim/policies/policy_go_zero.c \
	tests/sim/policies/policy_ilb.c \
	tests/sim/policies/policy_ilb.h \
	tests/sim/policies/policy_kratos.c \
	tests/sim/policies/policy_linkerd.c \
	tests/sim/policies/policy_nginx.c \
	tests/sim/policies/policy_oracle.c \
	tests/sim/policies/policy_prequal.c \
	tests/sim/policies/policy_simple.c \
	tests/sim/policies/policy_tower.c \
	tests/sim/policies/policy_util.c \
	tests/sim/policies/policy_util.h \
	tests/sim/policies/registry.c \
	tests/sim/sim_arrivals.c \
	tests/sim/sim_arrivals.h \
	tests/sim/sim_batch.c \
	tests/sim/sim_batch.h \
	tests/sim/sim_check.c \
	tests/sim/sim_check.h \
	tests/sim/sim_cli.c \
	tests/sim/sim_cli.h \
	tests/sim/sim_clients.c \
	tests/sim/sim_clients.h \
	tests/sim/sim_command.h \
	tests/sim/sim_command_run.c \
	tests/sim/sim_command_verdict.c \
	tests/sim/sim_condition.c \
	tests/sim/sim_condition.h \
	tests/sim/sim_csv.c \
	tests/sim/sim_csv.h \
	tests/sim/sim_csv_read.c \
	tests/sim/sim_csv_read.h \
	tests/sim/sim_draw.c \
	tests/sim/sim_draw.h \
	tests/sim/sim_events.c \
	tests/sim/sim_events.h \
	tests/sim/sim_faults.c \
	tests/sim/sim_faults.h \
	tests/sim/sim_find.c \
	tests/sim/sim_find.h \
	tests/sim/sim_find_place.c \
	tests/sim/sim_help.c \
	tests/sim/sim_help.h \
	tests/sim/sim_jobs.c \
	tests/sim/sim_jobs.h \
	tests/sim/sim_judge.c \
	tests/sim/sim_judge.h \
	tests/sim/sim_measure.c \
	tests/sim/sim_measure.h \
	tests/sim/sim_medians.c \
	tests/sim/sim_medians.h \
	tests/sim/sim_near.c \
	tests/sim/sim_near.h \
	tests/sim/sim_plotter.c \
	tests/sim/sim_plotter.h \
	tests/sim/sim_policy.h \
	tests/sim/sim_probe.c \
	tests/sim/sim_probe.h \
	tests/sim/sim_processes.c \
	tests/sim/sim_processes.h \
	tests/sim/sim_progress.c \
	tests/sim/sim_progress.h \
	tests/sim/sim_random.h \
	tests/sim/sim_reader.c \
	tests/sim/sim_reader.h \
	tests/sim/sim_recent.c \
	tests/sim/sim_recent.h \
	tests/sim/sim_report.c \
	tests/sim/sim_report.h \
	tests/sim/sim_request.c \
	tests/sim/sim_request.h \
	tests/sim/sim_run.c \
	tests/sim/sim_run.h \
	tests/sim/sim_sample.c \
	tests/sim/sim_sample.h \
	tests/sim/sim_scenario.c \
	tests/sim/sim_scenario.h \
	tests/sim/sim_scenario_events.c \
	tests/sim/sim_scenario_events.h \
	tests/sim/sim_scenario_lists.c \
	tests/sim/sim_scenario_measure.c \
	tests/sim/sim_scenario_options.c \
	tests/sim/sim_scenario_options.h \
	tests/sim/sim_scenario_parts.h \
	tests/sim/sim_scenario_processes.c \
	tests/sim/sim_scenario_servers.c \
	tests/sim/sim_scenario_service.c \
	tests/sim/sim_scenario_world.c \
	tests/sim/sim_select.c \
	tests/sim/sim_select.h \
	tests/sim/sim_server.c \
	tests/sim/sim_server.h \
	tests/sim/sim_spread.c \
	tests/sim/sim_spread.h \
	tests/sim/sim_stats.c \
	tests/sim/sim_stats.h \
	tests/sim/sim_table.c \
	tests/sim/sim_table.h \
	tests/sim/sim_units.c \
	tests/sim/sim_units.h \
	tests/sim/sim_verdict.c \
	tests/sim/sim_verdict.h \
	tests/sim/sim_worker.c \
	tests/sim/sim_worker.h \
	tests/sim/sim_world.h

ILB_SIM_TEST_ENGINE_SOURCES = \
	tests/sim/test_sim_run.c \
	tests/sim/test_sim_kit.c \
	tests/sim/test_sim_kit.h \
	tests/sim/test_sim_parts.c \
	tests/sim/test_sim_faults.c \
	tests/sim/test_sim_list.c \
	tests/sim/test_sim_processes.c \
	tests/sim/test_sim_queues.c \
	tests/sim/test_sim_requests.c \
	tests/sim/test_sim_chance.c \
	tests/sim/test_sim_asking.c \
	tests/sim/test_sim_own.c \
	tests/sim/test_sim_measures.c \
	tests/sim/test_sim_contract.c \
	tests/sim/test_sim_refused.c

ILB_SIM_TEST_POLICIES_SOURCES = \
	tests/sim/test_sim_policies.c \
	tests/sim/test_sim_policies.h \
	tests/sim/test_sim_policies_accrual.c \
	tests/sim/test_sim_policies_averages.c \
	tests/sim/test_sim_policies_brpc.c \
	tests/sim/test_sim_policies_choices.c \
	tests/sim/test_sim_policies_health.c \
	tests/sim/test_sim_policies_informed.c \
	tests/sim/test_sim_policies_script.c \
	tests/sim/test_sim_policies_simple.c

ILB_SIM_TEST_SCENARIO_SOURCES = \
	tests/sim/test_sim_scenario.c \
	tests/sim/test_sim_scenario.h \
	tests/sim/test_sim_scenario_bad.c \
	tests/sim/test_sim_scenario_fuzz.c \
	tests/sim/test_sim_scenario_good.c

ILB_SIM_TEST_INVARIANTS_SOURCES = \
	tests/sim/test_sim_invariants.c \
	tests/sim/test_sim_invariants.h \
	tests/sim/test_sim_invariants_checks.c \
	tests/sim/test_sim_invariants_explained.c \
	tests/sim/test_sim_invariants_faults.c \
	tests/sim/test_sim_invariants_ilb.c \
	tests/sim/test_sim_invariants_mutants.c \
	tests/sim/test_sim_invariants_options.c \
	tests/sim/test_sim_invariants_picks.c \
	tests/sim/test_sim_invariants_script.c \
	tests/sim/test_sim_invariants_toy.c \
	tests/sim/test_sim_invariants_watch.c

ILB_SIM_TEST_PUBLISHED_SOURCES = \
	tests/sim/test_sim_published.c \
	tests/sim/test_sim_published.h \
	tests/sim/test_sim_published_cases.c \
	tests/sim/test_sim_published_health.c \
	tests/sim/test_sim_published_load.c
