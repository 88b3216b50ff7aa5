/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_SPLIT_INFERENCE_HELPER_H
#define SPLITSIM_SPLIT_INFERENCE_HELPER_H

#include "../../links/link.h"
#include "../../scenario/scenario-config.h"
#include "../model/compute-queue.h"
#include "../model/delivery-record.h"
#include "../model/split-inference-ue.h"

#include "ns3/node.h"

#include <cstdint>
#include <map>
#include <memory>

namespace splitsim
{

/**
 * Installs split inference between UEs and one edge server, whose queue all of them share.
 */
class SplitInferenceHelper
{
  public:
    /**
     * @param transport timeouts, retries, window
     * @param compute the deployed model and the two machines
     */
    SplitInferenceHelper(const TransportConfig& transport, const ComputeConfig& compute);

    /** @return a link's way to tell the right UE's record of a drop; usable before Install */
    DropCallback GetDropCallback();

    /**
     * @param ue index of the UE on the link
     * @param node the UE's node
     * @param edge the edge server's node
     * @param link built between them
     * @return the UE's application, which takes requests
     */
    ns3::Ptr<SplitInferenceUe> Install(uint32_t ue,
                                       ns3::Ptr<ns3::Node> node,
                                       ns3::Ptr<ns3::Node> edge,
                                       ns3::Ptr<Link> link);

    /** @return where jobs wait at the edge */
    ns3::Ptr<ComputeQueue> GetEdgeQueue() const;
    /** @param ue index of a UE that it was installed for. @return its record */
    ns3::Ptr<DeliveryRecorder> GetRecorder(uint32_t ue) const;

  private:
    using Recorders = std::map<uint32_t, ns3::Ptr<DeliveryRecorder>>;

    TransportConfig m_transport;
    ComputeConfig m_compute;
    ns3::Ptr<ComputeQueue> m_edgeQueue;
    std::shared_ptr<Recorders> m_recorders; ///< shared with the drop callback
};

} // namespace splitsim

#endif // SPLITSIM_SPLIT_INFERENCE_HELPER_H
