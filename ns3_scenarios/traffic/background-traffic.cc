/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "background-traffic.h"

#include "../mobility/mobility-builder.h"

#include "ns3/data-rate.h"
#include "ns3/inet-socket-address.h"
#include "ns3/on-off-helper.h"
#include "ns3/packet-sink-helper.h"
#include "ns3/simulator.h"
#include "ns3/string.h"

#include <cmath>

namespace splitsim
{

using namespace ns3;

namespace
{

constexpr uint16_t SINK_PORT = 9;
/// Families of counter-based numbers, as in scenario/exogenous.cc.
constexpr uint64_t PLACEMENT_STREAM = 2;
constexpr uint64_t JOBS_STREAM = 3;

} // namespace

void
PlaceBackgroundStations(const BackgroundConfig& config,
                        const Position& center,
                        const NodeContainer& stations,
                        uint64_t seed)
{
    CounterRandom random(seed, PLACEMENT_STREAM);
    for (uint32_t i = 0; i < stations.GetN(); i++)
    {
        const double span = config.distanceM.high - config.distanceM.low;
        const double distanceM = config.distanceM.low + span * random.Uniform(2 * i);
        const double angle = 2 * M_PI * random.Uniform(2 * i + 1);
        InstallFixed(stations.Get(i),
                     {center.xM + distanceM * std::cos(angle),
                      center.yM + distanceM * std::sin(angle),
                      1.5});
    }
}

void
InstallBackgroundTraffic(const BackgroundConfig& config,
                         const NodeContainer& stations,
                         Ptr<Node> server,
                         Ipv4Address serverAddress,
                         double startS,
                         int64_t stream)
{
    if (stations.GetN() == 0 || config.rateKbps <= 0)
    {
        return;
    }
    PacketSinkHelper sink("ns3::UdpSocketFactory",
                          InetSocketAddress(Ipv4Address::GetAny(), SINK_PORT));
    sink.Install(server).Start(Seconds(0));
    OnOffHelper source("ns3::UdpSocketFactory", InetSocketAddress(serverAddress, SINK_PORT));
    source.SetConstantRate(DataRate(static_cast<uint64_t>(config.rateKbps * 1000)),
                           config.packetBytes);
    source.SetAttribute("OnTime", StringValue("ns3::ExponentialRandomVariable[Mean=1]"));
    source.SetAttribute("OffTime", StringValue("ns3::ExponentialRandomVariable[Mean=1]"));
    auto applications = source.Install(stations);
    applications.Start(Seconds(startS));
    source.AssignStreams(stations, stream);
}

void
ScheduleBackgroundJobs(const ComputeConfig& config,
                       Ptr<ComputeQueue> queue,
                       double endS,
                       uint64_t seed)
{
    if (config.backgroundJobsPerS <= 0)
    {
        return;
    }
    CounterRandom random(seed, JOBS_STREAM);
    double atS = 0;
    for (uint64_t i = 0;; i++)
    {
        atS += random.Exponential(2 * i, 1.0 / config.backgroundJobsPerS);
        if (atS > endS)
        {
            return;
        }
        const Time service = Seconds(random.Exponential(2 * i + 1, config.backgroundJobS));
        Simulator::Schedule(Seconds(atS), [queue, service] { queue->Submit(service, {}); });
    }
}

} // namespace splitsim
