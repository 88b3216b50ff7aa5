/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The scenario file that main.cc reads: all sections, the link's and the environment's included, and
 * the requests that come of it.
 */
#include "../links/environment.h"
#include "../links/link.h"
#include "../scenario/exogenous.h"
#include "../scenario/scenario-config.h"
#include "judge.h"

#include "ns3/simulator.h"

namespace
{

using namespace splitsim;

/** @param path of a scenario file */
void
Read(const std::string& path)
{
    const auto config = ScenarioConfig::Load(path);
    MakeEnvironment(config.GetEnvironment(), 1);
    MakeLink(config.GetLink());
    if (config.arrivals.count <= 1000)
    {
        EndOf(MakeRequests(config.arrivals, 1), config.arrivals);
    }
}

} // namespace

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    IsAccepted(data, size, Read);
    ns3::Simulator::Destroy(); // of the obstacles
    return 0;
}
