/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Every kind of space, nested, both ways; with free functions as callbacks.
 *
 * The simulator echoes each action in the next observation, so an agent sees whether the value
 * made the way there and back unharmed. The episode is over after --maxSteps steps (SimulationEnd),
 * or as soon as the agent chooses 3 (GameOver).
 *
 *   every-space --openGymPort=5555 --simSeed=1
 */
#include "ns3/core-module.h"
#include "ns3/opengym-module.h"

#include <iostream>
#include <sstream>

using namespace ns3;

NS_LOG_COMPONENT_DEFINE("EverySpace");

namespace
{

Ptr<OpenGymDataContainer> g_lastAction;
uint32_t g_step = 0;
bool g_over = false;

template <typename T>
Ptr<OpenGymBoxSpace>
MakeBox(float low, float high)
{
    const std::vector<uint32_t> shape = {2, 3};
    return CreateObject<OpenGymBoxSpace>(low, high, shape, TypeNameGet<T>());
}

Ptr<OpenGymSpace>
MakeSpace()
{
    Ptr<OpenGymTupleSpace> pair = CreateObject<OpenGymTupleSpace>();
    pair->Add(CreateObject<OpenGymDiscreteSpace>(7));
    pair->Add(MakeBox<int32_t>(-100, 100));

    Ptr<OpenGymDictSpace> inner = CreateObject<OpenGymDictSpace>();
    inner->Add("float", MakeBox<float>(-1, 1));
    inner->Add("double", MakeBox<double>(-1, 1));

    Ptr<OpenGymDictSpace> space = CreateObject<OpenGymDictSpace>();
    space->Add("choice", CreateObject<OpenGymDiscreteSpace>(4));
    space->Add("pair", pair);
    space->Add("real", inner);
    space->Add("unsigned", MakeBox<uint32_t>(0, 1000));
    return space;
}

template <typename T>
Ptr<OpenGymBoxContainer<T>>
MakeValues()
{
    const std::vector<uint32_t> shape = {2, 3};
    Ptr<OpenGymBoxContainer<T>> box = CreateObject<OpenGymBoxContainer<T>>(shape);
    for (uint32_t i = 0; i < 6; i++)
    {
        box->AddValue(0);
    }
    return box;
}

/** What is observed before the first action: zeros everywhere. */
Ptr<OpenGymDataContainer>
MakeZeros()
{
    Ptr<OpenGymTupleContainer> pair = CreateObject<OpenGymTupleContainer>();
    pair->Add(CreateObject<OpenGymDiscreteContainer>(7));
    pair->Add(MakeValues<int32_t>());

    Ptr<OpenGymDictContainer> inner = CreateObject<OpenGymDictContainer>();
    inner->Add("float", MakeValues<float>());
    inner->Add("double", MakeValues<double>());

    Ptr<OpenGymDictContainer> zeros = CreateObject<OpenGymDictContainer>();
    zeros->Add("choice", CreateObject<OpenGymDiscreteContainer>(4));
    zeros->Add("pair", pair);
    zeros->Add("real", inner);
    zeros->Add("unsigned", MakeValues<uint32_t>());
    return zeros;
}

Ptr<OpenGymSpace>
MyGetObservationSpace()
{
    Ptr<OpenGymSpace> space = MakeSpace();
    NS_LOG_UNCOND("MyGetObservationSpace: " << space);
    return space;
}

Ptr<OpenGymSpace>
MyGetActionSpace()
{
    return MakeSpace();
}

bool
MyGetGameOver()
{
    return g_over;
}

Ptr<OpenGymDataContainer>
MyGetObservation()
{
    return g_lastAction ? g_lastAction : MakeZeros();
}

float
MyGetReward()
{
    return g_step;
}

std::string
MyGetExtraInfo()
{
    std::ostringstream text;
    text << MyGetObservation();
    return text.str();
}

bool
MyExecuteActions(Ptr<OpenGymDataContainer> action)
{
    Ptr<OpenGymDictContainer> dict = DynamicCast<OpenGymDictContainer>(action);
    Ptr<OpenGymDiscreteContainer> choice =
        DynamicCast<OpenGymDiscreteContainer>(dict->Get("choice"));
    Ptr<OpenGymBoxContainer<uint32_t>> box =
        DynamicCast<OpenGymBoxContainer<uint32_t>>(dict->Get("unsigned"));
    dict->Print(std::cout);
    std::cout << std::endl;
    NS_LOG_UNCOND("MyExecuteActions: " << choice << " " << box << " of " << box->GetShape().size()
                                       << " dimensions, first " << box->GetValue(0));
    g_lastAction = dict;
    g_over = choice->GetValue() == 3;
    g_step++;
    return true;
}

void
ScheduleNextStateRead(double envStepTime, Ptr<OpenGymInterface> openGym)
{
    Simulator::Schedule(Seconds(envStepTime), &ScheduleNextStateRead, envStepTime, openGym);
    openGym->NotifyCurrentState();
}

} // namespace

int
main(int argc, char* argv[])
{
    uint32_t simSeed = 1;
    uint32_t openGymPort = 5555;
    uint32_t maxSteps = 10;
    double envStepTime = 0.1;
    CommandLine cmd;
    cmd.AddValue("openGymPort", "Port number for OpenGym env. Default: 5555", openGymPort);
    cmd.AddValue("simSeed", "Seed for random generator. Default: 1", simSeed);
    cmd.AddValue("maxSteps", "Steps of the simulation. Default: 10", maxSteps);
    cmd.Parse(argc, argv);
    RngSeedManager::SetSeed(1);
    RngSeedManager::SetRun(simSeed);

    Ptr<OpenGymInterface> openGym = CreateObject<OpenGymInterface>(openGymPort);
    openGym->SetGetActionSpaceCb(MakeCallback(&MyGetActionSpace));
    openGym->SetGetObservationSpaceCb(MakeCallback(&MyGetObservationSpace));
    openGym->SetGetGameOverCb(MakeCallback(&MyGetGameOver));
    openGym->SetGetObservationCb(MakeCallback(&MyGetObservation));
    openGym->SetGetRewardCb(MakeCallback(&MyGetReward));
    openGym->SetGetExtraInfoCb(MakeCallback(&MyGetExtraInfo));
    openGym->SetExecuteActionsCb(MakeCallback(&MyExecuteActions));

    Simulator::Schedule(Seconds(0.0), &ScheduleNextStateRead, envStepTime, openGym);
    Simulator::Stop(Seconds(envStepTime * (maxSteps - 0.5)));
    Simulator::Run();
    openGym->NotifySimulationEnd();
    Simulator::Destroy();
    return 0;
}
