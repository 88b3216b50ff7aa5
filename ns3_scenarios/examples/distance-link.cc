/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "distance-link.h"

#include "ns3/data-rate.h"
#include "ns3/double.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/traffic-control-helper.h"

#include <cmath>

using namespace ns3;
using namespace splitsim;

DistanceLink::DistanceLink(const DistanceLinkConfig& config)
    : m_config(config)
{
}

void
DistanceLink::DoBuild(const LinkContext& context)
{
    NS_ABORT_MSG_IF(context.ues.GetN() != 1, "this link has room for one UE");
    m_ue = context.ues.Get(0);
    PointToPointHelper wire;
    wire.SetDeviceAttribute("DataRate", DataRateValue(DataRate(m_config.rateMbps * 1e6)));
    wire.SetChannelAttribute("Delay", TimeValue(Seconds(m_config.delayS)));
    wire.SetQueue("ns3::DropTailQueue",
                  "MaxSize",
                  QueueSizeValue(QueueSize(QueueSizeUnit::PACKETS, m_config.queuePackets)));
    const auto devices = wire.Install(m_ue, context.edge);
    m_ueDevice = DynamicCast<PointToPointNetDevice>(devices.Get(0));

    InternetStackHelper().Install(NodeContainer(m_ue, context.edge));
    Ipv4AddressHelper addresses("10.1.0.0", "255.255.255.0");
    const auto assigned = addresses.Assign(devices);
    m_ueAddress = assigned.GetAddress(0);
    m_edgeAddress = assigned.GetAddress(1);
    // The UE paces by the device's queue; ns-3's queue before it would hide how full that is.
    TrafficControlHelper().Uninstall(devices);

    m_errors = CreateObject<RateErrorModel>();
    m_errors->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
    m_errors->AssignStreams(context.stream);
    for (uint32_t i = 0; i < devices.GetN(); i++)
    {
        devices.Get(i)->SetAttribute("ReceiveErrorModel", PointerValue(m_errors));
        // Before it is lost or not: where the UE is now says how likely that is.
        devices.Get(i)->TraceConnectWithoutContext(
            "PhyTxEnd",
            Callback<void, Ptr<const Packet>>([this](Ptr<const Packet> /* packet */) {
                m_errors->SetRate(LossAt(m_ue->GetObject<MobilityModel>()));
            }));
        // Every layer that gives a packet up says so, with the reason.
        devices.Get(i)->TraceConnectWithoutContext(
            "PhyRxDrop",
            Callback<void, Ptr<const Packet>>([drop = context.onDrop](Ptr<const Packet> packet) {
                NoteDrop(drop, packet, Outcome::LOST_RADIO);
            }));
        devices.Get(i)->TraceConnectWithoutContext(
            "MacTxDrop",
            Callback<void, Ptr<const Packet>>([drop = context.onDrop](Ptr<const Packet> packet) {
                NoteDrop(drop, packet, Outcome::DROPPED_QUEUE);
            }));
    }
    m_ueDevice->TraceConnectWithoutContext(
        "PhyTxBegin",
        Callback<void, Ptr<const Packet>>([this](Ptr<const Packet> packet) {
            m_sendingS += 8 * packet->GetSize() / (m_config.rateMbps * 1e6);
        }));
}

double
DistanceLink::LossAt(Ptr<MobilityModel> where) const
{
    const double distanceM = where->GetPosition().GetLength();
    return 1 / (1 + std::pow(m_config.halfLossM / std::max(distanceM, 0.1), 4));
}

Ipv4Address
DistanceLink::GetEdgeAddress() const
{
    return m_edgeAddress;
}

Ipv4Address
DistanceLink::GetUeAddress(uint32_t /* ue */) const
{
    return m_ueAddress;
}

LinkState
DistanceLink::GetState() const
{
    LinkState state;
    state.phyRateMbps = m_config.rateMbps;
    state.retryShare = m_errors->GetRate();
    state.queueDepth = GetQueueDepth(0);
    state.servingCell = 0;
    state.handoverAgeS = Simulator::Now().GetSeconds();
    return state;
}

uint32_t
DistanceLink::GetQueueDepth(uint32_t /* ue */) const
{
    return m_ueDevice->GetQueue()->GetNPackets();
}

void
DistanceLink::SetRoomCallback(uint32_t /* ue */, std::function<void()> onRoom)
{
    m_ueDevice->GetQueue()->TraceConnectWithoutContext(
        "Dequeue",
        Callback<void, Ptr<const Packet>>(
            [onRoom = std::move(onRoom)](Ptr<const Packet> /* packet */) { onRoom(); }));
}

double
DistanceLink::GetRadioEnergyAboveIdleJ() const
{
    return m_sendingS * m_config.txPowerW;
}

std::vector<Site>
DistanceLink::GetSites() const
{
    return {{"site-0", {0, 0, 0}}};
}

Reception
DistanceLink::GetReception(uint32_t /* site */, Ptr<MobilityModel> where) const
{
    Reception reception;
    reception.rateMbps = m_config.rateMbps * (1 - LossAt(where));
    return reception;
}
