/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "replay-trace.h"

#include "ns3/assert.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace splitsim
{

using namespace ns3;

namespace
{

constexpr int64_t NS_PER_S = 1000000000;
/// Later than any simulation ends, and far enough from an overflow to add to.
constexpr int64_t NEVER_NS = std::numeric_limits<int64_t>::max() / 2;

} // namespace

Nanobits
ToNanobits(uint32_t bytes)
{
    return Nanobits{8} * bytes * NS_PER_S;
}

ReplayTrace::ReplayTrace(std::vector<ReplayStep> steps, Time duration, Time offset)
    : m_steps(std::move(steps)),
      m_servedBefore{0},
      m_durationNs(duration.GetNanoSeconds()),
      m_offsetNs(offset.GetNanoSeconds())
{
    NS_ASSERT(!m_steps.empty() && m_steps.front().start.IsZero());
    for (std::size_t i = 0; i < m_steps.size(); i++)
    {
        const Time end = i + 1 < m_steps.size() ? m_steps[i + 1].start : duration;
        const int64_t lengthNs = (end - m_steps[i].start).GetNanoSeconds();
        NS_ASSERT(lengthNs > 0);
        m_servedBefore.push_back(m_servedBefore.back() + Nanobits{lengthNs} * m_steps[i].rateBps);
    }
}

std::size_t
ReplayTrace::IndexAt(int64_t insideNs) const
{
    const auto after = std::upper_bound(
        m_steps.begin(),
        m_steps.end(),
        insideNs,
        [](int64_t ns, const ReplayStep& step) { return ns < step.start.GetNanoSeconds(); });
    return after - m_steps.begin() - 1;
}

const ReplayStep&
ReplayTrace::At(Time now) const
{
    return m_steps[IndexAt((now.GetNanoSeconds() + m_offsetNs) % m_durationNs)];
}

Nanobits
ReplayTrace::ServedUntil(Time until) const
{
    const int64_t sinceBeginNs = until.GetNanoSeconds() + m_offsetNs;
    const int64_t insideNs = sinceBeginNs % m_durationNs;
    const auto i = IndexAt(insideNs);
    const int64_t inStepNs = insideNs - m_steps[i].start.GetNanoSeconds();
    return sinceBeginNs / m_durationNs * m_servedBefore.back() + m_servedBefore[i] +
           Nanobits{inStepNs} * m_steps[i].rateBps;
}

Time
ReplayTrace::WhenServed(Nanobits served) const
{
    const auto perLoop = m_servedBefore.back();
    if (perLoop == 0)
    {
        return Time::Max();
    }
    // Of a loop's end and the next one's begin the end is the earlier, so the rest is never 0.
    const auto loops = (served - 1) / perLoop;
    const auto rest = served - loops * perLoop;
    // The first step at whose end it is served; its rate isn't 0, else the one before would be it.
    const auto found = std::lower_bound(m_servedBefore.begin() + 1, m_servedBefore.end(), rest);
    const std::size_t i = found - m_servedBefore.begin() - 1;
    const Nanobits rateBps = m_steps[i].rateBps;
    const auto inStepNs = (rest - m_servedBefore[i] + rateBps - 1) / rateBps;
    const auto ns =
        loops * m_durationNs + m_steps[i].start.GetNanoSeconds() + inStepNs - m_offsetNs;
    return ns < NEVER_NS ? NanoSeconds(static_cast<int64_t>(ns)) : Time::Max();
}

double
ReplayTrace::MeanRateMbps(Time from, Time to) const
{
    const auto served = ServedUntil(to) - ServedUntil(from);
    return static_cast<double>(served) / static_cast<double>((to - from).GetNanoSeconds()) / 1e6;
}

} // namespace splitsim
