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
 * What must not depend on the agent or on the replicate (mobility, the traffic's on and off times) is
 * made under an ExogenousScope; everything else (backoff, rate control) belongs to the replicate.
 */
class World
{
  public:
    /** How much of the scenario there is. */
    enum class Extent
    {
        WHOLE,
        CELL, ///< UEs, link and streams: neither split inference nor what observes the link for it
    };

    /**
     * @param config the scenario
     * @param seed the episode's seed
     * @param replicate which draw of the MAC's random numbers
     * @param extent how much of it
     */
    World(const ScenarioConfig& config,
          uint32_t seed,
          uint32_t replicate,
          Extent extent = Extent::WHOLE);

    /** @return what the agent decides about */
    AgentView GetAgentView() const;
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

    Extent m_extent;
    double m_endS;
    ns3::NodeContainer m_ues;
    ns3::NodeContainer m_edge;
    std::shared_ptr<const Environment> m_environment;
    ns3::Ptr<Link> m_link;
    SplitInferenceHelper m_inference;
    ns3::Ptr<SplitInferenceUe> m_agent;
};

} // namespace splitsim

#endif // SPLITSIM_WORLD_H
