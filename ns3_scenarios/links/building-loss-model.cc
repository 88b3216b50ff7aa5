/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "building-loss-model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(BuildingLossModel);

namespace
{

constexpr double INNER_WALL_DB = 5;

double
OuterWallDb(Building::ExtWallsType_t walls)
{
    switch (walls)
    {
    case Building::Wood:
        return 4;
    case Building::ConcreteWithWindows:
        return 7;
    case Building::ConcreteWithoutWindows:
        return 15;
    case Building::StoneBlocks:
        return 12;
    }
    return 0;
}

double
FloorsDb(Building::BuildingType_t type, int floors)
{
    if (floors == 0)
    {
        return 0;
    }
    switch (type)
    {
    case Building::Residential:
        return 4.0 * floors;
    case Building::Office:
        return 15 + 4.0 * (floors - 1);
    case Building::Commercial:
        return 6 + 3.0 * (floors - 1);
    }
    return 0;
}

/// Which share of a line lies in a box; empty when first >= last.
struct Stretch
{
    double first{0};
    double last{1};

    /// Keeps what lies between two parallel sides; @p from and @p by are the line's along that axis.
    void Clip(double low, double high, double from, double by)
    {
        if (by == 0)
        {
            last = from > low && from < high ? last : first;
            return;
        }
        const auto [in, out] = std::minmax({(low - from) / by, (high - from) / by});
        first = std::max(first, in);
        last = std::min(last, out);
    }
};

/// Which of @p parts equal parts of an extent a coordinate lies in.
int
PartOf(double low, double high, int parts, double at)
{
    const int part = static_cast<int>(std::floor((at - low) / (high - low) * parts));
    return std::clamp(part, 0, parts - 1);
}

} // namespace

TypeId
BuildingLossModel::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::BuildingLossModel")
                            .SetParent<ExcessLossModel>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<BuildingLossModel>();
    return tid;
}

BuildingLossModel::BuildingLossModel() = default;

void
BuildingLossModel::Configure(std::vector<Ptr<Building>> buildings)
{
    m_buildings = std::move(buildings);
}

double
BuildingLossModel::GetBuildingLossDb(const Building& building, const Vector& a, const Vector& b)
{
    const auto box = building.GetBoundaries();
    const Vector by(b.x - a.x, b.y - a.y, b.z - a.z);
    Stretch inside;
    inside.Clip(box.xMin, box.xMax, a.x, by.x);
    inside.Clip(box.yMin, box.yMax, a.y, by.y);
    inside.Clip(box.zMin, box.zMax, a.z, by.z);
    if (inside.first >= inside.last)
    {
        return 0;
    }
    const int outerWalls = (inside.first > 0 ? 1 : 0) + (inside.last < 1 ? 1 : 0);
    const auto parts = [&](double low, double high, int count, double from, double along) {
        return std::abs(PartOf(low, high, count, from + inside.first * along) -
                        PartOf(low, high, count, from + inside.last * along));
    };
    // A straight line goes through each wall between its first and its last room once.
    const int innerWalls = parts(box.xMin, box.xMax, building.GetNRoomsX(), a.x, by.x) +
                           parts(box.yMin, box.yMax, building.GetNRoomsY(), a.y, by.y);
    const int floors = parts(box.zMin, box.zMax, building.GetNFloors(), a.z, by.z);
    return outerWalls * OuterWallDb(building.GetExtWallsType()) + innerWalls * INNER_WALL_DB +
           FloorsDb(building.GetBuildingType(), floors);
}

double
BuildingLossModel::GetLossDb(Ptr<MobilityModel> a, Ptr<MobilityModel> b) const
{
    const auto placeA = a->GetPosition();
    const auto placeB = b->GetPosition();
    double lossDb = 0;
    for (const auto& building : m_buildings)
    {
        lossDb += GetBuildingLossDb(*building, placeA, placeB);
    }
    return lossDb;
}

} // namespace splitsim
