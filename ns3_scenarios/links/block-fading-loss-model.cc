/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "block-fading-loss-model.h"

#include "ns3/mobility-model.h"
#include "ns3/node.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>

namespace splitsim
{

using namespace ns3;

namespace
{

/// Family of counter-based numbers; streams below it belong to scenario/exogenous.cc.
constexpr uint64_t FADING_STREAM = 1000;

} // namespace

NS_OBJECT_ENSURE_REGISTERED(BlockFadingLossModel);

TypeId
BlockFadingLossModel::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::BlockFadingLossModel")
                            .SetParent<PropagationLossModel>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<BlockFadingLossModel>();
    return tid;
}

BlockFadingLossModel::BlockFadingLossModel() = default;

void
BlockFadingLossModel::Configure(uint64_t seed, double nakagamiM, double coherenceTimeS)
{
    m_seed = seed;
    m_nakagamiM = nakagamiM;
    m_coherenceTimeS = coherenceTimeS;
    m_cache.clear();
}

double
BlockFadingLossModel::GetGainDb(uint32_t nodeA, uint32_t nodeB, uint64_t block) const
{
    const auto [low, high] = std::minmax(nodeA, nodeB);
    const uint64_t link = (static_cast<uint64_t>(low) << 32) | high;
    CounterRandom random(m_seed, FADING_STREAM + link);
    return 10.0 * std::log10(random.UnitMeanGamma(block, m_nakagamiM));
}

double
BlockFadingLossModel::DoCalcRxPower(double txPowerDbm,
                                    Ptr<MobilityModel> a,
                                    Ptr<MobilityModel> b) const
{
    const auto idA = a->GetObject<Node>()->GetId();
    const auto idB = b->GetObject<Node>()->GetId();
    const auto block = static_cast<uint64_t>(Simulator::Now().GetSeconds() / m_coherenceTimeS);
    auto& cached = m_cache[std::minmax(idA, idB)];
    if (cached.block != block)
    {
        cached = {block, GetGainDb(idA, idB, block)};
    }
    return txPowerDbm + cached.gainDb;
}

int64_t
BlockFadingLossModel::DoAssignStreams(int64_t /* stream */)
{
    return 0; // nothing is drawn from ns-3's streams
}

} // namespace splitsim
