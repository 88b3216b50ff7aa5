/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "traffic.h"

#include "../scenario/exogenous.h"
#include "video-source.h"

#include "ns3/bulk-send-helper.h"
#include "ns3/config.h"
#include "ns3/data-rate.h"
#include "ns3/double.h"
#include "ns3/inet-socket-address.h"
#include "ns3/on-off-helper.h"
#include "ns3/onoff-application.h"
#include "ns3/packet-sink-helper.h"
#include "ns3/pointer.h"
#include "ns3/random-variable-stream.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <functional>
#include <map>
#include <string>

namespace splitsim
{

using namespace ns3;

namespace
{

/// The receiver of UE i's stream listens on this port and i more.
constexpr uint16_t FIRST_SINK_PORT = 10000;
/// Families of counter-based numbers, as in scenario/exogenous.cc.
constexpr uint64_t JOBS_STREAM = 3;
constexpr uint64_t PHASE_STREAM = 7;
/// An Ethernet frame's worth, where ns-3's default is the internet's minimum of 536.
constexpr uint32_t TCP_SEGMENT_BYTES = 1448;

PointerValue
Exponential(double meanS)
{
    auto variable = CreateObject<ExponentialRandomVariable>();
    variable->SetAttribute("Mean", DoubleValue(meanS));
    return PointerValue(variable);
}

double
RateBps(const TrafficConfig& config)
{
    return config.rateKbps * 1000;
}

/// How long after the stream's start its first packet goes: periodic ones don't send in step.
double
StartDelayS(const TrafficConfig& config, const TrafficContext& context)
{
    const double share = CounterRandom(context.seed, PHASE_STREAM).Uniform(context.ue);
    if (config.kind == "video")
    {
        return share / config.framesPerS;
    }
    return config.kind == "cbr" ? share * 8 * config.packetBytes / RateBps(config) : 0;
}

OnOffHelper
ConstantRate(const TrafficConfig& config, const std::string& sockets, const Address& to)
{
    OnOffHelper source(sockets, to);
    source.SetConstantRate(DataRate(static_cast<uint64_t>(RateBps(config))), config.packetBytes);
    return source;
}

Ptr<Application>
MakeCbr(const TrafficConfig& config,
        const TrafficContext& /* context */,
        Ptr<Node> from,
        const InetSocketAddress& to)
{
    return ConstantRate(config, "ns3::UdpSocketFactory", to).Install(from).Get(0);
}

Ptr<Application>
MakeOnOff(const TrafficConfig& config,
          const TrafficContext& /* context */,
          Ptr<Node> from,
          const InetSocketAddress& to)
{
    auto source = ConstantRate(config, "ns3::UdpSocketFactory", to);
    source.SetAttribute("OnTime", Exponential(config.onS));
    source.SetAttribute("OffTime", Exponential(config.offS));
    return source.Install(from).Get(0);
}

Ptr<Application>
MakeVideo(const TrafficConfig& config,
          const TrafficContext& context,
          Ptr<Node> from,
          const InetSocketAddress& to)
{
    auto source = CreateObject<VideoSource>();
    source->Configure(to,
                      config.framesPerS,
                      RateBps(config) / 8 / config.framesPerS,
                      config.packetBytes,
                      CounterRandom(context.seed, PHASE_STREAM).Bits(context.ue));
    from->AddApplication(source);
    return source;
}

Ptr<Application>
MakeTcp(const TrafficConfig& config,
        const TrafficContext& /* context */,
        Ptr<Node> from,
        const InetSocketAddress& to)
{
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(TCP_SEGMENT_BYTES));
    if (config.rateKbps > 0)
    {
        return ConstantRate(config, "ns3::TcpSocketFactory", to).Install(from).Get(0);
    }
    BulkSendHelper source("ns3::TcpSocketFactory", to);
    return source.Install(from).Get(0);
}

} // namespace

Ptr<PacketSink>
InstallTraffic(const TrafficConfig& config,
               const TrafficEnd& ue,
               const TrafficEnd& edge,
               const TrafficContext& context)
{
    using Make = std::function<Ptr<Application>(const TrafficConfig&,
                                                const TrafficContext&,
                                                Ptr<Node>,
                                                const InetSocketAddress&)>;
    static const std::map<std::string, Make> makers{
        {"cbr", MakeCbr},
        {"on-off", MakeOnOff},
        {"video", MakeVideo},
        {"tcp", MakeTcp},
    };
    const auto port = static_cast<uint16_t>(FIRST_SINK_PORT + context.ue);
    const auto& from = config.uplink ? ue : edge;
    const auto& to = config.uplink ? edge : ue;
    const std::string sockets =
        config.kind == "tcp" ? "ns3::TcpSocketFactory" : "ns3::UdpSocketFactory";
    PacketSinkHelper sink(sockets, InetSocketAddress(Ipv4Address::GetAny(), port));
    const auto receiver = sink.Install(to.node).Get(0);
    const double startS = context.when.fromS + StartDelayS(config, context);
    if (startS < context.when.untilS)
    {
        const auto source =
            makers.at(config.kind)(config, context, from.node, InetSocketAddress(to.address, port));
        // Nothing else that is sent draws from ns-3's own streams.
        if (const auto onOff = DynamicCast<OnOffApplication>(source))
        {
            onOff->AssignStreams(context.stream);
        }
        source->SetStartTime(Seconds(startS));
        source->SetStopTime(Seconds(context.when.untilS));
    }
    return DynamicCast<PacketSink>(receiver);
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
