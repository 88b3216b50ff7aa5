/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_BACKGROUND_TRAFFIC_H
#define SPLITSIM_BACKGROUND_TRAFFIC_H

#include "../inference/model/compute-queue.h"
#include "../scenario/exogenous.h"
#include "../scenario/scenario-config.h"

#include "ns3/ipv4-address.h"
#include "ns3/node-container.h"

#include <cstdint>

namespace splitsim
{

/**
 * Places the background stations around the access point, by the seed alone.
 *
 * @param config how many and how far
 * @param center the access point
 * @param stations their nodes
 * @param seed the episode's seed
 */
void PlaceBackgroundStations(const BackgroundConfig& config,
                             const Position& center,
                             const ns3::NodeContainer& stations,
                             uint64_t seed);

/**
 * Gives each background station a UDP stream to the server that switches on and off.
 *
 * @param config rate while on and packet size; on and off last 1 s each in the mean, exponential
 * @param stations their nodes
 * @param server the receiver's node
 * @param serverAddress its address
 * @param startS when the streams start
 * @param stream first stream of ns3's random numbers to use
 */
void InstallBackgroundTraffic(const BackgroundConfig& config,
                              const ns3::NodeContainer& stations,
                              ns3::Ptr<ns3::Node> server,
                              ns3::Ipv4Address serverAddress,
                              double startS,
                              int64_t stream);

/**
 * Other users' jobs in the edge's queue: Poisson arrivals, exponential service.
 *
 * @param config rate and mean service time
 * @param queue the edge's
 * @param endS no job comes after
 * @param seed the episode's seed
 */
void ScheduleBackgroundJobs(const ComputeConfig& config,
                            ns3::Ptr<ComputeQueue> queue,
                            double endS,
                            uint64_t seed);

} // namespace splitsim

#endif // SPLITSIM_BACKGROUND_TRAFFIC_H
