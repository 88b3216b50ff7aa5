/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_DECISION_ENV_H
#define SPLITSIM_DECISION_ENV_H

#include "agent-view.h"
#include "exogenous.h"
#include "opengym_env.h"
#include "scenario-config.h"

#include <cstdint>
#include <optional>
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
     * @param requests the agent's, in order of arrival
     * @param view what the agent decides about
     */
    void Configure(const ScenarioConfig& config, std::vector<Request> requests, AgentView view);

    /**
     * Ask nobody: take one action at every arrival. Comes after Configure.
     *
     * @param action which
     * @throws ConfigError when there is no such action
     */
    void AnswerItself(uint32_t action);

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
    bool Play(uint32_t action);
    uint32_t CountActions() const;
    void OpenWindow();
    void CloseWindow();
    void Learn();
    std::vector<double> Features() const;

    ScenarioConfig m_config;
    AgentView m_view;
    std::vector<Request> m_requests;
    std::optional<uint32_t> m_ownAction;
    uint32_t m_current{0}; ///< request whose decision is due
    bool m_hasRecord{false};
    double m_energyAtOpenJ{0};
    Experience m_experience;
    uint32_t m_previousSplit{0}; ///< 0 before the first decision
};

} // namespace splitsim

#endif // SPLITSIM_DECISION_ENV_H
