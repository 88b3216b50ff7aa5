/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "mobility-builder.h"

#include "ns3/boolean.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/double.h"
#include "ns3/pointer.h"
#include "ns3/position-allocator.h"
#include "ns3/random-variable-stream.h"
#include "ns3/random-waypoint-mobility-model.h"
#include "ns3/waypoint-mobility-model.h"

namespace splitsim
{

using namespace ns3;

namespace
{

Vector
ToVector(const Position& position)
{
    return {position.xM, position.yM, position.zM};
}

Ptr<UniformRandomVariable>
Uniform(const Range& range)
{
    auto variable = CreateObject<UniformRandomVariable>();
    variable->SetAttribute("Min", DoubleValue(range.low));
    variable->SetAttribute("Max", DoubleValue(range.high));
    return variable;
}

Ptr<MobilityModel>
MakeRandomWaypoint(const MobilityConfig& config, int64_t stream)
{
    auto allocator = CreateObject<RandomRectanglePositionAllocator>();
    allocator->SetX(Uniform(config.areaXM));
    allocator->SetY(Uniform(config.areaYM));
    allocator->SetZ(config.heightM);
    auto model = CreateObject<RandomWaypointMobilityModel>();
    model->SetAttribute("Speed", PointerValue(Uniform(config.speedMps)));
    model->SetAttribute("Pause", PointerValue(Uniform(config.pauseS)));
    model->SetAttribute("PositionAllocator", PointerValue(allocator));
    model->AssignStreams(stream);
    model->SetPosition(allocator->GetNext());
    return model;
}

Ptr<MobilityModel>
MakeWaypoints(const MobilityConfig& config)
{
    auto model = CreateObject<WaypointMobilityModel>();
    // ns-3 jumps to the first waypoint at its time; before that the UE stands there.
    model->SetAttribute("InitialPositionIsWaypoint", BooleanValue(false));
    const auto& first = config.waypoints.front();
    if (first.timeS > 0)
    {
        model->AddWaypoint({Seconds(0), ToVector(first.position)});
    }
    for (const auto& waypoint : config.waypoints)
    {
        model->AddWaypoint({Seconds(waypoint.timeS), ToVector(waypoint.position)});
    }
    return model;
}

} // namespace

void
InstallFixed(Ptr<Node> node, const Position& position)
{
    auto model = CreateObject<ConstantPositionMobilityModel>();
    model->SetPosition(ToVector(position));
    node->AggregateObject(model);
}

void
InstallMobility(const MobilityConfig& config, Ptr<Node> node, int64_t stream)
{
    if (config.model == "constant")
    {
        InstallFixed(node, config.position);
    }
    else if (config.model == "waypoints")
    {
        node->AggregateObject(MakeWaypoints(config));
    }
    else
    {
        node->AggregateObject(MakeRandomWaypoint(config, stream));
    }
}

} // namespace splitsim
