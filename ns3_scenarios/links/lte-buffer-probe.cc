/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "lte-buffer-probe.h"

#include <algorithm>
#include <utility>

namespace splitsim
{

using namespace ns3;

namespace
{

/// Logical channels below are signalling (3GPP TS 36.331, clause 9.2).
constexpr uint8_t FIRST_DATA_CHANNEL = 3;

} // namespace

LteBufferProbe::LteBufferProbe(LteMacSapProvider* mac)
    : m_mac(mac)
{
}

void
LteBufferProbe::SetSentCallback(std::function<void(uint32_t)> onSent)
{
    m_onSent = std::move(onSent);
}

void
LteBufferProbe::SetPacketBytes(uint32_t bytes)
{
    // RLC counts the PDCP header and two bytes of its own with each packet.
    m_packetBytes = bytes + 4;
}

void
LteBufferProbe::Reset()
{
    m_bytes = 0;
}

uint32_t
LteBufferProbe::GetPackets() const
{
    return (m_bytes + m_packetBytes - 1) / m_packetBytes;
}

void
LteBufferProbe::TransmitPdu(TransmitPduParameters params)
{
    const auto bytes = params.pdu->GetSize();
    m_mac->TransmitPdu(params);
    if (params.lcid >= FIRST_DATA_CHANNEL)
    {
        // RLC tells of what leaves only every 10 ms, so it is taken off here.
        m_bytes -= std::min(m_bytes, bytes);
        if (m_onSent)
        {
            m_onSent(bytes);
        }
    }
}

void
LteBufferProbe::ReportBufferStatus(ReportBufferStatusParameters params)
{
    if (params.lcid >= FIRST_DATA_CHANNEL)
    {
        // Told at once of every packet that comes.
        m_bytes = params.txQueueSize + params.retxQueueSize;
    }
    m_mac->ReportBufferStatus(params);
}

} // namespace splitsim
