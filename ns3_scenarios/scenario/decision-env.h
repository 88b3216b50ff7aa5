/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_DECISION_ENV_H
#define SPLITSIM_DECISION_ENV_H

#include "cell.h"
#include "exogenous.h"
#include "opengym_env.h"
#include "scenario-config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace splitsim
{

/**
 * The decision process over the wire: at each arrival the state goes out, with the delivery record
 * of the request before, and the split (and codec) comes back.
 */
class DecisionEnv : public ns3::OpenGymEnv
{
  public:
    static ns3::TypeId GetTypeId();
    DecisionEnv();

    /**
     * @param config the scenario
     * @param seed the episode's seed
     * @param cell the world; must outlive this
     */
    void Configure(const ScenarioConfig& config, uint32_t seed, Cell* cell);

    /** @return when the last request's window closes, in seconds */
    double GetEndS() const;
    /** Put every arrival into the event queue. */
    void ScheduleDecisions();

    ns3::Ptr<ns3::OpenGymSpace> GetActionSpace() override;
    ns3::Ptr<ns3::OpenGymSpace> GetObservationSpace() override;
    bool GetGameOver() override;
    ns3::Ptr<ns3::OpenGymDataContainer> GetObservation() override;
    float GetReward() override;
    std::string GetExtraInfo() override;
    bool ExecuteActions(ns3::Ptr<ns3::OpenGymDataContainer> action) override;

  private:
    /// What the UE learnt of the link from its last request that used it.
    struct Experience
    {
        bool any{false};
        double atS{0};
        double loss{0};
        double delayS{0};
    };

    void Arrive(uint32_t k);
    void OpenWindow();
    void CloseWindow();
    void Learn();
    std::vector<double> Features() const;

    ScenarioConfig m_config;
    Cell* m_cell{nullptr};
    std::vector<Request> m_requests;
    uint32_t m_current{0}; ///< request whose decision is due
    bool m_hasRecord{false};
    double m_energyAtOpenJ{0};
    Experience m_experience;
    uint32_t m_previousSplit{0}; ///< 0 before the first decision
};

} // namespace splitsim

#endif // SPLITSIM_DECISION_ENV_H
