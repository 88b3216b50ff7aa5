/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_WORLD_H
#define SPLITSIM_WORLD_H

#include "../inference/helper/split-inference-helper.h"
#include "../links/link.h"
#include "agent-view.h"
#include "exogenous.h"
#include "scenario-config.h"

#include "ns3/node-container.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace splitsim
{

/**
 * The simulated world of a scenario file: UEs that move, the link, the edge server, everyone's
 * applications.
 *
 * Two families of random numbers. What must not depend on the agent or on the replicate (mobility,
 * the traffic's on and off times) comes from ns-3 streams made under one fixed RngSeed with
 * RngRun = seed; everything else (backoff, rate control) under an RngSeed of the replicate.
 */
class World
{
  public:
    /**
     * @param config the scenario
     * @param seed the episode's seed, RngRun
     * @param replicate which draw of the MAC's random numbers
     */
    World(const ScenarioConfig& config, uint32_t seed, uint32_t replicate);

    /** @return what the agent decides about */
    AgentView GetAgentView() const;
    /** @return the agent's requests */
    const std::vector<Request>& GetRequests() const;
    /** @return when the agent's last request is over, in seconds */
    double GetEndS() const;
    /** @return all UEs, the agent's first */
    ns3::NodeContainer GetUes() const;
    /** @return the radio */
    ns3::Ptr<Link> GetLink() const;

  private:
    void BuildUes(const ScenarioConfig& config, uint64_t seed);
    void BuildLink(const ScenarioConfig& config, uint64_t seed);
    void InstallApplications(const ScenarioConfig& config, uint64_t seed);
    void InstallPeer(const ScenarioConfig& config,
                     const PeersConfig& peers,
                     uint32_t ue,
                     uint64_t seed);
    void ScheduleRequests(const ScenarioConfig& config,
                          uint32_t ue,
                          uint32_t split,
                          ns3::Ptr<SplitInferenceUe> application,
                          uint64_t seed);

    std::vector<Request> m_requests;
    double m_endS{0};
    ns3::NodeContainer m_ues;
    ns3::NodeContainer m_edge;
    std::shared_ptr<const Environment> m_environment;
    ns3::Ptr<Link> m_link;
    SplitInferenceHelper m_inference;
    ns3::Ptr<SplitInferenceUe> m_agent;
};

} // namespace splitsim

#endif // SPLITSIM_WORLD_H
