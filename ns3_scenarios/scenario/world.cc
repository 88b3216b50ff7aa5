/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "world.h"

#include "../links/environment.h"
#include "../mobility/mobility-builder.h"
#include "../traffic/traffic.h"

#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"

namespace splitsim
{

using namespace ns3;

namespace
{

/// RngSeed of everything that must not depend on the replicate.
constexpr uint32_t EXOGENOUS_SEED = 1;
/// RngSeed of replicate 0's MAC streams.
constexpr uint32_t FIRST_REPLICATE_SEED = 1000;

// Stream numbers, far enough apart for any number of UEs here.
constexpr int64_t MOBILITY_STREAM = 0;
constexpr int64_t OBSTACLE_STREAM = 50000;
constexpr int64_t TRAFFIC_STREAM = 100000;
constexpr int64_t LINK_STREAM = 200000;

} // namespace

World::World(const ScenarioConfig& config, uint32_t seed, uint32_t replicate)
    : m_requests(MakeRequests(config.arrivals, seed)),
      m_endS(m_requests.back().arrivalS + config.arrivals.deadlineS),
      m_inference(config.transport, config.compute)
{
    RngSeedManager::SetRun(seed);
    RngSeedManager::SetSeed(EXOGENOUS_SEED);
    BuildUes(config, seed);
    RngSeedManager::SetSeed(FIRST_REPLICATE_SEED + replicate);
    BuildLink(config, seed);
    RngSeedManager::SetSeed(EXOGENOUS_SEED);
    InstallApplications(config, seed);
    RngSeedManager::SetSeed(FIRST_REPLICATE_SEED + replicate);
}

void
World::BuildUes(const ScenarioConfig& config, uint64_t seed)
{
    m_ues.Create(config.CountUes());
    InstallMobility(config.mobility, m_ues.Get(0), {seed, 0, 0, MOBILITY_STREAM});
    uint32_t ue = 1;
    for (const auto& peers : config.others)
    {
        for (uint32_t member = 0; member < peers.count; member++, ue++)
        {
            InstallMobility(peers.mobility,
                            m_ues.Get(ue),
                            {seed, ue, member, MOBILITY_STREAM + ue * STREAMS_PER_MOVER});
        }
    }
    m_edge.Create(1);
    m_environment = MakeEnvironment(config.GetEnvironment(), seed, OBSTACLE_STREAM);
}

void
World::BuildLink(const ScenarioConfig& config, uint64_t seed)
{
    m_link = MakeLink(config.GetLink());
    m_link->Build({m_ues,
                   m_edge.Get(0),
                   m_environment,
                   seed,
                   LINK_STREAM,
                   m_endS,
                   m_inference.GetDropCallback()});
}

void
World::InstallApplications(const ScenarioConfig& config, uint64_t seed)
{
    m_agent = m_inference.Install(0, m_ues.Get(0), m_edge.Get(0), m_link);
    uint32_t ue = 1;
    for (const auto& peers : config.others)
    {
        for (uint32_t member = 0; member < peers.count; member++, ue++)
        {
            InstallPeer(config, peers, ue, seed);
        }
    }
    ScheduleBackgroundJobs(config.compute, m_inference.GetEdgeQueue(), m_endS, seed);
}

void
World::InstallPeer(const ScenarioConfig& config,
                   const PeersConfig& peers,
                   uint32_t ue,
                   uint64_t seed)
{
    if (peers.traffic)
    {
        InstallTraffic(*peers.traffic,
                       {m_ues.Get(ue), m_link->GetUeAddress(ue)},
                       {m_edge.Get(0), m_link->GetEdgeAddress()},
                       ue,
                       config.arrivals.startS / 2,
                       TRAFFIC_STREAM + ue * STREAMS_PER_TRAFFIC);
    }
    if (peers.split)
    {
        auto application = m_inference.Install(ue, m_ues.Get(ue), m_edge.Get(0), m_link);
        ScheduleRequests(config, ue, *peers.split, application, seed);
    }
}

void
World::ScheduleRequests(const ScenarioConfig& config,
                        uint32_t ue,
                        uint32_t split,
                        Ptr<SplitInferenceUe> application,
                        uint64_t seed)
{
    const auto node = m_ues.Get(ue);
    const auto codec = config.codecs.front();
    const auto deadlineS = config.arrivals.deadlineS;
    uint32_t index = 0;
    for (const auto& request : MakeRequests(config.arrivals, seed, ue))
    {
        if (request.arrivalS + deadlineS > m_endS)
        {
            return;
        }
        const auto start = [=] {
            if (IsPresent(node))
            {
                application->StartRequest(index, request, 0, split, 0, codec, deadlineS);
            }
        };
        Simulator::Schedule(Seconds(request.arrivalS), start);
        index++;
    }
}

AgentView
World::GetAgentView() const
{
    return {m_agent,
            m_inference.GetRecorder(0),
            m_link,
            m_inference.GetEdgeQueue(),
            m_ues.Get(0)->GetObject<MobilityModel>()};
}

const std::vector<Request>&
World::GetRequests() const
{
    return m_requests;
}

double
World::GetEndS() const
{
    return m_endS;
}

NodeContainer
World::GetUes() const
{
    return m_ues;
}

Ptr<Link>
World::GetLink() const
{
    return m_link;
}

} // namespace splitsim
