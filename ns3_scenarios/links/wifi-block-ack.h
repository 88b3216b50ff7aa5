/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_WIFI_BLOCK_ACK_H
#define SPLITSIM_WIFI_BLOCK_ACK_H

#include "ns3/net-device-container.h"

namespace splitsim
{

/**
 * Keeps block acknowledgements alive.
 *
 * When the acknowledgement of an ADDBA response is lost, the response comes again, and ns-3 (3.44)
 * starts its transmit window anew with all that was acknowledged since forgotten: the window stops at
 * the first such frame, and a buffer's size of frames later the sender is silent for good. A real one
 * knows a copy by its sequence number (IEEE 802.11-2020, 10.3.2.14). Here the window is told again
 * what it has forgotten.
 *
 * @param devices stations and access points
 */
void KeepBlockAcksAlive(const ns3::NetDeviceContainer& devices);

} // namespace splitsim

#endif // SPLITSIM_WIFI_BLOCK_ACK_H
