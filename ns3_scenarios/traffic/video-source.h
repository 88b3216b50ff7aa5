/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_VIDEO_SOURCE_H
#define SPLITSIM_VIDEO_SOURCE_H

#include "ns3/application.h"
#include "ns3/event-id.h"
#include "ns3/inet-socket-address.h"
#include "ns3/socket.h"

#include <cstdint>

namespace splitsim
{

/**
 * Live video: a frame every 1/rate, sent at once as a burst of UDP packets.
 *
 * Frame k's size is a Gamma variable of the seed and k alone, so that what is offered depends on
 * nothing that the network does. Gamma is the shape found for conference video by Heyman, Tabatabai
 * and Lakshman (Statistical analysis and simulation study of video teleconference traffic in ATM
 * networks, IEEE Trans. CSVT 2(1), 1992); one frame doesn't remember another here.
 */
class VideoSource : public ns3::Application
{
  public:
    static ns3::TypeId GetTypeId();
    VideoSource();

    /**
     * @param to where the frames go
     * @param framesPerS frames per second
     * @param meanFrameBytes mean size of a frame
     * @param packetBytes UDP payload of all packets of a frame but its last
     * @param key of this source's frame sizes
     */
    void Configure(const ns3::InetSocketAddress& to,
                   double framesPerS,
                   double meanFrameBytes,
                   uint32_t packetBytes,
                   uint64_t key);

  private:
    void StartApplication() override;
    void StopApplication() override;
    void SendFrame(uint64_t frame);
    uint32_t FrameBytes(uint64_t frame) const;

    ns3::Address m_to;
    ns3::Time m_interval;
    double m_meanFrameBytes{0};
    uint32_t m_packetBytes{0};
    uint64_t m_key{0};
    ns3::Ptr<ns3::Socket> m_socket;
    ns3::EventId m_next;
};

} // namespace splitsim

#endif // SPLITSIM_VIDEO_SOURCE_H
