/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "obstacle-loss-model.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(ObstacleLossModel);

TypeId
ObstacleLossModel::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::ObstacleLossModel")
                            .SetParent<ExcessLossModel>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<ObstacleLossModel>();
    return tid;
}

ObstacleLossModel::ObstacleLossModel() = default;

void
ObstacleLossModel::Configure(std::vector<Obstacle> obstacles)
{
    m_obstacles = std::move(obstacles);
}

bool
ObstacleLossModel::Blocks(const Obstacle& obstacle,
                          const Vector& centre,
                          const Vector& a,
                          const Vector& b)
{
    // Points a + t (b - a) within the radius on the ground: a quadratic in t.
    const Vector2D by(b.x - a.x, b.y - a.y);
    const Vector2D from(a.x - centre.x, a.y - centre.y);
    const double squared = by.x * by.x + by.y * by.y;
    const double half = from.x * by.x + from.y * by.y;
    const double outside = from.x * from.x + from.y * from.y - obstacle.radiusM * obstacle.radiusM;
    double first = 0;
    double last = 1;
    if (squared > 0)
    {
        const double discriminant = half * half - squared * outside;
        if (discriminant < 0)
        {
            return false;
        }
        first = std::max(first, (-half - std::sqrt(discriminant)) / squared);
        last = std::min(last, (-half + std::sqrt(discriminant)) / squared);
    }
    else if (outside > 0)
    {
        return false;
    }
    const double lowestM = a.z + (b.z < a.z ? last : first) * (b.z - a.z);
    return first < last && lowestM < obstacle.heightM;
}

double
ObstacleLossModel::GetLossDb(Ptr<MobilityModel> a, Ptr<MobilityModel> b) const
{
    const auto placeA = a->GetPosition();
    const auto placeB = b->GetPosition();
    double lossDb = 0;
    for (const auto& obstacle : m_obstacles)
    {
        const auto centre = obstacle.mobility->GetPosition();
        lossDb += Blocks(obstacle, centre, placeA, placeB) ? obstacle.lossDb : 0;
    }
    return lossDb;
}

} // namespace splitsim
