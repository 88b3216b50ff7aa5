/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "split-inference-ue.h"

#include "fec-groups.h"

#include "ns3/abort.h"
#include "ns3/inet-socket-address.h"
#include "ns3/log.h"
#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/udp-socket-factory.h"

#include <algorithm>

namespace splitsim
{

using namespace ns3;

NS_LOG_COMPONENT_DEFINE("SplitInferenceUe");
NS_OBJECT_ENSURE_REGISTERED(SplitInferenceUe);

namespace
{

/// How often a full device queue is looked at where nothing leaves it.
const Time ROOM_CHECK = MilliSeconds(20);

} // namespace

TypeId
SplitInferenceUe::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::SplitInferenceUe")
                            .SetParent<Application>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<SplitInferenceUe>();
    return tid;
}

SplitInferenceUe::SplitInferenceUe() = default;

void
SplitInferenceUe::Configure(const TransportConfig& transport,
                            const ComputeConfig& compute,
                            Ptr<DeliveryRecorder> recorder,
                            uint32_t ue,
                            Ipv4Address edgeAddress,
                            uint16_t edgePort,
                            QueueDepth queueDepth)
{
    m_transport = transport;
    m_compute = compute;
    m_recorder = recorder;
    m_ue = ue;
    m_edgeAddress = edgeAddress;
    m_edgePort = edgePort;
    m_queueDepth = std::move(queueDepth);
}

void
SplitInferenceUe::StartApplication()
{
    m_socket = Socket::CreateSocket(GetNode(), UdpSocketFactory::GetTypeId());
    m_socket->Bind();
    m_socket->Connect(InetSocketAddress(m_edgeAddress, m_edgePort));
    m_socket->SetRecvCallback(MakeCallback(&SplitInferenceUe::HandleRead, this));
}

void
SplitInferenceUe::StopApplication()
{
    CancelEvents();
    if (m_socket)
    {
        m_socket->Close();
        m_socket = nullptr;
    }
}

void
SplitInferenceUe::CancelEvents()
{
    for (auto* event : {&m_computeDone, &m_retry, &m_deadline, &m_room})
    {
        event->Cancel();
    }
}

bool
SplitInferenceUe::AllLocal() const
{
    return m_recorder->Current().split == m_compute.numLayers;
}

void
SplitInferenceUe::StartRequest(uint32_t index,
                               const Request& request,
                               uint32_t action,
                               uint32_t split,
                               uint32_t codecIndex,
                               const CodecConfig& codec,
                               double deadlineS)
{
    NS_ABORT_MSG_IF(m_recorder->IsOpen(), "a request starts while another one runs");
    DeliveryRecord record;
    record.request = index;
    record.action = action;
    record.split = split;
    record.codec = codecIndex;
    record.promptTokens = request.promptTokens;
    record.outputTokens = request.outputTokens;
    record.arrivalS = Simulator::Now().GetSeconds();
    record.fragmentsPerToken =
        split == m_compute.numLayers ? 0 : static_cast<uint32_t>(codec.fragmentBytes.size());
    m_recorder->Begin(record);
    m_codec = codec;
    m_deadlineS = deadlineS;
    m_deadline = Simulator::Schedule(Seconds(deadlineS),
                                     &SplitInferenceUe::Finish,
                                     this,
                                     std::string("deadline"));
    BeginStep(0);
}

Time
SplitInferenceUe::ComputeTime(uint32_t step) const
{
    const auto& record = m_recorder->Current();
    const auto& ue = m_compute.ue;
    const double blockS = step == 0 ? ue.prefillBlockS.at(record.promptTokens)
                                    : ue.decodeBlockS.at(record.promptTokens + step);
    return Seconds(record.split * blockS + (AllLocal() ? ue.headS : 0.0));
}

void
SplitInferenceUe::BeginStep(uint32_t step)
{
    m_step = step;
    m_attempt = 0;
    m_computeStart = Simulator::Now();
    m_computeDone = Simulator::Schedule(ComputeTime(step), &SplitInferenceUe::FinishCompute, this);
}

void
SplitInferenceUe::CountCompute()
{
    auto& record = m_recorder->Current();
    const double computeS = (Simulator::Now() - m_computeStart).GetSeconds();
    record.ueComputeS += computeS;
    record.ueComputeEnergyJ += computeS * m_compute.ue.powerW;
}

void
SplitInferenceUe::FinishCompute()
{
    CountCompute();
    const auto& record = m_recorder->Current();
    if (AllLocal())
    {
        HandleToken(m_step);
        return;
    }
    m_stepFragments = (m_step == 0 ? record.promptTokens : 1) * record.fragmentsPerToken;
    m_order = FecGroups(m_transport, m_stepFragments).Order();
    SendStep();
}

void
SplitInferenceUe::SendStep()
{
    m_next = 0;
    m_sending = true;
    SendMore();
}

void
SplitInferenceUe::NotifyRoom()
{
    // Called from inside the queue, so the sending itself waits for the event loop.
    if (m_sending)
    {
        m_room.Cancel();
        m_room = Simulator::ScheduleNow(&SplitInferenceUe::SendMore, this);
    }
}

void
SplitInferenceUe::SendMore()
{
    while (m_sending && m_queueDepth() < m_transport.deviceQueueWindow)
    {
        SendFragment(m_order[m_next]);
        if (++m_next == m_order.size())
        {
            m_sending = false;
            m_retry = Simulator::Schedule(
                Seconds(m_transport.reassemblyTimeoutS + m_transport.retryTimeoutS),
                &SplitInferenceUe::HandleSilence,
                this);
        }
    }
    if (m_sending && m_room.IsExpired())
    {
        // The queue tells of packets that leave it, not of those that only grow too old in it.
        m_room = Simulator::Schedule(ROOM_CHECK, &SplitInferenceUe::SendMore, this);
    }
}

void
SplitInferenceUe::SendFragment(uint32_t fragment)
{
    auto& record = m_recorder->Current();
    const bool isParity = fragment >= m_stepFragments;
    auto packet = Create<Packet>(isParity ? ParityBytes(fragment) : DataBytes(fragment));
    FragmentHeader header;
    header.request = record.request;
    header.step = static_cast<uint16_t>(m_step);
    header.attempt = m_attempt;
    header.split = static_cast<uint8_t>(record.split);
    header.fragment = fragment;
    header.stepFragments = m_stepFragments;
    header.promptTokens = record.promptTokens;
    header.fragmentsPerToken = static_cast<uint16_t>(record.fragmentsPerToken);
    header.codec = static_cast<uint16_t>(record.codec);
    packet->AddHeader(header);
    FragmentTag tag;
    tag.request = record.request;
    tag.index = isParity ? FragmentTag::NO_ROW : header.GetRow();
    tag.ue = m_ue;
    packet->AddByteTag(tag);
    record.uplinkPackets++;
    record.uplinkBytes += packet->GetSize();
    if (!isParity)
    {
        // Noted before: the stack may drop it, and say so, inside Send.
        m_recorder->NoteSent(tag.index);
    }
    m_socket->Send(packet);
}

uint32_t
SplitInferenceUe::DataBytes(uint32_t fragment) const
{
    return m_codec.fragmentBytes[fragment % m_recorder->Current().fragmentsPerToken];
}

uint32_t
SplitInferenceUe::ParityBytes(uint32_t fragment) const
{
    const FecGroups groups(m_transport, m_stepFragments);
    const auto [first, behind] = groups.Fragments(groups.GroupOf(fragment));
    uint32_t longest = 0;
    for (uint32_t i = first; i < behind; i++)
    {
        longest = std::max(longest, DataBytes(i));
    }
    return longest;
}

void
SplitInferenceUe::HandleRead(Ptr<Socket> socket)
{
    while (auto packet = socket->Recv())
    {
        FragmentHeader header;
        if (packet->GetSize() < header.GetSerializedSize())
        {
            continue;
        }
        packet->RemoveHeader(header);
        // A second copy of an older token id is what retries leave behind.
        if (m_recorder->IsOpen() && header.request == m_recorder->Current().request &&
            header.step == m_step && m_computeDone.IsExpired())
        {
            HandleToken(header.step);
        }
    }
}

void
SplitInferenceUe::HandleToken(uint32_t step)
{
    auto& record = m_recorder->Current();
    m_sending = false;
    m_retry.Cancel();
    m_recorder->NoteToken(step);
    if (step + 1 == record.outputTokens)
    {
        Finish("");
        return;
    }
    BeginStep(step + 1);
}

void
SplitInferenceUe::HandleSilence()
{
    if (m_attempt >= m_transport.maxRetries)
    {
        Finish("retries");
        return;
    }
    m_attempt++;
    m_recorder->Current().attempts[m_step] = m_attempt;
    SendStep();
}

void
SplitInferenceUe::Finish(const std::string& failReason)
{
    if (!m_computeDone.IsExpired())
    {
        CountCompute();
    }
    m_sending = false;
    CancelEvents();
    const double elapsedS = Simulator::Now().GetSeconds() - m_recorder->Current().arrivalS;
    m_recorder->End(failReason, failReason.empty() ? elapsedS : m_deadlineS);
}

} // namespace splitsim
