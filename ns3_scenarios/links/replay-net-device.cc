/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "replay-net-device.h"

#include "ns3/channel.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/mac48-address.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(ReplayNetDevice);

TypeId
ReplayNetDevice::GetTypeId()
{
    static TypeId tid =
        TypeId("splitsim::ReplayNetDevice")
            .SetParent<NetDevice>()
            .SetGroupName("Splitsim")
            .AddConstructor<ReplayNetDevice>()
            .AddTraceSource("PhyTxBegin",
                            "A packet came to the head of the queue and is served from now on",
                            MakeTraceSourceAccessor(&ReplayNetDevice::m_txBegin),
                            "ns3::Packet::TracedCallback")
            .AddTraceSource("PhyTxEnd",
                            "The last bit of a packet has left",
                            MakeTraceSourceAccessor(&ReplayNetDevice::m_txEnd),
                            "ns3::Packet::TracedCallback")
            .AddTraceSource("PhyTxDrop",
                            "A packet that was served is lost on its way",
                            MakeTraceSourceAccessor(&ReplayNetDevice::m_lost),
                            "ns3::Packet::TracedCallback")
            .AddTraceSource("MacRx",
                            "A packet has arrived",
                            MakeTraceSourceAccessor(&ReplayNetDevice::m_rx),
                            "ns3::Packet::TracedCallback");
    return tid;
}

ReplayNetDevice::ReplayNetDevice()
    : m_lossDraw(CreateObject<UniformRandomVariable>())
{
}

void
ReplayNetDevice::DoDispose()
{
    m_node = nullptr;
    m_peer = nullptr;
    m_queue = nullptr;
    m_receive.Nullify();
    m_promiscuous.Nullify();
    NetDevice::DoDispose();
}

void
ReplayNetDevice::SetTrace(std::shared_ptr<const ReplayTrace> trace)
{
    m_trace = std::move(trace);
}

void
ReplayNetDevice::SetQueue(Ptr<Queue<Packet>> queue)
{
    m_queue = queue;
}

Ptr<Queue<Packet>>
ReplayNetDevice::GetQueue() const
{
    return m_queue;
}

void
ReplayNetDevice::SetPeer(Ptr<ReplayNetDevice> peer)
{
    m_peer = peer;
}

int64_t
ReplayNetDevice::AssignStreams(int64_t stream)
{
    m_lossDraw->SetStream(stream);
    return 1;
}

bool
ReplayNetDevice::Send(Ptr<Packet> packet, const Address& /* destination */, uint16_t protocol)
{
    if (protocol != Ipv4L3Protocol::PROT_NUMBER || !m_queue->Enqueue(packet))
    {
        return false;
    }
    if (!m_busy)
    {
        Serve(m_trace->ServedUntil(Simulator::Now()));
    }
    return true;
}

bool
ReplayNetDevice::SendFrom(Ptr<Packet> packet,
                          const Address& /* source */,
                          const Address& destination,
                          uint16_t protocol)
{
    return Send(packet, destination, protocol);
}

void
ReplayNetDevice::Serve(Nanobits from)
{
    auto packet = m_queue->Dequeue();
    m_busy = packet != nullptr;
    if (!m_busy)
    {
        return;
    }
    m_txBegin(packet);
    m_served = from + ToNanobits(packet->GetSize());
    const auto end = m_trace->WhenServed(m_served);
    // A trace that never carries anything keeps the packet for good.
    if (end < Time::Max())
    {
        Simulator::Schedule(end - Simulator::Now(), &ReplayNetDevice::Finish, this, packet);
    }
}

void
ReplayNetDevice::Finish(Ptr<Packet> packet)
{
    m_txEnd(packet);
    Deliver(packet);
    // From where the last packet ended, which may be a part of a nanosecond ago.
    Serve(m_served);
}

void
ReplayNetDevice::Deliver(Ptr<Packet> packet)
{
    const auto& step = m_trace->At(Simulator::Now());
    if (m_lossDraw->GetValue() < step.loss)
    {
        m_lost(packet);
        return;
    }
    m_lastDelivery = std::max(m_lastDelivery, Simulator::Now() + step.delay);
    Simulator::ScheduleWithContext(m_peer->GetNode()->GetId(),
                                   m_lastDelivery - Simulator::Now(),
                                   &ReplayNetDevice::Receive,
                                   m_peer,
                                   packet->Copy());
}

void
ReplayNetDevice::Receive(Ptr<Packet> packet)
{
    m_rx(packet);
    if (!m_promiscuous.IsNull())
    {
        m_promiscuous(this,
                      packet->Copy(),
                      Ipv4L3Protocol::PROT_NUMBER,
                      m_peer->GetAddress(),
                      m_address,
                      PACKET_HOST);
    }
    m_receive(this, packet, Ipv4L3Protocol::PROT_NUMBER, m_peer->GetAddress());
}

void
ReplayNetDevice::SetIfIndex(uint32_t index)
{
    m_ifIndex = index;
}

uint32_t
ReplayNetDevice::GetIfIndex() const
{
    return m_ifIndex;
}

Ptr<Channel>
ReplayNetDevice::GetChannel() const
{
    return nullptr;
}

void
ReplayNetDevice::SetAddress(Address address)
{
    m_address = address;
}

Address
ReplayNetDevice::GetAddress() const
{
    return m_address;
}

bool
ReplayNetDevice::SetMtu(uint16_t mtu)
{
    m_mtu = mtu;
    return true;
}

uint16_t
ReplayNetDevice::GetMtu() const
{
    return m_mtu;
}

bool
ReplayNetDevice::IsLinkUp() const
{
    return true;
}

void
ReplayNetDevice::AddLinkChangeCallback(Callback<void> /* callback */)
{
    // An outage is a rate of 0, not a link that goes down: packets wait for its end.
}

bool
ReplayNetDevice::IsBroadcast() const
{
    return true;
}

Address
ReplayNetDevice::GetBroadcast() const
{
    return Mac48Address::GetBroadcast();
}

bool
ReplayNetDevice::IsMulticast() const
{
    return false;
}

Address
ReplayNetDevice::GetMulticast(Ipv4Address group) const
{
    return Mac48Address::GetMulticast(group);
}

Address
ReplayNetDevice::GetMulticast(Ipv6Address group) const
{
    return Mac48Address::GetMulticast(group);
}

bool
ReplayNetDevice::IsBridge() const
{
    return false;
}

bool
ReplayNetDevice::IsPointToPoint() const
{
    return true;
}

Ptr<Node>
ReplayNetDevice::GetNode() const
{
    return m_node;
}

void
ReplayNetDevice::SetNode(Ptr<Node> node)
{
    m_node = node;
}

bool
ReplayNetDevice::NeedsArp() const
{
    return false;
}

void
ReplayNetDevice::SetReceiveCallback(ReceiveCallback callback)
{
    m_receive = callback;
}

void
ReplayNetDevice::SetPromiscReceiveCallback(PromiscReceiveCallback callback)
{
    m_promiscuous = callback;
}

bool
ReplayNetDevice::SupportsSendFrom() const
{
    return false;
}

} // namespace splitsim
