/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_WIFI_ASSOCIATION_H
#define SPLITSIM_WIFI_ASSOCIATION_H

#include "ns3/ipv4-address.h"
#include "ns3/ipv4-interface.h"
#include "ns3/ipv4-static-routing.h"
#include "ns3/mac48-address.h"
#include "ns3/net-device-container.h"
#include "ns3/sta-wifi-mac.h"

#include <vector>

namespace splitsim
{

/**
 * Mends a station that holds itself for associated while the access point doesn't.
 *
 * That happens when the acknowledgement of the association response is lost to the last retry. A real
 * access point then answers the station's first data frame with a deauthentication, and the station
 * associates anew at once (IEEE 802.11-2020, 11.3.3, class 3 frames); ns-3's drops the frames in
 * silence, for good.
 */
void KeepAssociationsAgreed(const ns3::NetDeviceContainer& stations,
                            const ns3::NetDeviceContainer& accessPoints);

/**
 * Where a UE is attached, as the wired network knows it: the gateway's address is that of the serving
 * access point, and the edge's route goes through it. Both follow the association at once, and the
 * station keeps what it has not sent yet.
 */
struct Attachment
{
    ns3::Ptr<ns3::StaWifiMac> station;
    ns3::Ptr<ns3::Ipv4Interface> interface; ///< of the UE's radio
    ns3::Ipv4Address gateway;
    ns3::Ptr<ns3::Ipv4StaticRouting> edge;
    std::vector<ns3::Mac48Address> bssids; ///< of the access points; the edge's interface to one is
                                           ///< its index + 1
    ns3::Mac48Address serving;             ///< which of them, or which was last

    /** Sets all of it for the access point that the station is associated to, or was last. */
    void Follow();

  private:
    void MoveRoute() const;
};

} // namespace splitsim

#endif // SPLITSIM_WIFI_ASSOCIATION_H
