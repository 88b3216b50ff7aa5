/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "link-observer.h"

#include "../inference/model/fragment.h"

#include "ns3/pointer.h"
#include "ns3/qos-txop.h"
#include "ns3/simulator.h"
#include "ns3/sta-wifi-mac.h"
#include "ns3/traffic-control-layer.h"
#include "ns3/wifi-mac-header.h"
#include "ns3/wifi-mpdu.h"

#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(LinkObserver);

namespace
{

/// Beacons of this long are averaged: about ten of them, enough to see through block fading.
constexpr double WINDOW_S = 1.0;

bool
IsBeacon(Ptr<const Packet> packet)
{
    WifiMacHeader header;
    packet->PeekHeader(header);
    return header.IsBeacon();
}

bool
IsData(Ptr<const Packet> packet)
{
    WifiMacHeader header;
    packet->PeekHeader(header);
    return header.IsData() && header.HasData();
}

} // namespace

TypeId
LinkObserver::GetTypeId()
{
    static TypeId tid =
        TypeId("splitsim::LinkObserver").SetParent<Object>().SetGroupName("Splitsim");
    return tid;
}

LinkObserver::LinkObserver() = default;

void
LinkObserver::Attach(Ptr<WifiNetDevice> ue, Ptr<WifiNetDevice> ap, Ptr<DeliveryRecorder> recorder)
{
    m_ue = ue;
    m_recorder = recorder;
    PointerValue txop;
    ue->GetMac()->GetAttribute("BE_Txop", txop);
    m_queue = txop.Get<QosTxop>()->GetWifiMacQueue();
    m_queue->TraceConnectWithoutContext("Dequeue",
                                        MakeCallback(&LinkObserver::HandleDequeue, this));
    ue->GetPhy()->TraceConnectWithoutContext("MonitorSnifferRx",
                                             MakeCallback(&LinkObserver::HandleFrame, this));
    ue->GetPhy()->TraceConnectWithoutContext("MonitorSnifferTx",
                                             MakeCallback(&LinkObserver::HandleSent, this));
    // What the access point hears from a station that it doesn't hold for associated.
    ap->GetMac()->TraceConnectWithoutContext("MacRxDrop",
                                             MakeCallback(&LinkObserver::HandleRefused, this));
    WatchDrops(ue);
    WatchDrops(ap);
}

void
LinkObserver::WatchDrops(Ptr<WifiNetDevice> device)
{
    auto mac = device->GetMac();
    mac->TraceConnectWithoutContext("DroppedMpdu",
                                    MakeCallback(&LinkObserver::HandleDroppedMpdu, this));
    // A station that isn't associated refuses the packet here.
    mac->TraceConnectWithoutContext("MacTxDrop", MakeCallback(&LinkObserver::HandleRefused, this));
}

void
LinkObserver::SetRoomCallback(std::function<void()> onRoom)
{
    m_onRoom = std::move(onRoom);
}

void
LinkObserver::HandleFrame(Ptr<const Packet> packet,
                          uint16_t /* frequencyMhz */,
                          WifiTxVector /* txVector */,
                          MpduInfo mpdu,
                          SignalNoiseDbm signalNoise,
                          uint16_t /* staId */)
{
    // A packet of an A-MPDU begins with a delimiter, not with a MAC header; a beacon is never in one.
    if (mpdu.type != NORMAL_MPDU || !IsBeacon(packet))
    {
        return;
    }
    const double nowS = Simulator::Now().GetSeconds();
    m_beacons.push_back({nowS, signalNoise.signal - signalNoise.noise});
    // The newest stays however old it gets: it is the last that the UE knows.
    while (m_beacons.size() > 1 && m_beacons.front().timeS < nowS - WINDOW_S)
    {
        m_beacons.pop_front();
    }
}

void
LinkObserver::HandleSent(Ptr<const Packet> packet,
                         uint16_t /* frequencyMhz */,
                         WifiTxVector txVector,
                         MpduInfo mpdu,
                         uint16_t /* staId */)
{
    // Only data is aggregated here.
    if (mpdu.type != NORMAL_MPDU || IsData(packet))
    {
        m_phyRateMbps = txVector.GetMode().GetDataRate(txVector) / 1e6;
    }
}

void
LinkObserver::HandleDroppedMpdu(WifiMacDropReason reason, Ptr<const WifiMpdu> mpdu)
{
    const bool queue =
        reason == WIFI_MAC_DROP_FAILED_ENQUEUE || reason == WIFI_MAC_DROP_EXPIRED_LIFETIME;
    NoteDrop(mpdu->GetPacket(), queue ? Outcome::DROPPED_QUEUE : Outcome::LOST_RADIO);
}

void
LinkObserver::HandleRefused(Ptr<const Packet> packet)
{
    NoteDrop(packet, Outcome::LOST_RADIO);
}

void
LinkObserver::HandleDequeue(Ptr<const WifiMpdu> /* mpdu */)
{
    if (m_onRoom)
    {
        m_onRoom();
    }
}

void
LinkObserver::NoteDrop(Ptr<const Packet> packet, Outcome cause) const
{
    FragmentTag tag;
    if (packet->FindFirstMatchingByteTag(tag))
    {
        m_recorder->NoteDropped(tag.request, tag.index, tag.downlink, cause);
    }
}

uint32_t
LinkObserver::GetQueueDepth() const
{
    // ns-3 removes what is too old when it next serves the queue, which without association is never.
    m_queue->WipeAllExpiredMpdus();
    return m_queue->GetNPackets();
}

LinkState
LinkObserver::GetState() const
{
    LinkState state;
    state.queueDepth = GetQueueDepth();
    state.phyRateMbps = m_phyRateMbps;
    state.associated = DynamicCast<StaWifiMac>(m_ue->GetMac())->IsAssociated();
    const double nowS = Simulator::Now().GetSeconds();
    if (m_beacons.empty())
    {
        state.snrAgeS = nowS;
        return state;
    }
    state.snrAgeS = nowS - m_beacons.back().timeS;
#if SPLITSIM_NS3_MINOR < 44
    // There a station never gives its access point up (see wifi-link.cc); ten beacons missed is
    // when newer ones do.
    state.associated = state.associated && state.snrAgeS < 1.024;
#endif
    double meanTimeS = 0;
    for (const auto& beacon : m_beacons)
    {
        meanTimeS += beacon.timeS / m_beacons.size();
        state.snrDb += beacon.snrDb / m_beacons.size();
    }
    double covariance = 0;
    double variance = 0;
    for (const auto& beacon : m_beacons)
    {
        covariance += (beacon.timeS - meanTimeS) * (beacon.snrDb - state.snrDb);
        variance += (beacon.timeS - meanTimeS) * (beacon.timeS - meanTimeS);
    }
    state.snrTrendDbPerS = variance > 0 ? covariance / variance : 0;
    return state;
}

} // namespace splitsim
