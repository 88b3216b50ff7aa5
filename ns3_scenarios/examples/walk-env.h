/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef WALK_ENV_H
#define WALK_ENV_H

#include "ns3/core-module.h"
#include "ns3/opengym-module.h"

namespace ns3
{

/**
 * A walker on the places 0 to 10, pushed left or right by the wind (a random place in -1, 0, 1)
 * and by the agent (0 left, 1 stay, 2 right). The walk is over at either end; the reward is 1 a
 * step. Whoever goes on after that starts a new walk in the middle, in the same process.
 */
class WalkEnv : public OpenGymEnv
{
  public:
    static TypeId GetTypeId()
    {
        static TypeId tid = TypeId("ns3::WalkEnv").SetParent<OpenGymEnv>().SetGroupName("OpenGym");
        return tid;
    }

    WalkEnv()
        : m_wind(CreateObject<UniformRandomVariable>())
    {
    }

    /** @param stepTime simulated seconds between two states */
    void Start(double stepTime)
    {
        Simulator::Schedule(Seconds(stepTime), &WalkEnv::Start, this, stepTime);
        Notify();
    }

    Ptr<OpenGymSpace> GetActionSpace() override
    {
        return CreateObject<OpenGymDiscreteSpace>(3);
    }

    Ptr<OpenGymSpace> GetObservationSpace() override
    {
        const std::vector<uint32_t> shape = {2};
        return CreateObject<OpenGymBoxSpace>(0, 1000000, shape, TypeNameGet<uint32_t>());
    }

    bool GetGameOver() override
    {
        return m_place == 0 || m_place == LAST;
    }

    Ptr<OpenGymDataContainer> GetObservation() override
    {
        const std::vector<uint32_t> shape = {2};
        Ptr<OpenGymBoxContainer<uint32_t>> box = CreateObject<OpenGymBoxContainer<uint32_t>>(shape);
        box->AddValue(m_place);
        box->AddValue(m_walk);
        return box;
    }

    float GetReward() override
    {
        return 1;
    }

    std::string GetExtraInfo() override
    {
        return "{\"walk\": " + std::to_string(m_walk) + "}";
    }

    bool ExecuteActions(Ptr<OpenGymDataContainer> action) override
    {
        if (GetGameOver())
        {
            m_place = LAST / 2;
            m_walk++;
            return true;
        }
        Ptr<OpenGymDiscreteContainer> push = DynamicCast<OpenGymDiscreteContainer>(action);
        const int place = m_place + static_cast<int>(push->GetValue()) - 1 +
                          static_cast<int>(m_wind->GetInteger(0, 2)) - 1;
        m_place = std::max(0, std::min<int>(LAST, place));
        return true;
    }

  private:
    static constexpr uint32_t LAST = 10;

    Ptr<UniformRandomVariable> m_wind;
    uint32_t m_place{LAST / 2};
    uint32_t m_walk{0}; ///< how many walks were over before this one
};

} // namespace ns3

#endif // WALK_ENV_H
