/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "decision-env.h"

#include "record-json.h"

#include "ns3/simulator.h"

#include <cmath>
#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(DecisionEnv);

namespace
{

/// The observation's elements, in order, in physical units. The agent normalises them.
const std::vector<std::string> FEATURES{
    "snr_db",        "snr_trend_db_per_s", "snr_age_s",      "rsrp_dbm",     "phy_rate_mbps",
    "mcs",           "retry_share",        "handover_age_s", "recent_loss",  "recent_delay_s",
    "link_age_s",    "queue_packets",      "speed_mps",      "distance_m",   "prompt_tokens",
    "output_tokens", "previous_split",     "edge_backlog_s", "serving_cell",
};

/// An age that means "never"; larger than any window that a policy looks back.
constexpr double NEVER_S = 1000;

} // namespace

TypeId
DecisionEnv::GetTypeId()
{
    static TypeId tid =
        TypeId("splitsim::DecisionEnv").SetParent<OpenGymEnv>().SetGroupName("Splitsim");
    return tid;
}

DecisionEnv::DecisionEnv() = default;

void
DecisionEnv::Configure(const ScenarioConfig& config, std::vector<Request> requests, AgentView view)
{
    m_config = config;
    m_requests = std::move(requests);
    m_view = std::move(view);
}

void
DecisionEnv::AnswerItself(uint32_t action)
{
    if (action >= CountActions())
    {
        throw ConfigError("self: " + std::to_string(action) + " is no action; valid: 0 to " +
                          std::to_string(CountActions() - 1));
    }
    m_ownAction = action;
}

void
DecisionEnv::ScheduleDecisions()
{
    for (uint32_t k = 0; k < m_requests.size(); k++)
    {
        Simulator::Schedule(Seconds(m_requests[k].arrivalS), &DecisionEnv::Arrive, this, k);
    }
}

void
DecisionEnv::Arrive(uint32_t k)
{
    m_current = k;
    if (m_ownAction)
    {
        Play(*m_ownAction);
        return;
    }
    Notify();
}

Ptr<OpenGymSpace>
DecisionEnv::GetActionSpace()
{
    return CreateObject<OpenGymDiscreteSpace>(static_cast<int>(CountActions()));
}

uint32_t
DecisionEnv::CountActions() const
{
    return static_cast<uint32_t>(m_config.compute.splits.size() * m_config.codecs.size());
}

Ptr<OpenGymSpace>
DecisionEnv::GetObservationSpace()
{
    const std::vector<uint32_t> shape{static_cast<uint32_t>(FEATURES.size())};
    return CreateObject<OpenGymBoxSpace>(-1e6F, 1e6F, shape, TypeNameGet<double>());
}

bool
DecisionEnv::GetGameOver()
{
    return false;
}

std::vector<double>
DecisionEnv::Features() const
{
    const auto link = m_view.link->GetState();
    const auto& request = m_requests[m_current];
    const double nowS = Simulator::Now().GetSeconds();
    const auto velocity = m_view.ueMobility->GetVelocity();
    return {
        link.snrDb,
        link.snrTrendDbPerS,
        link.snrAgeS,
        link.rsrpDbm,
        link.phyRateMbps,
        link.mcs,
        link.retryShare,
        link.handoverAgeS,
        m_experience.loss,
        m_experience.delayS,
        m_experience.any ? nowS - m_experience.atS : NEVER_S,
        static_cast<double>(link.queueDepth),
        velocity.GetLength(),
        m_view.GetDistanceM(),
        static_cast<double>(request.promptTokens),
        static_cast<double>(request.outputTokens),
        static_cast<double>(m_previousSplit),
        m_view.edgeQueue->GetBacklog().GetSeconds(),
        static_cast<double>(link.servingCell),
    };
}

Ptr<OpenGymDataContainer>
DecisionEnv::GetObservation()
{
    const std::vector<uint32_t> shape{static_cast<uint32_t>(FEATURES.size())};
    auto box = CreateObject<OpenGymBoxContainer<double>>(shape);
    box->SetData(Features());
    return box;
}

float
DecisionEnv::GetReward()
{
    if (!m_hasRecord)
    {
        return 0;
    }
    // What the network alone can tell: how late, how lossy, and whether it came at all. The reward
    // with the language model's quality in it is made on the agent's side.
    const auto& record = m_view.recorder->Current();
    const double late = record.latencyS / m_config.arrivals.deadlineS;
    return static_cast<float>(-late - record.Loss() - (record.failed ? 1.0 : 0.0));
}

std::string
DecisionEnv::GetExtraInfo()
{
    const auto position = m_view.ueMobility->GetPosition();
    nlohmann::json info{
        {"sim_time_s", Simulator::Now().GetSeconds()},
        {"features", FEATURES},
        {"request", m_current},
        {"position_m", {position.x, position.y, position.z}},
    };
    if (m_hasRecord)
    {
        info["record"] = ToJson(m_view.recorder->Current());
    }
    return info.dump();
}

bool
DecisionEnv::ExecuteActions(Ptr<OpenGymDataContainer> action)
{
    auto discrete = DynamicCast<OpenGymDiscreteContainer>(action);
    return discrete && Play(discrete->GetValue());
}

bool
DecisionEnv::Play(uint32_t action)
{
    if (action >= CountActions())
    {
        return false;
    }
    const auto splits = static_cast<uint32_t>(m_config.compute.splits.size());
    // Split-major would change what an index means when a codec is added; codec-major does not.
    const uint32_t split = m_config.compute.splits[action % splits];
    const uint32_t codec = action / splits;
    OpenWindow();
    m_view.ue->StartRequest(m_current,
                            m_requests[m_current],
                            action,
                            split,
                            codec,
                            m_config.codecs[codec],
                            m_config.arrivals.deadlineS);
    m_previousSplit = split;
    return true;
}

void
DecisionEnv::OpenWindow()
{
    m_hasRecord = false;
    m_energyAtOpenJ = m_view.link->GetRadioEnergyAboveIdleJ();
    // A microsecond past the deadline: the request's own deadline event comes first.
    Simulator::Schedule(Seconds(m_config.arrivals.deadlineS) + MicroSeconds(1),
                        &DecisionEnv::CloseWindow,
                        this);
}

void
DecisionEnv::CloseWindow()
{
    auto& record = m_view.recorder->Current();
    record.ueRadioEnergyJ = m_view.link->GetRadioEnergyAboveIdleJ() - m_energyAtOpenJ;
    m_hasRecord = true;
    Learn();
}

void
DecisionEnv::Learn()
{
    const auto& record = m_view.recorder->Current();
    if (record.uplinkPackets == 0)
    {
        return;
    }
    uint32_t arrived = 0;
    double delayS = 0;
    for (const auto delay : record.delayS)
    {
        if (!std::isnan(delay))
        {
            arrived++;
            delayS += delay;
        }
    }
    m_experience.any = true;
    m_experience.atS = record.arrivalS;
    m_experience.loss = record.Loss();
    // Nothing arrived: the delay is at least the window.
    m_experience.delayS = arrived ? delayS / arrived : m_config.arrivals.deadlineS;
}

} // namespace splitsim
