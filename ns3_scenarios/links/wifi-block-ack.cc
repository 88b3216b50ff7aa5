/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "wifi-block-ack.h"

#include "ns3/block-ack-manager.h"
#include "ns3/qos-txop.h"
#include "ns3/qos-utils.h"
#include "ns3/simulator.h"
#include "ns3/wifi-mac-header.h"
#include "ns3/wifi-mac-queue.h"
#include "ns3/wifi-mac.h"
#include "ns3/wifi-mpdu.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy.h"
#if SPLITSIM_NS3_MINOR >= 44
#include "ns3/mgt-action-headers.h"
#endif

#include <optional>
#include <set>

namespace splitsim
{

using namespace ns3;

#if SPLITSIM_NS3_MINOR >= 44

namespace
{

/** @return the traffic id of an ADDBA response to @p own; none for another @p frame */
std::optional<uint8_t>
TidOfAddBaResponse(Ptr<const Packet> frame, Mac48Address own, WifiMacHeader& header)
{
    auto packet = frame->Copy();
    packet->RemoveHeader(header);
    if (!header.IsAction() || header.GetAddr1() != own)
    {
        return std::nullopt;
    }
    const auto [category, action] = WifiActionHeader::Peek(packet);
    if (category != WifiActionHeader::BLOCK_ACK ||
        action.blockAck != WifiActionHeader::BLOCK_ACK_ADDBA_RESPONSE)
    {
        return std::nullopt;
    }
    WifiActionHeader actionHeader;
    packet->RemoveHeader(actionHeader);
    MgtAddBaResponseHeader response;
    packet->RemoveHeader(response);
    return response.GetTid();
}

/// By then the copy has been acknowledged, which is when the MAC acts on it. Later does no harm: what
/// is sent meanwhile waits for its own acknowledgement.
const Time ACKNOWLEDGED = MicroSeconds(100);

/// Sequence numbers are modulo this (12 bits).
constexpr uint16_t SEQUENCE_NUMBERS = 4096;

/** Tells a window that begins anew what had been acknowledged: all that was sent and isn't waiting. */
void
RestoreWindow(Ptr<QosTxop> txop, Mac48Address to, uint8_t tid)
{
    const auto agreement = txop->GetBaManager()->GetAgreementAsOriginator(to, tid);
    if (!agreement)
    {
        return;
    }
    std::set<uint16_t> waiting;
    const auto queue = txop->GetWifiMacQueue();
    for (auto mpdu = queue->PeekByTidAndAddress(tid, to); mpdu;
         mpdu = queue->PeekByTidAndAddress(tid, to, mpdu))
    {
        if (mpdu->HasSeqNoAssigned())
        {
            waiting.insert(mpdu->GetHeader().GetSequenceNumber());
        }
    }
    WifiMacHeader header(WIFI_MAC_QOSDATA);
    header.SetAddr1(to);
    header.SetQosTid(tid);
    const auto next = txop->PeekNextSequenceNumberFor(&header);
    // ns-3 hands its agreements out as constant ones only.
    auto& window = const_cast<OriginatorBlockAckAgreement&>(agreement->get());
    for (auto number = window.GetStartingSequence(); number != next;
         number = (number + 1) % SEQUENCE_NUMBERS)
    {
        if (waiting.count(number) == 0)
        {
            header.SetSequenceNumber(number);
            window.NotifyAckedMpdu(Create<const WifiMpdu>(Create<Packet>(), header));
        }
    }
}

/// The PHY tells of a frame before the MAC has it.
void
HandleFrame(Ptr<WifiMac> mac, Ptr<const Packet> frame)
{
    WifiMacHeader header;
    const auto tid = TidOfAddBaResponse(frame, mac->GetAddress(), header);
    if (!tid)
    {
        return;
    }
    const auto from = header.GetAddr2();
    const auto txop = mac->GetQosTxop(QosUtilsMapTidToAc(*tid));
    const auto agreement = txop->GetBaManager()->GetAgreementAsOriginator(from, *tid);
    if (agreement && agreement->get().IsEstablished())
    {
        Simulator::Schedule(ACKNOWLEDGED, RestoreWindow, txop, from, *tid);
    }
}

} // namespace

void
KeepBlockAcksAlive(const NetDeviceContainer& devices)
{
    for (uint32_t i = 0; i < devices.GetN(); i++)
    {
        const auto device = DynamicCast<WifiNetDevice>(devices.Get(i));
        auto* mac = PeekPointer(device->GetMac()); // not a Ptr: PHY and MAC would hold each other
        device->GetPhy()->TraceConnectWithoutContext(
            "MonitorSnifferRx",
            Callback<void,
                     Ptr<const Packet>,
                     uint16_t,
                     WifiTxVector,
                     MpduInfo,
                     SignalNoiseDbm,
                     uint16_t>([mac](Ptr<const Packet> frame,
                                     uint16_t /* frequencyMhz */,
                                     WifiTxVector /* txVector */,
                                     MpduInfo mpdu,
                                     SignalNoiseDbm /* signalNoise */,
                                     uint16_t /* staId */) {
                if (mpdu.type == NORMAL_MPDU) // management frames are in no A-MPDU here
                {
                    HandleFrame(mac, frame);
                }
            }));
    }
}

#else

void
KeepBlockAcksAlive(const NetDeviceContainer& /* devices */)
{
}

#endif

} // namespace splitsim
