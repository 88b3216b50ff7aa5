/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "split-inference-helper.h"

#include "../model/split-inference-edge.h"

namespace splitsim
{

using namespace ns3;

namespace
{

/// The edge listens for UE i on this port and i more.
constexpr uint16_t FIRST_PORT = 5000;

} // namespace

SplitInferenceHelper::SplitInferenceHelper(const TransportConfig& transport,
                                           const ComputeConfig& compute)
    : m_transport(transport),
      m_compute(compute),
      m_edgeQueue(CreateObject<ComputeQueue>()),
      m_recorders(std::make_shared<Recorders>())
{
}

DropCallback
SplitInferenceHelper::GetDropCallback()
{
    return [recorders = m_recorders](const FragmentTag& tag, Outcome cause) {
        const auto found = recorders->find(tag.ue);
        if (found != recorders->end())
        {
            found->second->NoteDropped(tag.request, tag.index, tag.downlink, cause);
        }
    };
}

Ptr<SplitInferenceUe>
SplitInferenceHelper::Install(uint32_t ue, Ptr<Node> node, Ptr<Node> edge, Ptr<Link> link)
{
    const auto port = static_cast<uint16_t>(FIRST_PORT + ue);
    auto recorder = CreateObject<DeliveryRecorder>();
    recorder->SetInOrder(link->LosesInSilence());
    (*m_recorders)[ue] = recorder;
    auto server = CreateObject<SplitInferenceEdge>();
    server->Configure(m_transport, m_compute, m_edgeQueue, recorder, ue, port);
    edge->AddApplication(server);
    auto application = CreateObject<SplitInferenceUe>();
    auto queue = PeekPointer(link);
    application->Configure(m_transport,
                           m_compute,
                           recorder,
                           ue,
                           link->GetEdgeAddress(),
                           port,
                           [queue, ue] { return queue->GetQueueDepth(ue); });
    node->AddApplication(application);
    auto sender = PeekPointer(application);
    link->SetRoomCallback(ue, [sender] { sender->NotifyRoom(); });
    return application;
}

Ptr<ComputeQueue>
SplitInferenceHelper::GetEdgeQueue() const
{
    return m_edgeQueue;
}

Ptr<DeliveryRecorder>
SplitInferenceHelper::GetRecorder(uint32_t ue) const
{
    return m_recorders->at(ue);
}

} // namespace splitsim
