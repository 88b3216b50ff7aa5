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

#include "ns3/mobility-model.h"
#include "ns3/node-container.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace splitsim
{

/** Makes a UE's mobility. @param ue index of the UE, the agent's is 0. @return it; null: the scenario file's */
using MakeMobility = std::function<ns3::Ptr<ns3::MobilityModel>(uint32_t ue)>;

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
     * @param makeMobility instead of the scenario file's mobility; called once for each UE, in an
     *        ExogenousScope
     */
    World(const ScenarioConfig& config,
          uint32_t seed,
          uint32_t replicate,
          Extent extent = Extent::WHOLE,
          const MakeMobility& makeMobility = nullptr);

    /** @return what the agent decides about */
    AgentView GetAgentView() const;
    /** @return when the agent's last request is over, in seconds */
    double GetEndS() const;
    /** @return all UEs, the agent's first */
    ns3::NodeContainer GetUes() const;
    /** @return the radio */
    ns3::Ptr<Link> GetLink() const;

  private:
    void BuildUes(const ScenarioConfig& config, uint64_t seed, const MakeMobility& makeMobility);
    void BuildLink(const ScenarioConfig& config, uint64_t seed);
    void InstallApplications(const ScenarioConfig& config, uint64_t seed);
    void InstallPeer(const ScenarioConfig& config,
                     const PeersConfig& peers,
                     uint32_t ue,
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

/**
 * Makes a UE that is not the agent's run split inference by itself: its requests come as the seed says,
 * while it is there, until the agent's last one is over.
 *
 * @param application as SplitInferenceHelper::Install returned it
 * @param ue index of the UE; each has arrivals of its own
 * @param split blocks on the UE, the same for every request
 * @param config the scenario
 * @param seed the episode's seed
 */
void ScheduleRequests(ns3::Ptr<SplitInferenceUe> application,
                      uint32_t ue,
                      uint32_t split,
                      const ScenarioConfig& config,
                      uint64_t seed);

} // namespace splitsim

#endif // SPLITSIM_WORLD_H
