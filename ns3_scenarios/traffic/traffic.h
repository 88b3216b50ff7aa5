/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_TRAFFIC_H
#define SPLITSIM_TRAFFIC_H

#include "../inference/model/compute-queue.h"
#include "../scenario/scenario-config.h"

#include "ns3/ipv4-address.h"
#include "ns3/node.h"

#include <cstdint>

namespace splitsim
{

/** One end of a stream. */
struct TrafficEnd
{
    ns3::Ptr<ns3::Node> node;
    ns3::Ipv4Address address;
};

/**
 * Gives a UE a stream of packets to or from the edge.
 *
 * @param config which
 * @param ue the UE's end @param edge the edge's
 * @param index of the UE
 * @param startS when the stream starts
 * @param stream first stream of ns-3's random numbers to use
 */
void InstallTraffic(const TrafficConfig& config,
                    const TrafficEnd& ue,
                    const TrafficEnd& edge,
                    uint32_t index,
                    double startS,
                    int64_t stream);

/// Streams that one UE's traffic uses at most.
constexpr int64_t STREAMS_PER_TRAFFIC = 4;

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

#endif // SPLITSIM_TRAFFIC_H
