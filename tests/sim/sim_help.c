/* SPDX-License-Identifier: MIT */
#include "sim_help.h"

#include <stdio.h>
#include <string.h>

#include "sim_csv.h"
#include "sim_judge.h"
#include "sim_report.h"

static const char help_program[] =
    "ilb-sim: libilb and its rivals in a simulator, under faults\n"
    "\n"
    "  ilb-sim list                   scenarios and policies\n"
    "  ilb-sim show SCENARIO          the text of a scenario's file\n"
    "  ilb-sim run SCENARIO...        runs, and prints failures and latencies\n"
    "  ilb-sim verdict CSV...         judges libilb against its rivals\n"
    "  ilb-sim help [COMMAND]         this, or a command's options (also\n"
    "                                 ilb-sim COMMAND --help)\n"
    "  ilb-sim --version\n"
    "\n"
    "The same scenario, policy and seed give the same figures on every\n"
    "machine that rounds the same way, whatever else runs there.\n"
    "\n"
    "Scenarios are looked for in the directory $ILB_SIM_SCENARIOS if it is\n"
    "set, else in the source tree if the program runs from a build tree, else\n"
    "where they are installed. A directory in that one that has .sim files is "
    "a\n"
    "set of scenarios.\n"
    "\n"
    "Exit status: 0 done; 1 a run failed or a file could not be used; 2 the\n"
    "command line is wrong; 130 interrupted.\n";

static const char help_list[] =
    "ilb-sim list\n"
    "\n"
    "Scenarios, with what they show, set by set, and policies, with where\n"
    "their formulas and defaults come from.\n";

static const char help_show[] =
    "ilb-sim show SCENARIO\n"
    "\n"
    "The text of a scenario's file. SCENARIO is a name as in 'ilb-sim list',\n"
    "SET/NAME of one in a set, or a path: something else with a slash, or "
    "that\n"
    "ends in .sim.\n";

static const char help_run[] =
    "ilb-sim run SCENARIO... [options]\n"
    "\n"
    "SCENARIO is a name as in 'ilb-sim list'; all: those that are in no set;\n"
    "a set, such as second: all that are in it; SET/NAME: one of them; or a\n"
    "path (something else with a slash, or that ends in .sim). How to write\n"
    "one: FORMAT.md, beside them. Whatever is named twice runs once.\n"
    "\n"
    "  --policy LIST    names with commas between them; all; passive: those\n"
    "                   that learn from their own requests only\n"
    "                   (default: ilb,round-robin)\n"
    "  --seeds N        runs with N seeds each (10)\n"
    "  --first-seed K   the seeds are K, K + 1 ... (1)\n"
    "  --jobs N         runs at the same time (as many as there are cores);\n"
    "                   the figures do not depend on it\n"
    "  --csv FILE       one line a run, all figures; '-' is the standard\n"
    "                   output, then without tables\n"
    "  --plot FILE.svg  pictures, with Python and matplotlib: failures and\n"
    "                   p99.9 by policy; of more than three scenarios an\n"
    "                   overview, and FILE-SCENARIO.svg of each. The Python\n"
    "                   is $ILB_SIM_PYTHON, or python3\n"
    "  --quiet          no tables and no progress\n"
    "\n";

static const char help_verdict[] =
    "ilb-sim verdict CSV... [options]\n"
    "\n"
    "Judges what 'ilb-sim run --csv' wrote; '-' is the standard input. "
    "Several\n"
    "files are taken together: runs that are in two of them must be equal.\n"
    "\n"
    "  --subject NAME   who is judged (ilb)\n"
    "  --without LIST   policies to leave out, as if they were not there\n"
    "  --markdown       tables for documents\n"
    "\n";

bool sim_help_print(const char *command)
{
    static const struct {
        const char *name, *text, *more, *last;
    } all[] = {
        {"list", help_list, "", ""},
        {"show", help_show, "", ""},
        {"run", help_run, sim_report_help, sim_csv_help},
        {"verdict", help_verdict, sim_judge_help, ""},
        {"help", help_program, "", ""},
    };

    if (command == NULL)
        command = "help";
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i].name, command) == 0) {
            fputs(all[i].text, stdout);
            fputs(all[i].more, stdout);
            fputs(all[i].last, stdout);
            return true;
        }
    return false;
}
