/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_COMPUTE_QUEUE_H
#define SPLITSIM_COMPUTE_QUEUE_H

#include "ns3/nstime.h"
#include "ns3/object.h"

#include <functional>

namespace splitsim
{

/** One machine that computes one job after another, first come first served. */
class ComputeQueue : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    ComputeQueue();

    /**
     * @param service how long the job takes once it starts
     * @param onDone called when it is finished; may be empty
     * @return how long the job waits before it starts
     */
    ns3::Time Submit(ns3::Time service, std::function<void()> onDone);

    /** @return the time until the queue would be empty */
    ns3::Time GetBacklog() const;

  private:
    ns3::Time m_freeAt{0};
};

} // namespace splitsim

#endif // SPLITSIM_COMPUTE_QUEUE_H
