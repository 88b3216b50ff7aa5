/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * `link.technology: replay`: each UE behind a link that does what a recorded one did.
 */
#include "../scenario/exogenous.h"
#include "backhaul.h"
#include "replay-net-device.h"
#include "signal-window.h"

#include "ns3/drop-tail-queue.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/mac48-address.h"
#include "ns3/queue-size.h"
#include "ns3/simulator.h"
#include "ns3/traffic-control-helper.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace splitsim
{

using namespace ns3;

namespace
{

/** What the UE's modem reported while the trace was recorded. */
struct Signals
{
    std::vector<double> timesS; ///< increasing, within the uplink trace; empty when it has none
    std::vector<double> snrDb;  ///< this and the others: one for each time
    std::vector<double> rsrpDbm;
    std::vector<double> cqi;
};

/** What the UE's radio takes above idle. */
struct ReplayEnergyConfig
{
    double powerW{0}; ///< while a packet is being sent or received
    double uplinkJPerByte{0};
    double downlinkJPerByte{0};
};

/** One direction, its begin not chosen yet. */
struct Direction
{
    std::vector<ReplayStep> steps;
    Time duration;
};

/** The `link` section of this technology. */
struct ReplayConfig
{
    Direction uplink;
    Direction downlink;
    Signals signals;
    Range offsetS; ///< the seed draws from it where in the traces a UE's time 0 is
    uint32_t queuePackets{0};
    BackhaulConfig backhaul;
    ReplayEnergyConfig energy;
};

/// Streams of the devices come first, those of the internet stacks so much later.
constexpr int64_t INTERNET_STREAM = 40000;
/// Counter-based numbers of this file.
constexpr uint64_t OFFSET_STREAM = 1100;
/// Over which a modem averages the rate that it reports.
constexpr double RATE_WINDOW_S = 1.0;

/// Bounds of what a trace may say, far beyond any link and within what ns-3 can count in nanoseconds.
constexpr double SHORTEST_S = 1e-3;
constexpr double LONGEST_S = 1e9;
constexpr double MOST_MBPS = 1e8;

bool
IsWithin(const std::vector<double>& values, double most)
{
    return std::all_of(values.begin(), values.end(), [most](double value) {
        return value >= 0 && value <= most;
    });
}

/** Reads a column of @p count values; a single one stands for all. */
std::vector<double>
ReadColumn(const Section& section, const std::string& key, std::size_t count)
{
    std::vector<double> values;
    section.Read(key, values);
    if (values.size() == 1)
    {
        values.resize(count, values.front());
    }
    section.Require(values.size() == count, key, "one number, or as many as t_s has");
    return values;
}

Direction
ReadDirection(const Section& section)
{
    Direction direction;
    double durationS = 0;
    section.Read("duration_s", durationS);
    section.Require(durationS >= SHORTEST_S && durationS <= LONGEST_S,
                    "duration_s",
                    "0.001 to 1e9");
    direction.duration = Seconds(durationS);
    std::vector<double> timesS;
    section.Read("t_s", timesS);
    section.Require(!timesS.empty() && timesS.front() == 0 && IsWithin(timesS, durationS),
                    "t_s",
                    "times from 0 to duration_s");
    const auto rates = ReadColumn(section, "rate_mbps", timesS.size());
    const auto delays = ReadColumn(section, "delay_s", timesS.size());
    const auto losses = ReadColumn(section, "loss", timesS.size());
    section.Require(IsWithin(rates, MOST_MBPS), "rate_mbps", "0 to 1e8");
    section.Require(IsWithin(delays, LONGEST_S), "delay_s", "0 to 1e9");
    section.Require(IsWithin(losses, 1), "loss", "0 to 1");
    Time last = Seconds(-1);
    for (std::size_t i = 0; i < timesS.size(); i++)
    {
        const auto start = Seconds(timesS[i]);
        section.Require(start > last, "t_s", "times that increase by a nanosecond or more");
        direction.steps.push_back({start,
                                   static_cast<uint64_t>(std::llround(rates[i] * 1e6)),
                                   Seconds(delays[i]),
                                   losses[i]});
        last = start;
    }
    section.Require(direction.duration > last, "duration_s", "after the last time");
    return direction;
}

Signals
ReadSignals(const Section& section, Time duration)
{
    Signals signals;
    section.Read("t_s", signals.timesS);
    const auto& timesS = signals.timesS;
    section.Require(IsWithin(timesS, duration.GetSeconds()) &&
                        std::adjacent_find(timesS.begin(), timesS.end(), std::greater_equal()) ==
                            timesS.end(),
                    "t_s",
                    "times that increase, within the uplink's trace");
    const auto count = timesS.size();
    signals.snrDb = ReadColumn(section, "snr_db", count);
    signals.rsrpDbm = ReadColumn(section, "rsrp_dbm", count);
    signals.cqi = ReadColumn(section, "cqi", count);
    return signals;
}

ReplayConfig
ReadReplay(const Section& section)
{
    ReplayConfig link;
    link.uplink = ReadDirection(section["uplink"]);
    link.downlink = section.Has("downlink") ? ReadDirection(section["downlink"]) : link.uplink;
    link.signals = ReadSignals(section["signals"], link.uplink.duration);
    section.Read("offset_s", link.offsetS);
    section.Require(link.offsetS.low >= 0 && link.offsetS.high <= LONGEST_S,
                    "offset_s",
                    "from 0 to 1e9");
    section.Read("queue_packets", link.queuePackets);
    section.Require(link.queuePackets > 0, "queue_packets", "1 or more");
    link.backhaul = ReadBackhaul(section["backhaul"]);
    const auto energy = section["radio_energy"];
    energy.Read("power_w", link.energy.powerW);
    energy.Read("uplink_j_per_byte", link.energy.uplinkJPerByte);
    energy.Read("downlink_j_per_byte", link.energy.downlinkJPerByte);
    return link;
}

} // namespace

/** The energy of a radio that takes a power while it is in use, and so much for each byte. */
class RadioMeter : public Object
{
  public:
    /** @param config what it takes */
    void Configure(const ReplayEnergyConfig& config)
    {
        m_config = config;
    }

    /** Counts what a device serves. @param device one end @param jPerByte of its direction */
    void Watch(Ptr<ReplayNetDevice> device, double jPerByte)
    {
        device->TraceConnectWithoutContext(
            "PhyTxBegin",
            Callback<void, Ptr<const Packet>>([this](Ptr<const Packet>) { Begin(); }));
        device->TraceConnectWithoutContext(
            "PhyTxEnd",
            Callback<void, Ptr<const Packet>>([this, jPerByte](Ptr<const Packet> packet) {
                m_bytesJ += jPerByte * packet->GetSize();
                End();
            }));
    }

    /** @return J since the start */
    double GetJ() const
    {
        const auto open = m_inUse > 0 ? Simulator::Now() - m_since : Time(0);
        return m_bytesJ + m_config.powerW * (m_used + open).GetSeconds();
    }

  private:
    void Begin()
    {
        if (m_inUse++ == 0)
        {
            m_since = Simulator::Now();
        }
    }

    void End()
    {
        if (--m_inUse == 0)
        {
            m_used += Simulator::Now() - m_since;
        }
    }

    ReplayEnergyConfig m_config;
    uint32_t m_inUse{0}; ///< directions that serve a packet
    Time m_since{0};
    Time m_used{0};
    double m_bytesJ{0};
};

/** The recorded link; the UEs' ends meet in a gateway, which has a wire to the edge. */
class ReplayLink : public Link
{
  public:
    explicit ReplayLink(ReplayConfig config);

    Ipv4Address GetEdgeAddress() const override;
    Ipv4Address GetUeAddress(uint32_t ue) const override;
    LinkState GetState() const override;
    uint32_t GetQueueDepth(uint32_t ue) const override;
    void SetRoomCallback(uint32_t ue, std::function<void()> onRoom) override;
    double GetRadioEnergyAboveIdleJ() const override;
    std::vector<Site> GetSites() const override;
    Reception GetReception(uint32_t site, Ptr<MobilityModel> where) const override;

  private:
    void DoBuild(const LinkContext& context) override;
    Ptr<ReplayNetDevice> MakeDevice(Ptr<Node> node,
                                    std::shared_ptr<const ReplayTrace> trace,
                                    const LinkContext& context) const;
    void BuildDevices(const LinkContext& context);
    void BuildAddresses(const LinkContext& context, const NetDeviceContainer& backhaul);
    double DrawOffsetS(const LinkContext& context, uint32_t ue) const;
    void BeginSignals(double offsetS, double endS);
    void NoteSignal(int64_t loop, std::size_t row, double offsetS, double endS);

    ReplayConfig m_config;
    Ptr<Node> m_gateway;
    std::vector<Ptr<ReplayNetDevice>> m_ueDevices;
    std::vector<Ptr<ReplayNetDevice>> m_gatewayDevices; ///< in the order of the UEs
    std::vector<Ipv4Address> m_ueAddresses;
    Ipv4Address m_edgeAddress;
    std::shared_ptr<const ReplayTrace> m_agentTrace; ///< the agent's uplink
    Ptr<RadioMeter> m_meter;
    SignalWindow m_signal;
    double m_cqi{0};
};

namespace
{

const LinkRegistration g_replay("replay", [](const Section& section) {
    return Create<ReplayLink>(ReadReplay(section));
});

} // namespace

ReplayLink::ReplayLink(ReplayConfig config)
    : m_config(std::move(config))
{
}

void
ReplayLink::DoBuild(const LinkContext& context)
{
    m_gateway = CreateObject<Node>();
    BuildDevices(context);
    const auto backhaul = BuildBackhaul(m_config.backhaul, m_gateway, context.edge, context.onDrop);
    NodeContainer all(context.ues, NodeContainer(m_gateway), NodeContainer(context.edge));
    InternetStackHelper internet;
    internet.SetIpv6StackInstall(false);
    internet.Install(all);
    internet.AssignStreams(all, context.stream + INTERNET_STREAM);
    BuildAddresses(context, backhaul);
    m_meter = CreateObject<RadioMeter>();
    m_meter->Configure(m_config.energy);
    m_meter->Watch(m_ueDevices.front(), m_config.energy.uplinkJPerByte);
    m_meter->Watch(m_gatewayDevices.front(), m_config.energy.downlinkJPerByte);
    BeginSignals(DrawOffsetS(context, 0), context.endS);
}

double
ReplayLink::DrawOffsetS(const LinkContext& context, uint32_t ue) const
{
    const auto share = CounterRandom(context.seed, OFFSET_STREAM).Uniform(ue);
    return m_config.offsetS.low + share * (m_config.offsetS.high - m_config.offsetS.low);
}

void
ReplayLink::BuildDevices(const LinkContext& context)
{
    auto stream = context.stream;
    for (uint32_t ue = 0; ue < context.ues.GetN(); ue++)
    {
        const auto offset = Seconds(DrawOffsetS(context, ue));
        const auto& [up, down] = std::tie(m_config.uplink, m_config.downlink);
        const auto uplink = std::make_shared<ReplayTrace>(up.steps, up.duration, offset);
        const auto downlink = std::make_shared<ReplayTrace>(down.steps, down.duration, offset);
        auto ours = MakeDevice(context.ues.Get(ue), uplink, context);
        auto theirs = MakeDevice(m_gateway, downlink, context);
        ours->SetPeer(theirs);
        theirs->SetPeer(ours);
        stream += ours->AssignStreams(stream);
        stream += theirs->AssignStreams(stream);
        m_ueDevices.push_back(ours);
        m_gatewayDevices.push_back(theirs);
        m_agentTrace = ue == 0 ? uplink : m_agentTrace;
    }
}

Ptr<ReplayNetDevice>
ReplayLink::MakeDevice(Ptr<Node> node,
                       std::shared_ptr<const ReplayTrace> trace,
                       const LinkContext& context) const
{
    auto queue = CreateObject<DropTailQueue<Packet>>();
    queue->SetMaxSize(QueueSize(QueueSizeUnit::PACKETS, m_config.queuePackets));
    auto device = CreateObject<ReplayNetDevice>();
    device->SetAddress(Mac48Address::Allocate());
    device->SetQueue(queue);
    device->SetTrace(std::move(trace));
    node->AddDevice(device);
    const auto onDrop = context.onDrop;
    queue->TraceConnectWithoutContext(
        "Drop",
        Callback<void, Ptr<const Packet>>([onDrop](Ptr<const Packet> packet) {
            NoteDrop(onDrop, packet, Outcome::DROPPED_QUEUE);
        }));
    device->TraceConnectWithoutContext(
        "PhyTxDrop",
        Callback<void, Ptr<const Packet>>(
            [onDrop](Ptr<const Packet> packet) { NoteDrop(onDrop, packet, Outcome::LOST_RADIO); }));
    return device;
}

void
ReplayLink::BuildAddresses(const LinkContext& context, const NetDeviceContainer& backhaul)
{
    Ipv4AddressHelper addresses;
    addresses.SetBase("10.1.0.0", "255.255.255.252");
    Ipv4StaticRoutingHelper routing;
    for (uint32_t ue = 0; ue < context.ues.GetN(); ue++)
    {
        // The device's own queue is the only one: without a NetDeviceQueueInterface ns-3 puts no
        // queue disc before it.
        NetDeviceContainer ends(m_gatewayDevices[ue]);
        ends.Add(m_ueDevices[ue]);
        const auto interfaces = addresses.Assign(ends);
        m_ueAddresses.push_back(interfaces.GetAddress(1));
        routing.GetStaticRouting(context.ues.Get(ue)->GetObject<Ipv4>())
            ->SetDefaultRoute(interfaces.GetAddress(0), interfaces.Get(1).second);
        addresses.NewNetwork();
    }
    addresses.SetBase("10.2.0.0", "255.255.255.252");
    const auto wired = addresses.Assign(backhaul);
    m_edgeAddress = wired.GetAddress(1);
    routing.GetStaticRouting(context.edge->GetObject<Ipv4>())
        ->SetDefaultRoute(wired.GetAddress(0), wired.Get(1).second);
    TrafficControlHelper().Uninstall(backhaul);
}

void
ReplayLink::BeginSignals(double offsetS, double endS)
{
    const auto& timesS = m_config.signals.timesS;
    if (timesS.empty())
    {
        return;
    }
    const double durationS = m_config.uplink.duration.GetSeconds();
    const auto loop = static_cast<int64_t>(offsetS / durationS);
    const double insideS = offsetS - loop * durationS;
    const auto after = std::upper_bound(timesS.begin(), timesS.end(), insideS);
    // What the UE knew last when its time begins.
    if (after == timesS.begin())
    {
        NoteSignal(loop - 1, timesS.size() - 1, offsetS, endS);
    }
    else
    {
        NoteSignal(loop, after - timesS.begin() - 1, offsetS, endS);
    }
}

void
ReplayLink::NoteSignal(int64_t loop, std::size_t row, double offsetS, double endS)
{
    const auto& signals = m_config.signals;
    m_signal.Note(signals.snrDb[row], signals.rsrpDbm[row]);
    m_cqi = signals.cqi[row];
    if (++row == signals.timesS.size())
    {
        row = 0;
        loop++;
    }
    const double nextS =
        loop * m_config.uplink.duration.GetSeconds() + signals.timesS[row] - offsetS;
    if (nextS <= endS)
    {
        const auto wait = std::max(Time(0), Seconds(nextS) - Simulator::Now());
        Simulator::Schedule(wait, &ReplayLink::NoteSignal, this, loop, row, offsetS, endS);
    }
}

Ipv4Address
ReplayLink::GetEdgeAddress() const
{
    return m_edgeAddress;
}

Ipv4Address
ReplayLink::GetUeAddress(uint32_t ue) const
{
    return m_ueAddresses.at(ue);
}

LinkState
ReplayLink::GetState() const
{
    LinkState state;
    m_signal.Describe(state);
    state.mcs = m_cqi;
    const auto now = Simulator::Now();
    state.handoverAgeS = now.GetSeconds();
    const auto from = std::max(Time(0), now - Seconds(RATE_WINDOW_S));
    state.phyRateMbps =
        now > from ? m_agentTrace->MeanRateMbps(from, now) : m_agentTrace->At(now).rateBps / 1e6;
    state.servingCell = state.phyRateMbps > 0 ? 0 : -1;
    state.queueDepth = GetQueueDepth(0);
    return state;
}

uint32_t
ReplayLink::GetQueueDepth(uint32_t ue) const
{
    return m_ueDevices.at(ue)->GetQueue()->GetNPackets();
}

void
ReplayLink::SetRoomCallback(uint32_t ue, std::function<void()> onRoom)
{
    m_ueDevices.at(ue)->GetQueue()->TraceConnectWithoutContext(
        "Dequeue",
        Callback<void, Ptr<const Packet>>([onRoom](Ptr<const Packet>) { onRoom(); }));
}

double
ReplayLink::GetRadioEnergyAboveIdleJ() const
{
    return m_meter->GetJ();
}

std::vector<Site>
ReplayLink::GetSites() const
{
    return {};
}

Reception
ReplayLink::GetReception(uint32_t /* site */, Ptr<MobilityModel> /* where */) const
{
    // A recorded link knows when, not where.
    LinkState state;
    m_signal.Describe(state);
    return {state.rsrpDbm, state.snrDb, m_agentTrace->At(Simulator::Now()).rateBps / 1e6};
}

} // namespace splitsim
