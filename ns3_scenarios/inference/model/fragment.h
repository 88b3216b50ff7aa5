/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_FRAGMENT_H
#define SPLITSIM_FRAGMENT_H

#include "ns3/header.h"
#include "ns3/tag.h"

#include <cstdint>
#include <limits>

namespace splitsim
{

/** What stands before the tensor bytes of a packet, in both directions: 24 bytes. */
class FragmentHeader : public ns3::Header
{
  public:
    static ns3::TypeId GetTypeId();
    ns3::TypeId GetInstanceTypeId() const override;
    /** @return row of the delivery record: those of a step stand behind those of the tokens before */
    uint32_t GetRow() const;

    uint32_t GetSerializedSize() const override;
    void Serialize(ns3::Buffer::Iterator start) const override;
    uint32_t Deserialize(ns3::Buffer::Iterator start) override;
    void Print(std::ostream& os) const override;

    uint32_t request{0};  ///< index of the request in the episode
    uint16_t step{0};     ///< 0 is the prefill, i the i-th decode step
    uint8_t attempt{0};   ///< 0 is the first sending
    uint8_t split{0};     ///< blocks that the UE has computed
    uint32_t fragment{0}; ///< index among the fragments of this step; behind them, of its parity
    uint32_t stepFragments{0}; ///< fragments of this step
    uint32_t promptTokens{0};  ///< of the request; the edge derives the step's work from it
    uint16_t fragmentsPerToken{0};
    uint16_t codec{0};
};

/** Names a fragment wherever the stack drops its packet. Travels beside the packet, costs no bytes.
 */
class FragmentTag : public ns3::Tag
{
  public:
    /// Row of what has none in the record: parity.
    static constexpr uint32_t NO_ROW = std::numeric_limits<uint32_t>::max();

    static ns3::TypeId GetTypeId();
    ns3::TypeId GetInstanceTypeId() const override;
    uint32_t GetSerializedSize() const override;
    void Serialize(ns3::TagBuffer buffer) const override;
    void Deserialize(ns3::TagBuffer buffer) override;
    void Print(std::ostream& os) const override;

    uint32_t request{0};
    uint32_t index{0}; ///< row of the delivery record: fragment (uplink) or step (downlink)
    bool downlink{false};
    uint32_t ue{0}; ///< whose
};

} // namespace splitsim

#endif // SPLITSIM_FRAGMENT_H
