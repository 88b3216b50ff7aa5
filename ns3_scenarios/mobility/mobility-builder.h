/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_MOBILITY_BUILDER_H
#define SPLITSIM_MOBILITY_BUILDER_H

#include "../scenario/scenario-config.h"
#include "track-mobility-model.h"

#include "ns3/node.h"

#include <cstdint>

namespace splitsim
{

/** Which node of which episode moves. */
struct Mover
{
    uint64_t seed{0};   ///< of the episode
    uint32_t index{0};  ///< of the UE in the scenario, the agent's is 0
    uint32_t member{0}; ///< of the UE in its group
    int64_t stream{0};  ///< first stream of ns-3's random numbers to use
};

/** Streams that one node's mobility uses at most. */
constexpr int64_t STREAMS_PER_MOVER = 8;

/**
 * Gives a node the mobility that the scenario asks for.
 *
 * @param config which model and its parameters
 * @param node the UE's node
 * @param mover which UE of which episode
 */
void InstallMobility(const MobilityConfig& config, ns3::Ptr<ns3::Node> node, const Mover& mover);

/** Puts a node at a place for good. @param node the node @param position where */
void InstallFixed(ns3::Ptr<ns3::Node> node, const Point& position);

/** @param node of a UE. @return when it is there; one without a track always is */
Presence GetPresence(ns3::Ptr<ns3::Node> node);

/** @param node of a UE. @return whether it is there now; one without a track always is */
bool IsPresent(ns3::Ptr<ns3::Node> node);

} // namespace splitsim

#endif // SPLITSIM_MOBILITY_BUILDER_H
