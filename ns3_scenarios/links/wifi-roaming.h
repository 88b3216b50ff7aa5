/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_WIFI_ROAMING_H
#define SPLITSIM_WIFI_ROAMING_H

#include "../scenario/config-section.h"
#include "signal-window.h"

#include "ns3/mac48-address.h"
#include "ns3/object.h"
#include "ns3/sta-wifi-mac.h"

#include <map>
#include <optional>
#include <string>

namespace splitsim
{

/** When a station leaves its access point for another. */
struct RoamingConfig
{
    std::string policy; ///< strongest or sticky
    double hysteresisDb{6};
    double timeToTriggerS{0.5};
};

/** @param section a link's `roaming`. @return it @throws ConfigError for a field that isn't valid */
RoamingConfig ReadRoaming(const Section& section);

/**
 * Moves a station to another access point of its network once that one's beacons were better for long
 * enough. ns-3's own stations leave only an access point whose beacons they miss.
 *
 * All access points are on one channel, so the station hears all their beacons without a scan.
 */
class WifiRoaming : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    WifiRoaming();

    /** @param config when @param station which @param missed what stands for a beacon that was missed */
    void Attach(const RoamingConfig& config,
                ns3::Ptr<ns3::StaWifiMac> station,
                const SignalWindow::Missed& missed);

  private:
    /// What the station last heard of an access point.
    struct Heard
    {
        SignalWindow signal;
        ns3::StaWifiMac::ApInfo newest;
    };

    void HandleBeacon(ns3::StaWifiMac::ApInfo info);
    std::optional<ns3::Mac48Address> FindBetter(ns3::Mac48Address serving) const;
    void Move(ns3::Mac48Address to);

    RoamingConfig m_config;
    SignalWindow::Missed m_missed;
    ns3::Ptr<ns3::StaWifiMac> m_station;
    std::map<ns3::Mac48Address, Heard> m_heard;   ///< by BSSID
    std::optional<ns3::Mac48Address> m_candidate; ///< who has been better without a break
    double m_candidateSinceS{0};
};

} // namespace splitsim

#endif // SPLITSIM_WIFI_ROAMING_H
