/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "environment.h"

#include "../mobility/mobility-builder.h"
#include "../scenario/exogenous.h"
#include "block-fading-loss-model.h"
#include "building-loss-model.h"
#include "shadowing-loss-model.h"

#include "ns3/box.h"

#include <limits>
#include <map>
#include <string>

namespace splitsim
{

using namespace ns3;

namespace
{

void
Append(Ptr<PropagationLossModel> chain, Ptr<PropagationLossModel> last)
{
    while (chain->GetNext())
    {
        chain = chain->GetNext();
    }
    chain->SetNext(last);
}

/// Obstacles draw their places by counters of their own, behind those of any number of UEs.
constexpr uint32_t FIRST_OBSTACLE = 10000;

Box
ReadBox(const Section& section)
{
    Range x;
    Range y;
    Range z{-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    section.Read("x_m", x);
    section.Read("y_m", y);
    if (section.Has("z_m"))
    {
        section.Read("z_m", z);
    }
    return {x.low, x.high, y.low, y.high, z.low, z.high};
}

uint16_t
ReadCount(const Section& section, const std::string& key)
{
    uint32_t count = 0;
    section.Read(key, count);
    section.Require(count >= 1 && count <= 1000, key, "1 to 1000");
    return static_cast<uint16_t>(count);
}

Ptr<Building>
ReadBuilding(const Section& section)
{
    static const std::map<std::string, Building::BuildingType_t> types{
        {"residential", Building::Residential},
        {"office", Building::Office},
        {"commercial", Building::Commercial}};
    static const std::map<std::string, Building::ExtWallsType_t> walls{
        {"wood", Building::Wood},
        {"concrete-with-windows", Building::ConcreteWithWindows},
        {"concrete-without-windows", Building::ConcreteWithoutWindows},
        {"stone-blocks", Building::StoneBlocks}};
    auto building = CreateObject<Building>();
    building->SetBoundaries(ReadBox(section));
    building->SetBuildingType(
        types.at(section.ReadName("type", {"residential", "office", "commercial"})));
    building->SetExtWallsType(walls.at(section.ReadName(
        "walls",
        {"wood", "concrete-with-windows", "concrete-without-windows", "stone-blocks"})));
    building->SetNRoomsX(ReadCount(section, "rooms_x"));
    building->SetNRoomsY(ReadCount(section, "rooms_y"));
    building->SetNFloors(ReadCount(section, "floors"));
    return building;
}

double
ReadLoss(const Section& section)
{
    double lossDb = 0;
    section.Read("loss_db", lossDb);
    section.Require(lossDb >= 0, "loss_db", "0 or more");
    return lossDb;
}

void
ReadObstacles(const Section& section,
              uint64_t seed,
              int64_t stream,
              std::vector<Obstacle>& obstacles)
{
    Obstacle obstacle;
    section.Read("radius_m", obstacle.radiusM);
    section.Read("height_m", obstacle.heightM);
    obstacle.lossDb = ReadLoss(section);
    const auto mobility = ReadMobility(section["mobility"]);
    const auto count = ReadCount(section, "count");
    for (uint32_t member = 0; member < count; member++)
    {
        const auto index = static_cast<uint32_t>(obstacles.size());
        auto node = CreateObject<Node>();
        InstallMobility(mobility,
                        node,
                        {seed, FIRST_OBSTACLE + index, member, stream + index * STREAMS_PER_MOVER});
        obstacle.mobility = node->GetObject<MobilityModel>();
        obstacles.push_back(obstacle);
    }
}

} // namespace

std::shared_ptr<const Environment>
MakeEnvironment(const Section& section, uint64_t seed, int64_t stream)
{
    const ExogenousScope scope;
    auto environment = std::make_shared<Environment>();
    if (section.Has("shadowing"))
    {
        const auto shadowing = section["shadowing"];
        shadowing.Read("std_db", environment->shadowingStdDb);
        shadowing.Require(environment->shadowingStdDb >= 0, "std_db", "0 or more");
        shadowing.Read("decorrelation_m", environment->decorrelationM);
        shadowing.Require(environment->decorrelationM > 0, "decorrelation_m", "greater than 0");
    }
    for (const auto& building : section.List("buildings"))
    {
        environment->buildings.push_back(ReadBuilding(building));
    }
    for (const auto& zone : section.List("zones"))
    {
        environment->zones.push_back({ReadBox(zone), ReadLoss(zone)});
    }
    for (const auto& obstacles : section.List("obstacles"))
    {
        ReadObstacles(obstacles, seed, stream, environment->obstacles);
    }
    return environment;
}

void
AddEnvironment(Ptr<PropagationLossModel> pathLoss, const LinkContext& context)
{
    if (!context.environment)
    {
        return;
    }
    const auto& environment = *context.environment;
    if (environment.shadowingStdDb > 0)
    {
        auto shadowing = CreateObject<ShadowingLossModel>();
        shadowing->Configure(context.seed,
                             environment.shadowingStdDb,
                             environment.decorrelationM,
                             context.ues);
        Append(pathLoss, shadowing);
    }
    if (!environment.buildings.empty())
    {
        auto walls = CreateObject<BuildingLossModel>();
        walls->Configure(environment.buildings);
        Append(pathLoss, walls);
    }
    if (!environment.zones.empty())
    {
        auto zones = CreateObject<ZoneLossModel>();
        zones->Configure(environment.zones);
        Append(pathLoss, zones);
    }
    if (!environment.obstacles.empty())
    {
        auto obstacles = CreateObject<ObstacleLossModel>();
        obstacles->Configure(environment.obstacles);
        Append(pathLoss, obstacles);
    }
}

FadingConfig
ReadFading(const Section& section)
{
    FadingConfig fading;
    fading.model = section.ReadName("model", {"none", "nakagami-block"});
    section.Read("nakagami_m", fading.nakagamiM);
    section.Require(fading.nakagamiM >= 0.5, "nakagami_m", "0.5 or more");
    section.Read("coherence_time_s", fading.coherenceTimeS);
    section.Require(fading.coherenceTimeS >= 1e-9, "coherence_time_s", "at least 1e-9");
    return fading;
}

void
AddFading(Ptr<PropagationLossModel> chain, const FadingConfig& fading, uint64_t seed)
{
    if (fading.model == "nakagami-block")
    {
        auto model = CreateObject<BlockFadingLossModel>();
        model->Configure(seed, fading.nakagamiM, fading.coherenceTimeS);
        Append(chain, model);
    }
}

} // namespace splitsim
