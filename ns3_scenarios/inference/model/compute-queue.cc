/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "compute-queue.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(ComputeQueue);

TypeId
ComputeQueue::GetTypeId()
{
    static TypeId tid =
        TypeId("splitsim::ComputeQueue").SetParent<Object>().SetGroupName("Splitsim");
    return tid;
}

ComputeQueue::ComputeQueue() = default;

Time
ComputeQueue::Submit(Time service, std::function<void()> onDone)
{
    const Time wait = GetBacklog();
    m_freeAt = Simulator::Now() + wait + service;
    if (onDone)
    {
        Simulator::Schedule(wait + service, [done = std::move(onDone)] { done(); });
    }
    return wait;
}

Time
ComputeQueue::GetBacklog() const
{
    return std::max(Time(0), m_freeAt - Simulator::Now());
}

} // namespace splitsim
