/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "video-source.h"

#include "../scenario/exogenous.h"

#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/udp-socket-factory.h"

#include <algorithm>
#include <cmath>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(VideoSource);

namespace
{

/// Of the Gamma variable: the standard deviation is 0.58 of the mean.
constexpr double FRAME_SHAPE = 3;
/// Families of counter-based numbers, as in scenario/exogenous.cc.
constexpr uint64_t FRAMES_STREAM = 6;

} // namespace

TypeId
VideoSource::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::VideoSource")
                            .SetParent<Application>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<VideoSource>();
    return tid;
}

VideoSource::VideoSource() = default;

void
VideoSource::Configure(const InetSocketAddress& to,
                       double framesPerS,
                       double meanFrameBytes,
                       uint32_t packetBytes,
                       uint64_t key)
{
    m_to = to;
    m_interval = Seconds(1.0 / framesPerS);
    m_meanFrameBytes = meanFrameBytes;
    m_packetBytes = packetBytes;
    m_key = key;
}

void
VideoSource::StartApplication()
{
    m_socket = Socket::CreateSocket(GetNode(), UdpSocketFactory::GetTypeId());
    m_socket->Bind();
    m_socket->Connect(m_to);
    SendFrame(0);
}

void
VideoSource::StopApplication()
{
    m_next.Cancel();
    if (m_socket)
    {
        m_socket->Close();
        m_socket = nullptr;
    }
}

uint32_t
VideoSource::FrameBytes(uint64_t frame) const
{
    const CounterRandom random(m_key, FRAMES_STREAM);
    const double bytes = m_meanFrameBytes * random.UnitMeanGamma(frame, FRAME_SHAPE);
    return std::max(1U, static_cast<uint32_t>(std::lround(bytes)));
}

void
VideoSource::SendFrame(uint64_t frame)
{
    for (uint32_t left = FrameBytes(frame); left > 0;)
    {
        const auto bytes = std::min(left, m_packetBytes);
        m_socket->Send(Create<Packet>(bytes));
        left -= bytes;
    }
    m_next = Simulator::Schedule(m_interval, &VideoSource::SendFrame, this, frame + 1);
}

} // namespace splitsim
