/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Runs the suites that are linked in; `--help` lists what ns-3's runner understands.
 */
#include "ns3/test.h"

int
main(int argc, char* argv[])
{
    return ns3::TestRunner::Run(argc, argv);
}
