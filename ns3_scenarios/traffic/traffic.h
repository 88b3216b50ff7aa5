/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_TRAFFIC_H
#define SPLITSIM_TRAFFIC_H

#include "../inference/model/compute-queue.h"
#include "../mobility/mobility-builder.h"
#include "../scenario/scenario-config.h"

#include "ns3/ipv4-address.h"
#include "ns3/node.h"
#include "ns3/packet-sink.h"

#include <cstdint>

namespace splitsim
{

/** One end of a stream. */
struct TrafficEnd
{
    ns3::Ptr<ns3::Node> node;
    ns3::Ipv4Address address;
};

/** Whose stream it is, and when. */
struct TrafficContext
{
    uint32_t ue{0};    ///< index of the UE
    Presence when;     ///< when it is sent; 0 or more, and it ends
    uint64_t seed{0};  ///< of the episode
    int64_t stream{0}; ///< first stream of ns-3's random numbers to use
};

/**
 * Gives a UE a stream of packets to or from the edge. What UDP streams offer depends on the seed
 * alone; TCP adapts to what the network lets through.
 *
 * @param config which
 * @param ue the UE's end @param edge the edge's
 * @param context whose, and when
 * @return what receives it
 */
ns3::Ptr<ns3::PacketSink> InstallTraffic(const TrafficConfig& config,
                                         const TrafficEnd& ue,
                                         const TrafficEnd& edge,
                                         const TrafficContext& context);

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
