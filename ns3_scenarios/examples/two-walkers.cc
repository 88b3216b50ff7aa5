/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Two agents in one simulation, each on a port of its own; they take turns.
 *
 *   two-walkers --openGymPort=5555 --secondPort=5556 --simSeed=1
 */
#include "walk-env.h"

using namespace ns3;

int
main(int argc, char* argv[])
{
    uint32_t simSeed = 1;
    uint32_t openGymPort = 5555;
    uint32_t secondPort = 5556;
    double simTime = 2;
    CommandLine cmd;
    cmd.AddValue("openGymPort", "Port number of the first agent. Default: 5555", openGymPort);
    cmd.AddValue("secondPort", "Port number of the second agent. Default: 5556", secondPort);
    cmd.AddValue("simSeed", "Seed for random generator. Default: 1", simSeed);
    cmd.AddValue("simTime", "Simulation time in seconds. Default: 2", simTime);
    cmd.Parse(argc, argv);
    RngSeedManager::SetSeed(1);
    RngSeedManager::SetRun(simSeed);

    Ptr<WalkEnv> first = CreateObject<WalkEnv>();
    first->SetOpenGymInterface(OpenGymInterface::Get(openGymPort));
    Ptr<WalkEnv> second = CreateObject<WalkEnv>();
    second->SetOpenGymInterface(OpenGymInterface::Get(secondPort));
    Simulator::Schedule(Seconds(0.0), &WalkEnv::Start, first, 0.1);
    Simulator::Schedule(Seconds(0.05), &WalkEnv::Start, second, 0.1);

    Simulator::Stop(Seconds(simTime));
    Simulator::Run();
    first->NotifySimulationEnd();
    second->NotifySimulationEnd();
    Simulator::Destroy();
    return 0;
}
