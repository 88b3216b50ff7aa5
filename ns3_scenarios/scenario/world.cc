/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "world.h"

#include "../links/environment.h"
#include "../mobility/mobility-builder.h"
#include "../traffic/traffic.h"

#include "ns3/simulator.h"

#include <algorithm>

namespace splitsim
{

using namespace ns3;

namespace
{

// Stream numbers, far enough apart for any number of UEs here.
constexpr int64_t MOBILITY_STREAM = 0;
constexpr int64_t TRAFFIC_STREAM = 100000;
constexpr int64_t LINK_STREAM = 200000;

} // namespace

World::World(const ScenarioConfig& config,
             uint32_t seed,
             uint32_t replicate,
             Extent extent,
             const MakeMobility& makeMobility)
    : m_extent(extent),
      m_endS(EndOf(MakeRequests(config.arrivals, seed), config.arrivals)),
      m_inference(config.transport, config.compute)
{
    SeedEpisode(seed, replicate);
    BuildUes(config, seed, makeMobility);
    BuildLink(config, seed);
    InstallApplications(config, seed);
}

void
World::BuildUes(const ScenarioConfig& config, uint64_t seed, const MakeMobility& makeMobility)
{
    const ExogenousScope scope;
    m_ues.Create(config.CountUes());
    const auto move = [&](const MobilityConfig& mobility, uint32_t ue, uint32_t member) {
        const int64_t stream = MOBILITY_STREAM + ue * STREAMS_PER_MOVER;
        if (const auto own = makeMobility ? makeMobility(ue) : nullptr)
        {
            own->AssignStreams(stream);
            m_ues.Get(ue)->AggregateObject(own);
            return;
        }
        InstallMobility(mobility, m_ues.Get(ue), {seed, ue, member, stream});
    };
    move(config.mobility, 0, 0);
    uint32_t ue = 1;
    for (const auto& peers : config.others)
    {
        for (uint32_t member = 0; member < peers.count; member++, ue++)
        {
            move(peers.mobility, ue, member);
        }
    }
    m_edge.Create(1);
    m_environment = MakeEnvironment(config.GetEnvironment(), seed);
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
                   m_inference.GetDropCallback(),
                   m_extent == Extent::WHOLE});
}

void
World::InstallApplications(const ScenarioConfig& config, uint64_t seed)
{
    const ExogenousScope scope;
    if (m_extent == Extent::WHOLE)
    {
        m_agent = m_inference.Install(0, m_ues.Get(0), m_edge.Get(0), m_link);
        ScheduleBackgroundJobs(config.compute, m_inference.GetEdgeQueue(), m_endS, seed);
    }
    uint32_t ue = 1;
    for (const auto& peers : config.others)
    {
        for (uint32_t member = 0; member < peers.count; member++, ue++)
        {
            InstallPeer(config, peers, ue, seed);
        }
    }
}

void
World::InstallPeer(const ScenarioConfig& config,
                   const PeersConfig& peers,
                   uint32_t ue,
                   uint64_t seed)
{
    if (peers.traffic)
    {
        auto when = GetPresence(m_ues.Get(ue));
        when.fromS = std::max(when.fromS, config.arrivals.startS / 2);
        when.untilS = std::min(when.untilS, m_endS);
        InstallTraffic(*peers.traffic,
                       {m_ues.Get(ue), m_link->GetUeAddress(ue)},
                       {m_edge.Get(0), m_link->GetEdgeAddress()},
                       {ue, when, seed, TRAFFIC_STREAM + ue * STREAMS_PER_TRAFFIC});
    }
    if (peers.split && m_extent == Extent::WHOLE)
    {
        auto application = m_inference.Install(ue, m_ues.Get(ue), m_edge.Get(0), m_link);
        ScheduleRequests(application, ue, *peers.split, config, seed);
    }
}

void
ScheduleRequests(Ptr<SplitInferenceUe> application,
                 uint32_t ue,
                 uint32_t split,
                 const ScenarioConfig& config,
                 uint64_t seed)
{
    const double endS = EndOf(MakeRequests(config.arrivals, seed), config.arrivals);
    const auto codec = config.codecs.front();
    const auto deadlineS = config.arrivals.deadlineS;
    uint32_t index = 0;
    for (const auto& request : MakeRequests(config.arrivals, seed, ue))
    {
        if (request.arrivalS + deadlineS > endS)
        {
            return;
        }
        const auto start = [=] {
            if (IsPresent(application->GetNode()))
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
