/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_BACKHAUL_H
#define SPLITSIM_BACKHAUL_H

#include "link.h"

#include "ns3/net-device-container.h"

namespace splitsim
{

/** The wire between a radio site and the edge. */
struct BackhaulConfig
{
    double rateMbps{1000};
    double delayS{0.001};
};

/** @param section a link's `backhaul`. @return it @throws ConfigError for a field that isn't valid */
BackhaulConfig ReadBackhaul(const Section& section);

/**
 * @param config rate and delay
 * @param site one end @param edge the other
 * @param onDrop told of what its queues drop
 * @return the devices, the site's first
 */
ns3::NetDeviceContainer BuildBackhaul(const BackhaulConfig& config,
                                      ns3::Ptr<ns3::Node> site,
                                      ns3::Ptr<ns3::Node> edge,
                                      const DropCallback& onDrop);

/** @param onDrop gets @param cause for a @param packet of ours; other packets are passed over */
void NoteDrop(const DropCallback& onDrop, ns3::Ptr<const ns3::Packet> packet, Outcome cause);

} // namespace splitsim

#endif // SPLITSIM_BACKHAUL_H
