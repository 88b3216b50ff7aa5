/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_LTE_BUFFER_PROBE_H
#define SPLITSIM_LTE_BUFFER_PROBE_H

#include "ns3/lte-mac-sap.h"

#include <cstdint>
#include <functional>

namespace splitsim
{

/**
 * Stands between a UE's RLC entities and its MAC and hears how much the data bearer's buffer holds:
 * ns-3 has no trace of that. Passes everything on.
 */
class LteBufferProbe : public ns3::LteMacSapProvider
{
  public:
    /** @param mac what the RLC entities spoke to until now; must outlive this */
    explicit LteBufferProbe(ns3::LteMacSapProvider* mac);

    /** @param onSent called with the bytes of every PDU of the data bearer that left the buffer */
    void SetSentCallback(std::function<void(uint32_t)> onSent);
    /** @param bytes of the packets that the buffer is counted in */
    void SetPacketBytes(uint32_t bytes);
    /** The bearer is gone, and what it held with it. */
    void Reset();
    /** @return packets in the buffer */
    uint32_t GetPackets() const;

    void TransmitPdu(TransmitPduParameters params) override;
    void ReportBufferStatus(ReportBufferStatusParameters params) override;

  private:
    ns3::LteMacSapProvider* m_mac;
    std::function<void(uint32_t)> m_onSent;
    uint32_t m_bytes{0};
    uint32_t m_packetBytes{1};
};

} // namespace splitsim

#endif // SPLITSIM_LTE_BUFFER_PROBE_H
