/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "traffic.h"

#include "../scenario/exogenous.h"

#include "ns3/data-rate.h"
#include "ns3/double.h"
#include "ns3/inet-socket-address.h"
#include "ns3/on-off-helper.h"
#include "ns3/packet-sink-helper.h"
#include "ns3/pointer.h"
#include "ns3/random-variable-stream.h"
#include "ns3/simulator.h"

namespace splitsim
{

using namespace ns3;

namespace
{

/// The receiver of UE i's stream listens on this port and i more.
constexpr uint16_t FIRST_SINK_PORT = 10000;
/// Families of counter-based numbers, as in scenario/exogenous.cc.
constexpr uint64_t JOBS_STREAM = 3;

PointerValue
Exponential(double meanS)
{
    auto variable = CreateObject<ExponentialRandomVariable>();
    variable->SetAttribute("Mean", DoubleValue(meanS));
    return PointerValue(variable);
}

} // namespace

void
InstallTraffic(const TrafficConfig& config,
               const TrafficEnd& ue,
               const TrafficEnd& edge,
               uint32_t index,
               double startS,
               int64_t stream)
{
    const auto port = static_cast<uint16_t>(FIRST_SINK_PORT + index);
    const auto& from = config.uplink ? ue : edge;
    const auto& to = config.uplink ? edge : ue;
    PacketSinkHelper sink("ns3::UdpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), port));
    sink.Install(to.node).Start(Seconds(0));
    OnOffHelper source("ns3::UdpSocketFactory", InetSocketAddress(to.address, port));
    source.SetConstantRate(DataRate(static_cast<uint64_t>(config.rateKbps * 1000)),
                           config.packetBytes);
    if (config.kind == "on-off")
    {
        source.SetAttribute("OnTime", Exponential(config.onS));
        source.SetAttribute("OffTime", Exponential(config.offS));
    }
    auto applications = source.Install(from.node);
    applications.Start(Seconds(startS));
    applications.Get(0)->AssignStreams(stream);
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
