/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "shadowing-loss-model.h"

#include "../scenario/exogenous.h"

#include "ns3/node.h"

#include <bit>
#include <cmath>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(ShadowingLossModel);

namespace
{

/// Family of counter-based numbers that names the fields; those of fading begin at 1000.
constexpr uint64_t SHADOWING_STREAM = 900;

/// Where the field lies that two UEs share; no antenna stands there.
const Vector BETWEEN_UES(0, 0, -1e9);

} // namespace

TypeId
ShadowingLossModel::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::ShadowingLossModel")
                            .SetParent<ExcessLossModel>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<ShadowingLossModel>();
    return tid;
}

ShadowingLossModel::ShadowingLossModel() = default;

void
ShadowingLossModel::Configure(uint64_t seed,
                              double stdDb,
                              double decorrelationM,
                              const NodeContainer& ues)
{
    m_seed = seed;
    m_stdDb = stdDb;
    m_decorrelationM = decorrelationM;
    m_fields.clear();
    m_ues.clear();
    for (uint32_t i = 0; i < ues.GetN(); i++)
    {
        m_ues.insert(ues.Get(i)->GetId());
    }
}

bool
ShadowingLossModel::IsSite(Ptr<MobilityModel> end) const
{
    // A place without a node is where a UE might be, as a map asks for it.
    const auto node = end->GetObject<Node>();
    return node && m_ues.count(node->GetId()) == 0;
}

const CorrelatedField&
ShadowingLossModel::FieldOf(const Vector& site) const
{
    const Place place{site.x, site.y, site.z};
    auto found = m_fields.find(place);
    if (found == m_fields.end())
    {
        uint64_t stream = SHADOWING_STREAM;
        for (const double coordinate : {site.x, site.y, site.z})
        {
            // Adding 0 makes one of the two zeros.
            stream = CounterRandom(m_seed, stream).Bits(std::bit_cast<uint64_t>(coordinate + 0.0));
        }
        found = m_fields.emplace(place, CorrelatedField(m_seed, stream, m_decorrelationM)).first;
    }
    return found->second;
}

double
ShadowingLossModel::GetLossDb(Ptr<MobilityModel> a, Ptr<MobilityModel> b) const
{
    const auto placeA = a->GetPosition();
    const auto placeB = b->GetPosition();
    const bool siteA = IsSite(a);
    const bool siteB = IsSite(b);
    double value = 0;
    if (siteA != siteB)
    {
        const auto& site = siteA ? placeA : placeB;
        const auto& ue = siteA ? placeB : placeA;
        value = FieldOf(site).At(ue.x, ue.y);
    }
    else
    {
        // Neither end is the one that moves: both count, and the variance stays 1.
        const auto& fieldA = FieldOf(siteA ? placeB : BETWEEN_UES);
        const auto& fieldB = FieldOf(siteA ? placeA : BETWEEN_UES);
        value = (fieldA.At(placeA.x, placeA.y) + fieldB.At(placeB.x, placeB.y)) / std::sqrt(2.0);
    }
    return m_stdDb * value;
}

} // namespace splitsim
