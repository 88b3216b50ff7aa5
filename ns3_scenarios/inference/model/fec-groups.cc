/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "fec-groups.h"

#include <algorithm>
#include <numeric>

namespace splitsim
{

FecGroups::FecGroups(const TransportConfig& transport, uint32_t fragments)
    : m_data(transport.fecData),
      m_parity(transport.fecParity),
      m_fragments(fragments)
{
}

bool
FecGroups::HasParity() const
{
    return m_data > 0;
}

uint32_t
FecGroups::Groups() const
{
    return HasParity() ? (m_fragments + m_data - 1) / m_data : 0;
}

uint32_t
FecGroups::Packets() const
{
    return m_fragments + Groups() * m_parity;
}

std::vector<uint32_t>
FecGroups::Sizes() const
{
    std::vector<uint32_t> sizes;
    for (uint32_t group = 0; group < Groups(); group++)
    {
        const auto [first, behind] = Fragments(group);
        sizes.push_back(behind - first);
    }
    return sizes;
}

uint32_t
FecGroups::GroupOf(uint32_t packet) const
{
    return packet < m_fragments ? packet / m_data : (packet - m_fragments) / m_parity;
}

std::pair<uint32_t, uint32_t>
FecGroups::Fragments(uint32_t group) const
{
    return {group * m_data, std::min(m_fragments, (group + 1) * m_data)};
}

std::vector<uint32_t>
FecGroups::ParityOf(uint32_t group) const
{
    std::vector<uint32_t> packets(m_parity);
    std::iota(packets.begin(), packets.end(), m_fragments + group * m_parity);
    return packets;
}

std::vector<uint32_t>
FecGroups::Order() const
{
    std::vector<uint32_t> order;
    if (!HasParity())
    {
        order.resize(m_fragments);
        std::iota(order.begin(), order.end(), 0);
        return order;
    }
    for (uint32_t group = 0; group < Groups(); group++)
    {
        const auto [first, behind] = Fragments(group);
        for (uint32_t fragment = first; fragment < behind; fragment++)
        {
            order.push_back(fragment);
        }
        const auto parity = ParityOf(group);
        order.insert(order.end(), parity.begin(), parity.end());
    }
    return order;
}

} // namespace splitsim
