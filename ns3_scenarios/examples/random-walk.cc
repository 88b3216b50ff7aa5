/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The smallest scenario with an OpenGymEnv of its own: see WalkEnv.
 *
 *   random-walk --openGymPort=5555 --simSeed=1 --simTime=10
 */
#include "walk-env.h"

using namespace ns3;

int
main(int argc, char* argv[])
{
    uint32_t simSeed = 1;
    uint32_t openGymPort = 5555;
    double simTime = 10;
    double envStepTime = 0.1;
    CommandLine cmd;
    cmd.AddValue("openGymPort", "Port number for OpenGym env. Default: 5555", openGymPort);
    cmd.AddValue("simSeed", "Seed for random generator. Default: 1", simSeed);
    cmd.AddValue("simTime", "Simulation time in seconds. Default: 10", simTime);
    cmd.AddValue("envStepTime", "Step time in seconds. Default: 0.1", envStepTime);
    cmd.Parse(argc, argv);
    RngSeedManager::SetSeed(1);
    RngSeedManager::SetRun(simSeed);

    Ptr<OpenGymInterface> openGymInterface = CreateObject<OpenGymInterface>(openGymPort);
    Ptr<WalkEnv> env = CreateObject<WalkEnv>();
    env->SetOpenGymInterface(openGymInterface);
    Simulator::Schedule(Seconds(0.0), &WalkEnv::Start, env, envStepTime);

    Simulator::Stop(Seconds(simTime));
    Simulator::Run();
    env->NotifySimulationEnd();
    Simulator::Destroy();
    return 0;
}
