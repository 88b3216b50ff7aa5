/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_LINK_OBSERVER_H
#define SPLITSIM_LINK_OBSERVER_H

#include "../inference/model/delivery-record.h"

#include "ns3/net-device-container.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/packet.h"
#include "ns3/wifi-mac-queue.h"
#include "ns3/wifi-mac.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy.h"
#include "ns3/wifi-tx-vector.h"

#include <deque>
#include <functional>

namespace splitsim
{

/** What the UE knows of its link at one instant. */
struct LinkState
{
    double snrDb{0};          ///< mean over the beacons of the last window
    double snrTrendDbPerS{0}; ///< least-squares slope over these beacons
    double snrAgeS{0};        ///< since the last beacon
    double phyRateMbps{0};    ///< of the last data frame sent
    uint32_t queueDepth{0};   ///< packets in the device queue
    bool associated{false};
};

/**
 * Listens to the UE's Wi-Fi device: signal quality from the beacons (which come whatever the agent
 * does), the rate of the last data frame, and every packet that the stack gives up.
 */
class LinkObserver : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    LinkObserver();

    /**
     * @param ue the UE's device
     * @param ap the access point's, whose drops of replies count too
     * @param recorder gets the drops
     */
    void Attach(ns3::Ptr<ns3::WifiNetDevice> ue,
                ns3::Ptr<ns3::WifiNetDevice> ap,
                ns3::Ptr<DeliveryRecorder> recorder);

    /** @param onRoom called whenever a packet left the UE's device queue */
    void SetRoomCallback(std::function<void()> onRoom);

    /** @return what the UE knows now */
    LinkState GetState() const;
    /** @return packets in the UE's device queue */
    uint32_t GetQueueDepth() const;

    /**
     * @param packet a packet that some layer gave up
     * @param cause why
     */
    void NoteDrop(ns3::Ptr<const ns3::Packet> packet, Outcome cause) const;

  private:
    struct Beacon
    {
        double timeS;
        double snrDb;
    };

    void HandleFrame(ns3::Ptr<const ns3::Packet> packet,
                     uint16_t frequencyMhz,
                     ns3::WifiTxVector txVector,
                     ns3::MpduInfo mpdu,
                     ns3::SignalNoiseDbm signalNoise,
                     uint16_t staId);
    void HandleSent(ns3::Ptr<const ns3::Packet> packet,
                    uint16_t frequencyMhz,
                    ns3::WifiTxVector txVector,
                    ns3::MpduInfo mpdu,
                    uint16_t staId);
    void HandleDroppedMpdu(ns3::WifiMacDropReason reason, ns3::Ptr<const ns3::WifiMpdu> mpdu);
    void HandleRefused(ns3::Ptr<const ns3::Packet> packet);
    void HandleDequeue(ns3::Ptr<const ns3::WifiMpdu> mpdu);
    void WatchDrops(ns3::Ptr<ns3::WifiNetDevice> device);

    ns3::Ptr<ns3::WifiNetDevice> m_ue;
    ns3::Ptr<ns3::WifiMacQueue> m_queue;
    ns3::Ptr<DeliveryRecorder> m_recorder;
    std::function<void()> m_onRoom;
    std::deque<Beacon> m_beacons;
    double m_phyRateMbps{0};
};

} // namespace splitsim

#endif // SPLITSIM_LINK_OBSERVER_H
