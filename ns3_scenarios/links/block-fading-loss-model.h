/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_BLOCK_FADING_LOSS_MODEL_H
#define SPLITSIM_BLOCK_FADING_LOSS_MODEL_H

#include "../scenario/exogenous.h"

#include "ns3/propagation-loss-model.h"

#include <cstdint>
#include <map>
#include <utility>

namespace splitsim
{

/**
 * Nakagami-m block fading whose gain is a pure function of (seed, link, coherence block).
 *
 * ns-3's own Nakagami model draws at every call, so two calls at one instant differ and the channel
 * depends on what was sent. Here the power gain of a link is constant within a block of the
 * coherence time and independent between blocks, drawn from Gamma(m, 1/m) by counter. Links are
 * reciprocal.
 */
class BlockFadingLossModel : public ns3::PropagationLossModel
{
  public:
    static ns3::TypeId GetTypeId();
    BlockFadingLossModel();

    /**
     * @param seed the episode's seed
     * @param nakagamiM the shape m, 0.5 or more; 1 is Rayleigh
     * @param coherenceTimeS the length of a block in seconds
     */
    void Configure(uint64_t seed, double nakagamiM, double coherenceTimeS);

    /**
     * @param nodeA one end's node id
     * @param nodeB the other end's
     * @param block which coherence block, counted from time 0
     * @return the power gain in dB
     */
    double GetGainDb(uint32_t nodeA, uint32_t nodeB, uint64_t block) const;

  private:
    double DoCalcRxPower(double txPowerDbm,
                         ns3::Ptr<ns3::MobilityModel> a,
                         ns3::Ptr<ns3::MobilityModel> b) const override;
    int64_t DoAssignStreams(int64_t stream) override;

    struct CachedGain
    {
        uint64_t block{UINT64_MAX};
        double gainDb{0};
    };

    uint64_t m_seed{0};
    double m_nakagamiM{1};
    double m_coherenceTimeS{1};
    mutable std::map<std::pair<uint32_t, uint32_t>, CachedGain> m_cache;
};

} // namespace splitsim

#endif // SPLITSIM_BLOCK_FADING_LOSS_MODEL_H
