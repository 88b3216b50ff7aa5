/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "wifi-observer.h"

#include "ns3/ampdu-subframe-header.h"
#include "ns3/pointer.h"
#include "ns3/qos-txop.h"
#include "ns3/simulator.h"
#include "ns3/sta-wifi-mac.h"
#include "ns3/traffic-control-layer.h"
#include "ns3/wifi-mac-header.h"
#include "ns3/wifi-mpdu.h"

#include <algorithm>
#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(WifiObserver);

namespace
{

/// How long sent frames count in the share of repetitions.
constexpr double WINDOW_S = 1.0;

/// A packet of an A-MPDU begins with a delimiter, not with a MAC header.
WifiMacHeader
HeaderOf(Ptr<const Packet> packet, const MpduInfo& mpdu)
{
    WifiMacHeader header;
    if (mpdu.type == NORMAL_MPDU)
    {
        packet->PeekHeader(header);
        return header;
    }
    auto subframe = packet->Copy();
    AmpduSubframeHeader delimiter;
    subframe->RemoveHeader(delimiter);
    subframe->PeekHeader(header);
    return header;
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
WifiObserver::Attach(Ptr<WifiNetDevice> ue,
                     std::vector<Mac48Address> sites,
                     const SignalWindow::Missed& missed)
{
    m_ue = ue;
    m_sites = std::move(sites);
    m_signal.CountMissed(missed);
    ue->GetMac()->TraceConnectWithoutContext("Assoc",
                                             MakeCallback(&WifiObserver::HandleAssociation, this));
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
WifiObserver::Follow(std::shared_ptr<RadioEnergy> energy)
{
    m_energy = std::move(energy);
}

void
WifiObserver::SetRoomCallback(std::function<void()> onRoom)
{
    m_onRoom = std::move(onRoom);
}

void
WifiObserver::HandleAssociation(Mac48Address bssid)
{
    if (m_serving == bssid)
    {
        return;
    }
    if (m_serving)
    {
        m_handoverS = Simulator::Now().GetSeconds();
    }
    m_serving = bssid;
    m_signal.Clear();
}

void
WifiObserver::HandleFrame(Ptr<const Packet> packet,
                          uint16_t /* frequencyMhz */,
                          WifiTxVector /* txVector */,
                          MpduInfo mpdu,
                          SignalNoiseDbm signalNoise,
                          uint16_t /* staId */)
{
    // A beacon is never in an A-MPDU, and only a followed radio counts its data.
    if (mpdu.type != NORMAL_MPDU && !m_energy)
    {
        return;
    }
    const auto header = HeaderOf(packet, mpdu);
    if (m_energy && header.HasData() && header.GetAddr1() == m_ue->GetMac()->GetAddress())
    {
        m_energy->NoteData(0, packet->GetSize());
    }
    if (header.IsBeacon() && (!m_serving || header.GetAddr3() == *m_serving))
    {
        m_signal.Note(signalNoise.signal - signalNoise.noise, signalNoise.signal);
    }
}

void
WifiObserver::HandleSent(Ptr<const Packet> packet,
                         uint16_t /* frequencyMhz */,
                         WifiTxVector txVector,
                         MpduInfo mpdu,
                         uint16_t /* staId */)
{
    const auto header = HeaderOf(packet, mpdu);
    if (!header.IsData() || !header.HasData())
    {
        return;
    }
    if (m_energy)
    {
        m_energy->NoteData(packet->GetSize(), 0);
    }
    const auto mode = txVector.GetMode();
    m_phyRateMbps = mode.GetDataRate(txVector) / 1e6;
    m_mcs = mode.GetModulationClass() >= WIFI_MOD_CLASS_HT ? mode.GetMcsValue() : 0;
    const double nowS = Simulator::Now().GetSeconds();
    m_sent.push_back({nowS, header.IsRetry()});
    while (m_sent.front().timeS < nowS - WINDOW_S)
    {
        m_sent.pop_front();
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

double
WifiObserver::GetRetryShare() const
{
    const auto again =
        std::count_if(m_sent.begin(), m_sent.end(), [](const Sent& sent) { return sent.again; });
    return m_sent.empty() ? 0 : static_cast<double>(again) / m_sent.size();
}

int32_t
WifiObserver::GetServingCell(const LinkState& state) const
{
    bool associated = DynamicCast<StaWifiMac>(m_ue->GetMac())->IsAssociated();
#if SPLITSIM_NS3_MINOR < 44
    // There a station never gives its access point up (see wifi-link.cc); ten beacons missed is
    // when newer ones do.
    associated = associated && state.snrAgeS < 1.024;
#else
    (void)state;
#endif
    const auto found =
        associated ? std::find(m_sites.begin(), m_sites.end(), m_serving) : m_sites.end();
    return found == m_sites.end() ? -1 : static_cast<int32_t>(found - m_sites.begin());
}

LinkState
WifiObserver::GetState() const
{
    LinkState state;
    state.queueDepth = GetQueueDepth();
    state.phyRateMbps = m_phyRateMbps;
    state.mcs = m_mcs;
    state.retryShare = GetRetryShare();
    state.handoverAgeS = Simulator::Now().GetSeconds() - m_handoverS;
    m_signal.Describe(state);
    state.servingCell = GetServingCell(state);
    return state;
}

} // namespace splitsim
