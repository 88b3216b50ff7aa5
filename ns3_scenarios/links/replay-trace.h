/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_REPLAY_TRACE_H
#define SPLITSIM_REPLAY_TRACE_H

#include "ns3/nstime.h"

#include <cstdint>
#include <vector>

namespace splitsim
{

/// What a link has served, in bit/s x ns: whole numbers, so that no rounding ever adds up.
__extension__ typedef __int128 Nanobits;

/** @param bytes of a packet. @return what serving it takes */
Nanobits ToNanobits(uint32_t bytes);

/** What a recorded link is like from one moment on. */
struct ReplayStep
{
    ns3::Time start;     ///< since the trace's begin
    uint64_t rateBps{0}; ///< 0 is an outage
    ns3::Time delay;     ///< one way, after the last bit left
    double loss{0};      ///< share of packets that don't arrive
};

/**
 * One direction of a recorded link: steps that begin again after their end.
 *
 * Times are simulated ones; the offset says where in the trace simulated time 0 is. What is served
 * until a time is the integral of the rate, so a question costs one binary search.
 */
class ReplayTrace
{
  public:
    /**
     * @param steps the first starts at 0, starts increase
     * @param duration of the trace, after its last step's start
     * @param offset time in the trace at simulated time 0, 0 or more
     */
    ReplayTrace(std::vector<ReplayStep> steps, ns3::Time duration, ns3::Time offset);

    /** @param now a time. @return the step that holds then */
    const ReplayStep& At(ns3::Time now) const;
    /** @param until a time. @return what a link that is never idle has served by then */
    Nanobits ServedUntil(ns3::Time until) const;
    /**
     * @param served as ServedUntil gives it, greater than 0
     * @return the first nanosecond at which so much is served; the largest time when it never is
     */
    ns3::Time WhenServed(Nanobits served) const;
    /** @param from start @param to end, after it. @return the mean rate between */
    double MeanRateMbps(ns3::Time from, ns3::Time to) const;

  private:
    std::size_t IndexAt(int64_t insideNs) const;

    std::vector<ReplayStep> m_steps;
    std::vector<Nanobits> m_servedBefore; ///< [steps + 1], within one loop
    int64_t m_durationNs;
    int64_t m_offsetNs;
};

} // namespace splitsim

#endif // SPLITSIM_REPLAY_TRACE_H
