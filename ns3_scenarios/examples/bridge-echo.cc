/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * What `python -m benchmarks.bridge` measures: a simulation that does nothing but speak. Each way
 * travels a Dict of a Discrete(5) and five unsigned integers; the observation echoes the action.
 */
#include "ns3/core-module.h"
#include "ns3/opengym-module.h"

using namespace ns3;

namespace
{

/** Echoes the action; never over by itself. */
class EchoEnv : public OpenGymEnv
{
  public:
    Ptr<OpenGymSpace> GetActionSpace() override
    {
        const std::vector<uint32_t> shape = {5};
        Ptr<OpenGymDictSpace> space = CreateObject<OpenGymDictSpace>();
        space->Add("box", CreateObject<OpenGymBoxSpace>(0, 10, shape, TypeNameGet<uint32_t>()));
        space->Add("discrete", CreateObject<OpenGymDiscreteSpace>(5));
        return space;
    }

    Ptr<OpenGymSpace> GetObservationSpace() override
    {
        return GetActionSpace();
    }

    bool GetGameOver() override
    {
        return false;
    }

    Ptr<OpenGymDataContainer> GetObservation() override
    {
        const std::vector<uint32_t> shape = {5};
        Ptr<OpenGymBoxContainer<uint32_t>> box = CreateObject<OpenGymBoxContainer<uint32_t>>(shape);
        box->SetData(m_values);
        Ptr<OpenGymDiscreteContainer> discrete = CreateObject<OpenGymDiscreteContainer>(5);
        discrete->SetValue(m_choice);
        Ptr<OpenGymDictContainer> observation = CreateObject<OpenGymDictContainer>();
        observation->Add("box", box);
        observation->Add("discrete", discrete);
        return observation;
    }

    float GetReward() override
    {
        return 1;
    }

    std::string GetExtraInfo() override
    {
        return "";
    }

    bool ExecuteActions(Ptr<OpenGymDataContainer> action) override
    {
        Ptr<OpenGymDictContainer> dict = DynamicCast<OpenGymDictContainer>(action);
        m_values = DynamicCast<OpenGymBoxContainer<uint32_t>>(dict->Get("box"))->GetData();
        m_choice = DynamicCast<OpenGymDiscreteContainer>(dict->Get("discrete"))->GetValue();
        return true;
    }

    /** One state each simulated millisecond. */
    void Step()
    {
        Simulator::Schedule(MilliSeconds(1), &EchoEnv::Step, this);
        Notify();
    }

  private:
    std::vector<uint32_t> m_values{0, 0, 0, 0, 0};
    uint32_t m_choice{0};
};

} // namespace

int
main(int argc, char* argv[])
{
    uint32_t simSeed = 1;
    uint32_t openGymPort = 5555;
    std::string endpoint;
    CommandLine cmd;
    cmd.AddValue("openGymPort", "TCP port of the agent", openGymPort);
    cmd.AddValue("openGymEndpoint", "ZeroMQ endpoint of the agent instead", endpoint);
    cmd.AddValue("simSeed", "not used: nothing is random", simSeed);
    cmd.Parse(argc, argv);

    Ptr<EchoEnv> env = CreateObject<EchoEnv>();
    env->SetOpenGymInterface(endpoint.empty() ? CreateObject<OpenGymInterface>(openGymPort)
                                              : CreateObject<OpenGymInterface>(endpoint));
    Simulator::Schedule(Seconds(0), &EchoEnv::Step, env);
    Simulator::Run();
    env->NotifySimulationEnd();
    Simulator::Destroy();
    return 0;
}
