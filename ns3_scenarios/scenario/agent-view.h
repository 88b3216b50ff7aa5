/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_AGENT_VIEW_H
#define SPLITSIM_AGENT_VIEW_H

#include "../inference/model/compute-queue.h"
#include "../inference/model/delivery-record.h"
#include "../inference/model/split-inference-ue.h"
#include "../links/link.h"

#include "ns3/mobility-model.h"

namespace splitsim
{

/** What the agent sees of the world, and where it acts. */
struct AgentView
{
    ns3::Ptr<SplitInferenceUe> ue;           ///< takes the requests
    ns3::Ptr<DeliveryRecorder> recorder;     ///< what became of them
    ns3::Ptr<Link> link;                     ///< the radio
    ns3::Ptr<ComputeQueue> edgeQueue;        ///< where jobs wait at the edge
    ns3::Ptr<ns3::MobilityModel> ueMobility; ///< where the UE is

    /** @return metres from the UE to the serving site, to the nearest one when none serves */
    double GetDistanceM() const;
};

} // namespace splitsim

#endif // SPLITSIM_AGENT_VIEW_H
