/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "zone-loss-model.h"

#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(ZoneLossModel);

TypeId
ZoneLossModel::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::ZoneLossModel")
                            .SetParent<ExcessLossModel>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<ZoneLossModel>();
    return tid;
}

ZoneLossModel::ZoneLossModel() = default;

void
ZoneLossModel::Configure(std::vector<Zone> zones)
{
    m_zones = std::move(zones);
}

double
ZoneLossModel::GetLossDb(Ptr<MobilityModel> a, Ptr<MobilityModel> b) const
{
    const auto placeA = a->GetPosition();
    const auto placeB = b->GetPosition();
    double lossDb = 0;
    for (const auto& zone : m_zones)
    {
        lossDb += zone.box.IsInside(placeA) != zone.box.IsInside(placeB) ? zone.lossDb : 0;
    }
    return lossDb;
}

} // namespace splitsim
