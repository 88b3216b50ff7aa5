/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_MOBILITY_BUILDER_H
#define SPLITSIM_MOBILITY_BUILDER_H

#include "../scenario/scenario-config.h"

#include "ns3/node.h"

#include <cstdint>

namespace splitsim
{

/**
 * Gives a node the mobility that the scenario asks for.
 *
 * @param config which model and its parameters
 * @param node the UE's node
 * @param stream first stream of ns3's random numbers to use
 */
void InstallMobility(const MobilityConfig& config, ns3::Ptr<ns3::Node> node, int64_t stream);

/** Puts a node at a place for good. @param node the node @param position where */
void InstallFixed(ns3::Ptr<ns3::Node> node, const Position& position);

} // namespace splitsim

#endif // SPLITSIM_MOBILITY_BUILDER_H
