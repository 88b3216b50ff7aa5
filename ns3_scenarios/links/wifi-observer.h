/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_WIFI_OBSERVER_H
#define SPLITSIM_WIFI_OBSERVER_H

#include "link.h"
#include "signal-window.h"

#include "ns3/net-device-container.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/packet.h"
#include "ns3/wifi-mac-queue.h"
#include "ns3/wifi-mac.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy.h"
#include "ns3/wifi-tx-vector.h"

#include <functional>

namespace splitsim
{

/**
 * Listens to the UE's Wi-Fi device: signal quality from the beacons (which come whatever the agent
 * does), the rate of the last data frame, repetitions, and the device queue.
 */
class WifiObserver : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    WifiObserver();

    /** @param ue the UE's device */
    void Attach(ns3::Ptr<ns3::WifiNetDevice> ue);

    /** @param onRoom called whenever a packet left the UE's device queue */
    void SetRoomCallback(std::function<void()> onRoom);

    /** @return what the UE knows now */
    LinkState GetState() const;
    /** @return packets in the UE's device queue */
    uint32_t GetQueueDepth() const;

  private:
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
    void HandleDequeue(ns3::Ptr<const ns3::WifiMpdu> mpdu);

    ns3::Ptr<ns3::WifiNetDevice> m_ue;
    ns3::Ptr<ns3::WifiMacQueue> m_queue;
    std::function<void()> m_onRoom;
    SignalWindow m_signal;
    double m_phyRateMbps{0};
};

} // namespace splitsim

#endif // SPLITSIM_WIFI_OBSERVER_H
