/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_REPLAY_NET_DEVICE_H
#define SPLITSIM_REPLAY_NET_DEVICE_H

#include "replay-trace.h"

#include "ns3/address.h"
#include "ns3/net-device.h"
#include "ns3/node.h"
#include "ns3/packet.h"
#include "ns3/queue.h"
#include "ns3/random-variable-stream.h"
#include "ns3/traced-callback.h"

#include <cstdint>
#include <memory>

namespace splitsim
{

/**
 * One end of a recorded link; what it sends is served as the trace says.
 *
 * A packet leaves when the trace has carried its bits since the moment it came to the head of the
 * queue, however many outages lie between. Then it takes the delay of that moment, never overtaking
 * an earlier packet, or is lost with the probability of that moment. The bytes that count are those
 * of the IP packet with its headers; there are no others. Only IPv4 is carried.
 */
class ReplayNetDevice : public ns3::NetDevice
{
  public:
    static ns3::TypeId GetTypeId();
    ReplayNetDevice();

    /** @param trace what serves the packets that this device sends */
    void SetTrace(std::shared_ptr<const ReplayTrace> trace);
    /** @param queue where packets wait */
    void SetQueue(ns3::Ptr<ns3::Queue<ns3::Packet>> queue);
    /** @return where packets wait; the one being served isn't in it */
    ns3::Ptr<ns3::Queue<ns3::Packet>> GetQueue() const;
    /** @param peer the other end */
    void SetPeer(ns3::Ptr<ReplayNetDevice> peer);
    /** @param stream of the losses. @return how many streams are used */
    int64_t AssignStreams(int64_t stream);

    void SetIfIndex(uint32_t index) override;
    uint32_t GetIfIndex() const override;
    ns3::Ptr<ns3::Channel> GetChannel() const override;
    void SetAddress(ns3::Address address) override;
    ns3::Address GetAddress() const override;
    bool SetMtu(uint16_t mtu) override;
    uint16_t GetMtu() const override;
    bool IsLinkUp() const override;
    void AddLinkChangeCallback(ns3::Callback<void> callback) override;
    bool IsBroadcast() const override;
    ns3::Address GetBroadcast() const override;
    bool IsMulticast() const override;
    ns3::Address GetMulticast(ns3::Ipv4Address group) const override;
    ns3::Address GetMulticast(ns3::Ipv6Address group) const override;
    bool IsBridge() const override;
    bool IsPointToPoint() const override;
    bool Send(ns3::Ptr<ns3::Packet> packet,
              const ns3::Address& destination,
              uint16_t protocol) override;
    bool SendFrom(ns3::Ptr<ns3::Packet> packet,
                  const ns3::Address& source,
                  const ns3::Address& destination,
                  uint16_t protocol) override;
    ns3::Ptr<ns3::Node> GetNode() const override;
    void SetNode(ns3::Ptr<ns3::Node> node) override;
    bool NeedsArp() const override;
    void SetReceiveCallback(ReceiveCallback callback) override;
    void SetPromiscReceiveCallback(PromiscReceiveCallback callback) override;
    bool SupportsSendFrom() const override;

  private:
    void DoDispose() override;
    void Serve(Nanobits from);
    void Finish(ns3::Ptr<ns3::Packet> packet);
    void Deliver(ns3::Ptr<ns3::Packet> packet);
    void Receive(ns3::Ptr<ns3::Packet> packet);

    ns3::Ptr<ns3::Node> m_node;
    ns3::Ptr<ReplayNetDevice> m_peer;
    ns3::Ptr<ns3::Queue<ns3::Packet>> m_queue;
    std::shared_ptr<const ReplayTrace> m_trace;
    ns3::Ptr<ns3::UniformRandomVariable> m_lossDraw;
    ns3::Address m_address;
    ReceiveCallback m_receive;
    PromiscReceiveCallback m_promiscuous;
    uint32_t m_ifIndex{0};
    uint16_t m_mtu{1500};
    bool m_busy{false};
    Nanobits m_served{0};        ///< by the end of the packet that is being served
    ns3::Time m_lastDelivery{0}; ///< of the packets so far

    ns3::TracedCallback<ns3::Ptr<const ns3::Packet>> m_txBegin;
    ns3::TracedCallback<ns3::Ptr<const ns3::Packet>> m_txEnd;
    ns3::TracedCallback<ns3::Ptr<const ns3::Packet>> m_lost;
    ns3::TracedCallback<ns3::Ptr<const ns3::Packet>> m_rx;
};

} // namespace splitsim

#endif // SPLITSIM_REPLAY_NET_DEVICE_H
