/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_WIFI_OBSERVER_H
#define SPLITSIM_WIFI_OBSERVER_H

#include "link.h"
#include "radio-energy.h"
#include "signal-window.h"

#include "ns3/mac48-address.h"
#include "ns3/object.h"
#include "ns3/packet.h"
#include "ns3/wifi-mac-queue.h"
#include "ns3/wifi-mac.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy.h"
#include "ns3/wifi-tx-vector.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace splitsim
{

/**
 * Listens to the UE's Wi-Fi device: signal quality from the serving access point's beacons (which come
 * whatever the agent does; missed ones count), rate and MCS of the last data frame, repetitions, changes of the access
 * point, and the device queue.
 */
class WifiObserver : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    WifiObserver();

    /**
     * @param ue the UE's device
     * @param sites BSSIDs of the access points, in order of the sites
     * @param missed what stands for a beacon that was missed
     */
    void Attach(ns3::Ptr<ns3::WifiNetDevice> ue,
                std::vector<ns3::Mac48Address> sites,
                const SignalWindow::Missed& missed);

    /** @param energy is told of the bytes of each data frame that the UE sends, repetitions included, or
     * receives */
    void Follow(std::shared_ptr<RadioEnergy> energy);

    /** @param onRoom called whenever a packet left the UE's device queue */
    void SetRoomCallback(std::function<void()> onRoom);

    /** @return what the UE knows now */
    LinkState GetState() const;
    /** @return packets in the UE's device queue */
    uint32_t GetQueueDepth() const;

  private:
    /// A frame with data that was sent, for the first time or again.
    struct Sent
    {
        double timeS;
        bool again;
    };

    void HandleAssociation(ns3::Mac48Address bssid);
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
    double GetRetryShare() const;
    int32_t GetServingCell(const LinkState& state) const;

    ns3::Ptr<ns3::WifiNetDevice> m_ue;
    std::shared_ptr<RadioEnergy> m_energy;
    ns3::Ptr<ns3::WifiMacQueue> m_queue;
    std::function<void()> m_onRoom;
    std::vector<ns3::Mac48Address> m_sites;
    std::optional<ns3::Mac48Address> m_serving; ///< the last that the UE was associated to
    double m_handoverS{0};                      ///< when it changed
    SignalWindow m_signal;
    std::deque<Sent> m_sent; ///< of the last second before the newest
    double m_phyRateMbps{0};
    double m_mcs{0};
};

} // namespace splitsim

#endif // SPLITSIM_WIFI_OBSERVER_H
