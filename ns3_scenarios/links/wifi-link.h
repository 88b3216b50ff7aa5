/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_WIFI_LINK_H
#define SPLITSIM_WIFI_LINK_H

#include "../scenario/scenario-config.h"

#include "ns3/net-device-container.h"
#include "ns3/node-container.h"
#include "ns3/wifi-net-device.h"

#include <cstdint>

namespace splitsim
{

/** The devices of one Wi-Fi cell. */
struct WifiCell
{
    ns3::NetDeviceContainer stations; ///< the UE's first
    ns3::NetDeviceContainer accessPoint;

    ns3::Ptr<ns3::WifiNetDevice> Ue() const;
    ns3::Ptr<ns3::WifiNetDevice> AccessPoint() const;
};

/**
 * Builds the cell: log-distance path loss, block fading, one access point, infrastructure mode.
 *
 * @param config the link
 * @param stations nodes of the stations, the UE's first, with their mobility
 * @param accessPoint the access point's node, with its mobility
 * @param seed the episode's seed, for the fading
 * @param stream first stream of ns-3's random numbers to use
 * @return the devices
 */
WifiCell BuildWifiCell(const LinkConfig& config,
                       const ns3::NodeContainer& stations,
                       const ns3::NodeContainer& accessPoint,
                       uint64_t seed,
                       int64_t stream);

} // namespace splitsim

#endif // SPLITSIM_WIFI_LINK_H
