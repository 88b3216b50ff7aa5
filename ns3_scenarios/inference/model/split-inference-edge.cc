/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "split-inference-edge.h"

#include "ns3/inet-socket-address.h"
#include "ns3/log.h"
#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/udp-socket-factory.h"

#include <algorithm>

namespace splitsim
{

using namespace ns3;

NS_LOG_COMPONENT_DEFINE("SplitInferenceEdge");
NS_OBJECT_ENSURE_REGISTERED(SplitInferenceEdge);

TypeId
SplitInferenceEdge::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::SplitInferenceEdge")
                            .SetParent<Application>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<SplitInferenceEdge>();
    return tid;
}

SplitInferenceEdge::SplitInferenceEdge() = default;

void
SplitInferenceEdge::Configure(const TransportConfig& transport,
                              const ComputeConfig& compute,
                              Ptr<ComputeQueue> queue,
                              Ptr<DeliveryRecorder> recorder,
                              uint32_t ue,
                              uint16_t port)
{
    m_transport = transport;
    m_compute = compute;
    m_queue = queue;
    m_recorder = recorder;
    m_servedUe = ue;
    m_port = port;
}

void
SplitInferenceEdge::StartApplication()
{
    m_socket = Socket::CreateSocket(GetNode(), UdpSocketFactory::GetTypeId());
    m_socket->Bind(InetSocketAddress(Ipv4Address::GetAny(), m_port));
    m_socket->SetRecvCallback(MakeCallback(&SplitInferenceEdge::HandleRead, this));
}

void
SplitInferenceEdge::StopApplication()
{
    m_reassemblyTimeout.Cancel();
    if (m_socket)
    {
        m_socket->Close();
        m_socket = nullptr;
    }
}

void
SplitInferenceEdge::HandleRead(Ptr<Socket> socket)
{
    Address from;
    while (auto packet = socket->RecvFrom(from))
    {
        FragmentHeader header;
        if (packet->GetSize() >= header.GetSerializedSize())
        {
            packet->RemoveHeader(header);
            HandleFragment(header, from);
        }
    }
}

bool
SplitInferenceEdge::IsCurrent(const FragmentHeader& header) const
{
    return m_hasStep && header.request == m_step.request && header.step == m_step.step;
}

bool
SplitInferenceEdge::IsNewer(const FragmentHeader& header) const
{
    return !m_hasStep || header.request > m_step.request ||
           (header.request == m_step.request && header.step > m_step.step);
}

void
SplitInferenceEdge::HandleFragment(const FragmentHeader& header, const Address& from)
{
    if (IsNewer(header))
    {
        BeginStep(header, from);
    }
    if (IsCurrent(header) && m_phase == Phase::COLLECTING)
    {
        Collect(header);
        return;
    }
    NoteArrived(header, false);
    if (IsCurrent(header) && m_phase == Phase::ANSWERED && header.attempt > m_answeredAttempt)
    {
        SendToken(header.attempt);
    }
}

void
SplitInferenceEdge::NoteArrived(const FragmentHeader& header, bool inTime)
{
    const bool isParity = header.fragment >= header.stepFragments;
    if (!isParity && header.request == m_recorder->Current().request)
    {
        m_recorder->NoteArrived(header.GetRow(), header.attempt, inTime);
    }
}

void
SplitInferenceEdge::BeginStep(const FragmentHeader& header, const Address& from)
{
    m_reassemblyTimeout.Cancel();
    m_hasStep = true;
    m_phase = Phase::COLLECTING;
    m_step = header;
    m_ue = from;
    m_groups = FecGroups(m_transport, header.stepFragments);
    m_seen.assign(m_groups.Packets(), false);
    m_there.assign(header.stepFragments, false);
    m_groupMissing = m_groups.Sizes();
    m_missing = header.stepFragments;
    m_answeredAttempt = -1;
}

void
SplitInferenceEdge::Collect(const FragmentHeader& header)
{
    if (header.fragment >= m_seen.size() || m_seen[header.fragment])
    {
        return;
    }
    m_seen[header.fragment] = true;
    m_step.attempt = std::max(m_step.attempt, header.attempt);
    NoteArrived(header, true);
    if (header.fragment < m_there.size() && !m_there[header.fragment])
    {
        m_there[header.fragment] = true;
        m_missing--;
    }
    if (m_groups.HasParity())
    {
        const uint32_t group = m_groups.GroupOf(header.fragment);
        if (m_groupMissing[group] > 0 && --m_groupMissing[group] == 0)
        {
            Recover(group);
        }
    }
    // Also for parity that nobody needs: the UE is sending.
    m_reassemblyTimeout.Cancel();
    if (m_missing == 0)
    {
        Compute();
        return;
    }
    m_reassemblyTimeout = Simulator::Schedule(Seconds(m_transport.reassemblyTimeoutS),
                                              &SplitInferenceEdge::HandleSilence,
                                              this);
}

void
SplitInferenceEdge::HandleSilence()
{
    // With nothing but some parity there is nothing to compute with; the UE will send again.
    if (m_missing < m_step.stepFragments)
    {
        Compute();
    }
}

void
SplitInferenceEdge::Recover(uint32_t group)
{
    const auto [first, behind] = m_groups.Fragments(group);
    FragmentHeader header = m_step;
    for (header.fragment = first; header.fragment < behind; header.fragment++)
    {
        if (!m_there[header.fragment])
        {
            m_there[header.fragment] = true;
            m_missing--;
            if (header.request == m_recorder->Current().request)
            {
                m_recorder->NoteRecovered(header.GetRow());
            }
        }
    }
}

Time
SplitInferenceEdge::ServiceTime() const
{
    const double blocks = m_compute.numLayers - m_step.split;
    const auto& edge = m_compute.edge;
    const double blockS = m_step.step == 0
                              ? edge.prefillBlockS.at(m_step.promptTokens)
                              : edge.decodeBlockS.at(m_step.promptTokens + m_step.step);
    return Seconds(blocks * blockS + edge.headS);
}

void
SplitInferenceEdge::Compute()
{
    m_phase = Phase::COMPUTING;
    const Time service = ServiceTime();
    const auto request = m_step.request;
    const auto step = m_step.step;
    const Time wait = m_queue->Submit(service, [this, request, step] { Answer(request, step); });
    if (m_recorder->IsOpen() && request == m_recorder->Current().request)
    {
        m_recorder->Current().edgeComputeS += service.GetSeconds();
        m_recorder->Current().edgeQueueS += wait.GetSeconds();
    }
}

void
SplitInferenceEdge::Answer(uint32_t request, uint16_t step)
{
    if (!m_socket || m_step.request != request || m_step.step != step)
    {
        return; // the UE has moved on to another request meanwhile
    }
    m_phase = Phase::ANSWERED;
    SendToken(m_step.attempt);
}

void
SplitInferenceEdge::SendToken(uint8_t attempt)
{
    m_answeredAttempt = attempt;
    auto packet = Create<Packet>(m_transport.tokenIdBytes);
    FragmentHeader header = m_step;
    header.attempt = attempt;
    packet->AddHeader(header);
    FragmentTag tag;
    tag.request = m_step.request;
    tag.index = m_step.step;
    tag.downlink = true;
    tag.ue = m_servedUe;
    packet->AddByteTag(tag);
    const auto bytes = packet->GetSize();
    m_socket->SendTo(packet, 0, m_ue);
    if (m_recorder->IsOpen() && m_step.request == m_recorder->Current().request)
    {
        m_recorder->Current().downlinkBytes += bytes;
        m_recorder->NoteReplySent(m_step.step);
    }
}

} // namespace splitsim
