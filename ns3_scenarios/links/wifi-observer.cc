/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "wifi-observer.h"

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

NS_OBJECT_ENSURE_REGISTERED(WifiObserver);

namespace
{

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
WifiObserver::GetTypeId()
{
    static TypeId tid =
        TypeId("splitsim::WifiObserver").SetParent<Object>().SetGroupName("Splitsim");
    return tid;
}

WifiObserver::WifiObserver() = default;

void
WifiObserver::Attach(Ptr<WifiNetDevice> ue)
{
    m_ue = ue;
    PointerValue txop;
    ue->GetMac()->GetAttribute("BE_Txop", txop);
    m_queue = txop.Get<QosTxop>()->GetWifiMacQueue();
    m_queue->TraceConnectWithoutContext("Dequeue",
                                        MakeCallback(&WifiObserver::HandleDequeue, this));
    ue->GetPhy()->TraceConnectWithoutContext("MonitorSnifferRx",
                                             MakeCallback(&WifiObserver::HandleFrame, this));
    ue->GetPhy()->TraceConnectWithoutContext("MonitorSnifferTx",
                                             MakeCallback(&WifiObserver::HandleSent, this));
}

void
WifiObserver::SetRoomCallback(std::function<void()> onRoom)
{
    m_onRoom = std::move(onRoom);
}

void
WifiObserver::HandleFrame(Ptr<const Packet> packet,
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
    m_signal.Note(signalNoise.signal - signalNoise.noise, signalNoise.signal);
}

void
WifiObserver::HandleSent(Ptr<const Packet> packet,
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
WifiObserver::HandleDequeue(Ptr<const WifiMpdu> /* mpdu */)
{
    if (m_onRoom)
    {
        m_onRoom();
    }
}

uint32_t
WifiObserver::GetQueueDepth() const
{
    // ns-3 removes what is too old when it next serves the queue, which without association is never.
    m_queue->WipeAllExpiredMpdus();
    return m_queue->GetNPackets();
}

LinkState
WifiObserver::GetState() const
{
    LinkState state;
    state.queueDepth = GetQueueDepth();
    state.phyRateMbps = m_phyRateMbps;
    state.handoverAgeS = Simulator::Now().GetSeconds();
    m_signal.Describe(state);
    bool associated = DynamicCast<StaWifiMac>(m_ue->GetMac())->IsAssociated();
#if SPLITSIM_NS3_MINOR < 44
    // There a station never gives its access point up (see wifi-link.cc); ten beacons missed is
    // when newer ones do.
    associated = associated && state.snrAgeS < 1.024;
#endif
    state.servingCell = associated ? 0 : -1;
    return state;
}

} // namespace splitsim
