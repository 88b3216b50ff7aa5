/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_FEC_GROUPS_H
#define SPLITSIM_FEC_GROUPS_H

#include "../../scenario/scenario-config.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace splitsim
{

/**
 * How the fragments of a step are protected: each group of `fecData` of them, one after another, by
 * `fecParity` packets of parity, as a maximum distance separable code such as Reed-Solomon's makes
 * them: any packets of a group recover it once they are as many as its fragments. The last group may
 * be smaller. Packets are numbered: the fragments, then the parity, group by group.
 */
class FecGroups
{
  public:
    FecGroups() = default;
    /**
     * @param transport how many of each
     * @param fragments of the step
     */
    FecGroups(const TransportConfig& transport, uint32_t fragments);

    /** @return whether there is any parity */
    bool HasParity() const;
    /** @return fragments and parity packets of the step */
    uint32_t Packets() const;
    /** @return fragments of each group; empty without parity */
    std::vector<uint32_t> Sizes() const;
    /** @param packet number of a fragment or of parity. @return its group */
    uint32_t GroupOf(uint32_t packet) const;
    /** @param group number. @return its first fragment, and the one behind its last */
    std::pair<uint32_t, uint32_t> Fragments(uint32_t group) const;
    /** @param group number. @return its parity packets */
    std::vector<uint32_t> ParityOf(uint32_t group) const;
    /** @return all packets as they are sent: a group's fragments, then its parity */
    std::vector<uint32_t> Order() const;

  private:
    uint32_t Groups() const;

    uint32_t m_data{0};
    uint32_t m_parity{0};
    uint32_t m_fragments{0};
};

} // namespace splitsim

#endif // SPLITSIM_FEC_GROUPS_H
