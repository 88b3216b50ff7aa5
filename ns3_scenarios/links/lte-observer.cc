/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "lte-observer.h"

#include "backhaul.h"

#include "ns3/ipv4-l3-protocol.h"
#include "ns3/lte-enb-net-device.h"
#include "ns3/lte-enb-rrc.h"
#include "ns3/lte-radio-bearer-info.h"
#include "ns3/lte-rlc.h"
#include "ns3/lte-ue-component-carrier-manager.h"
#include "ns3/lte-ue-phy.h"
#include "ns3/node.h"
#include "ns3/object-map.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(LteObserver);

namespace
{

/// As far back as the share of repetitions looks.
constexpr auto WINDOW_S = 1.0;
/// One sample of the signal is noted in each.
constexpr int64_t SIGNAL_PERIOD_MS = 100;

/** @return the RLC entities behind an RRC's or a UE context's map of bearers */
std::vector<Ptr<LteRlc>>
GetRlcs(Ptr<Object> owner)
{
    ObjectMapValue bearers;
    owner->GetAttribute("DataRadioBearerMap", bearers);
    std::vector<Ptr<LteRlc>> rlcs;
    for (auto bearer = bearers.Begin(); bearer != bearers.End(); ++bearer)
    {
        rlcs.push_back(DynamicCast<LteRadioBearerInfo>(bearer->second)->m_rlc);
    }
    return rlcs;
}

} // namespace

TypeId
LteObserver::GetTypeId()
{
    static TypeId tid =
        TypeId("splitsim::LteObserver").SetParent<Object>().SetGroupName("Splitsim");
    return tid;
}

LteObserver::LteObserver() = default;

void
LteObserver::Attach(Ptr<LteUeNetDevice> ue, const NetDeviceContainer& sites, DropCallback onDrop)
{
    m_ue = ue;
    m_sites = sites;
    m_onDrop = std::move(onDrop);
    m_buffer =
        std::make_unique<LteBufferProbe>(ue->GetComponentCarrierManager()->GetLteMacSapProvider());
    m_buffer->SetSentCallback([this](uint32_t bytes) { HandleSent(bytes); });
    const auto rrc = ue->GetRrc();
    rrc->SetLteMacSapProvider(m_buffer.get());
    rrc->TraceConnectWithoutContext("DrbCreated", MakeCallback(&LteObserver::HandleBearer, this));
    rrc->TraceConnectWithoutContext("StateTransition",
                                    MakeCallback(&LteObserver::HandleRrcState, this));
    // Without a bearer ns-3 throws the packet away below IP, in silence.
    ue->GetNode()->GetObject<Ipv4L3Protocol>()->TraceConnectWithoutContext(
        "Tx",
        Callback<void, Ptr<const Packet>, Ptr<Ipv4>, uint32_t>(
            [this](Ptr<const Packet> packet, Ptr<Ipv4> /* ipv4 */, uint32_t /* interface */) {
                m_buffer->SetPacketBytes(packet->GetSize());
                if (!m_hasBearer)
                {
                    NoteDrop(m_onDrop, packet, Outcome::LOST_RADIO);
                }
            }));
}

void
LteObserver::Follow(std::shared_ptr<RadioEnergy> energy)
{
    m_energy = std::move(energy);
    const auto phy = m_ue->GetPhy();
    phy->TraceConnectWithoutContext("ReportCurrentCellRsrpSinr",
                                    MakeCallback(&LteObserver::HandleSignal, this));
    phy->TraceConnectWithoutContext("UlPhyTransmission",
                                    MakeCallback(&LteObserver::HandleGrant, this));
}

void
LteObserver::SetRoomCallback(std::function<void()> onRoom)
{
    m_onRoom = std::move(onRoom);
}

int32_t
LteObserver::GetSite(uint16_t cell) const
{
    for (uint32_t i = 0; i < m_sites.GetN(); i++)
    {
        if (DynamicCast<LteEnbNetDevice>(m_sites.Get(i))->GetCellId() == cell)
        {
            return static_cast<int32_t>(i);
        }
    }
    return -1;
}

void
LteObserver::HandleSignal(
    uint16_t /* cell */, uint16_t /* rnti */, double rsrpW, double sinr, uint8_t /* carrier */)
{
    // Told every millisecond: ns-3 ties the detection of radio link failures to this trace's period.
    const auto period = Simulator::Now().GetMilliSeconds() / SIGNAL_PERIOD_MS;
    if (m_connected && period != m_signalPeriod)
    {
        m_signalPeriod = period;
        m_signal.Note(10 * std::log10(sinr), 10 * std::log10(rsrpW) + 30);
    }
}

void
LteObserver::HandleGrant(PhyTransmissionStatParameters grant)
{
    // A transport block takes one millisecond.
    m_phyRateMbps = grant.m_size * 8 / 1e3;
    m_mcs = grant.m_mcs;
    m_grants.emplace_back(Simulator::Now(), grant.m_ndi == 0);
    while (m_grants.front().first < Simulator::Now() - Seconds(WINDOW_S))
    {
        m_grants.pop_front();
    }
}

void
LteObserver::HandleBearer(uint64_t /* imsi */, uint16_t cell, uint16_t rnti, uint8_t /* bearer */)
{
    m_hasBearer = true;
    m_buffer->Reset();
    const auto full = Callback<void, Ptr<const Packet>>(
        [this](Ptr<const Packet> packet) { NoteDrop(m_onDrop, packet, Outcome::DROPPED_QUEUE); });
    for (const auto& rlc : GetRlcs(m_ue->GetRrc()))
    {
        rlc->TraceConnectWithoutContext("TxDrop", full);
        rlc->TraceConnectWithoutContext("RxPDU",
                                        Callback<void, uint16_t, uint8_t, uint32_t, uint64_t>(
                                            [this](uint16_t, uint8_t, uint32_t bytes, uint64_t) {
                                                if (m_energy)
                                                {
                                                    m_energy->NoteData(0, bytes);
                                                }
                                            }));
    }
    const auto enb = DynamicCast<LteEnbNetDevice>(m_sites.Get(GetSite(cell)))->GetRrc();
    for (const auto& rlc : GetRlcs(enb->GetUeManager(rnti)))
    {
        rlc->TraceConnectWithoutContext("TxDrop", full);
    }
}

void
LteObserver::HandleRrcState(uint64_t /* imsi */,
                            uint16_t cell,
                            uint16_t /* rnti */,
                            LteUeRrc::State /* before */,
                            LteUeRrc::State now)
{
    m_connected = now == LteUeRrc::CONNECTED_NORMALLY || now == LteUeRrc::CONNECTED_HANDOVER;
    if (!m_connected)
    {
        m_hasBearer = false;
        m_buffer->Reset();
    }
    if (now != LteUeRrc::CONNECTED_NORMALLY)
    {
        return;
    }
    const auto site = GetSite(cell);
    if (m_lastSite >= 0 && site != m_lastSite)
    {
        m_handover = Simulator::Now();
        m_signal.Clear();
    }
    m_lastSite = site;
}

void
LteObserver::HandleSent(uint32_t bytes)
{
    if (m_energy)
    {
        m_energy->NoteData(bytes, 0);
    }
    if (m_onRoom)
    {
        m_onRoom();
    }
}

uint32_t
LteObserver::GetQueueDepth() const
{
    return m_buffer->GetPackets();
}

LinkState
LteObserver::GetState() const
{
    LinkState state;
    state.queueDepth = GetQueueDepth();
    state.phyRateMbps = m_phyRateMbps;
    state.mcs = m_mcs;
    state.handoverAgeS = (Simulator::Now() - m_handover).GetSeconds();
    state.servingCell = m_connected ? m_lastSite : -1;
    const auto begin = Simulator::Now() - Seconds(WINDOW_S);
    uint32_t grants = 0;
    uint32_t repetitions = 0;
    for (const auto& [when, repeated] : m_grants)
    {
        grants += when >= begin;
        repetitions += when >= begin && repeated;
    }
    state.retryShare = grants > 0 ? static_cast<double>(repetitions) / grants : 0;
    m_signal.Describe(state);
    return state;
}

} // namespace splitsim
