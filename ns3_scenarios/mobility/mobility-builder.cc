/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "mobility-builder.h"

#include "../scenario/exogenous.h"

#include "ns3/box.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/constant-velocity-mobility-model.h"
#include "ns3/double.h"
#include "ns3/enum.h"
#include "ns3/gauss-markov-mobility-model.h"
#include "ns3/pointer.h"
#include "ns3/position-allocator.h"
#include "ns3/random-variable-stream.h"
#include "ns3/random-walk-2d-mobility-model.h"
#include "ns3/random-waypoint-mobility-model.h"
#include "ns3/rectangle.h"

#include <cmath>
#include <functional>
#include <map>

namespace splitsim
{

using namespace ns3;

namespace
{

/// Families of counter-based numbers, as in scenario/exogenous.cc.
constexpr uint64_t PLACEMENT_STREAM = 2;
constexpr uint64_t TRACK_STREAM = 4;

Vector
ToVector(const Point& position)
{
    return {position.xM, position.yM, position.zM};
}

double
Within(const Range& range, double share)
{
    return range.low + share * (range.high - range.low);
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
Fixed(const Point& position)
{
    auto model = CreateObject<ConstantPositionMobilityModel>();
    model->SetPosition(ToVector(position));
    return model;
}

Ptr<MobilityModel>
MakeConstant(const MobilityConfig& config, const Mover& /* mover */)
{
    return Fixed(config.position);
}

Ptr<MobilityModel>
MakeLinear(const MobilityConfig& config, const Mover& /* mover */)
{
    auto model = CreateObject<ConstantVelocityMobilityModel>();
    model->SetPosition(ToVector(config.position));
    model->SetVelocity(ToVector(config.velocity));
    return model;
}

Ptr<MobilityModel>
MakeRing(const MobilityConfig& config, const Mover& mover)
{
    CounterRandom random(mover.seed, PLACEMENT_STREAM);
    const double distanceM = Within(config.distanceM, random.Uniform(2 * mover.index));
    const double angle = 2 * M_PI * random.Uniform(2 * mover.index + 1);
    const auto& centre = config.position;
    return Fixed({centre.xM + distanceM * std::cos(angle),
                  centre.yM + distanceM * std::sin(angle),
                  centre.zM});
}

/// A place in the area, by the seed alone.
Point
PlaceIn(const MobilityConfig& config, const Mover& mover)
{
    CounterRandom random(mover.seed, PLACEMENT_STREAM);
    return {Within(config.areaXM, random.Uniform(2 * mover.index)),
            Within(config.areaYM, random.Uniform(2 * mover.index + 1)),
            config.heightM};
}

Ptr<MobilityModel>
MakeScatter(const MobilityConfig& config, const Mover& mover)
{
    return Fixed(PlaceIn(config, mover));
}

Ptr<MobilityModel>
MakeRandomWaypoint(const MobilityConfig& config, const Mover& mover)
{
    auto allocator = CreateObject<RandomRectanglePositionAllocator>();
    allocator->SetX(Uniform(config.areaXM));
    allocator->SetY(Uniform(config.areaYM));
    allocator->SetZ(config.heightM);
    auto model = CreateObject<RandomWaypointMobilityModel>();
    model->SetAttribute("Speed", PointerValue(Uniform(config.speedMps)));
    model->SetAttribute("Pause", PointerValue(Uniform(config.pauseS)));
    model->SetAttribute("PositionAllocator", PointerValue(allocator));
    model->AssignStreams(mover.stream);
    model->SetPosition(allocator->GetNext());
    return model;
}

Ptr<MobilityModel>
MakeRandomWalk(const MobilityConfig& config, const Mover& mover)
{
    auto model = CreateObject<RandomWalk2dMobilityModel>();
    model->SetAttribute("Bounds",
                        RectangleValue(Rectangle(config.areaXM.low,
                                                 config.areaXM.high,
                                                 config.areaYM.low,
                                                 config.areaYM.high)));
    model->SetAttribute("Mode", EnumValue(RandomWalk2dMobilityModel::MODE_TIME));
    model->SetAttribute("Time", TimeValue(Seconds(config.stepS)));
    model->SetAttribute("Speed", PointerValue(Uniform(config.speedMps)));
    model->AssignStreams(mover.stream);
    model->SetPosition(ToVector(PlaceIn(config, mover)));
    return model;
}

Ptr<MobilityModel>
MakeGaussMarkov(const MobilityConfig& config, const Mover& mover)
{
    auto model = CreateObject<GaussMarkovMobilityModel>();
    // A box without height: people walk on the ground.
    model->SetAttribute("Bounds",
                        BoxValue(Box(config.areaXM.low,
                                     config.areaXM.high,
                                     config.areaYM.low,
                                     config.areaYM.high,
                                     config.heightM,
                                     config.heightM)));
    model->SetAttribute("TimeStep", TimeValue(Seconds(config.stepS)));
    model->SetAttribute("Alpha", DoubleValue(config.alpha));
    model->SetAttribute("MeanVelocity", PointerValue(Uniform(config.speedMps)));
    auto pitch = CreateObject<ConstantRandomVariable>();
    pitch->SetAttribute("Constant", DoubleValue(0));
    model->SetAttribute("MeanPitch", PointerValue(pitch));
    auto noPitch = CreateObject<NormalRandomVariable>();
    noPitch->SetAttribute("Variance", DoubleValue(0));
    model->SetAttribute("NormalPitch", PointerValue(noPitch));
    model->AssignStreams(mover.stream);
    model->SetPosition(ToVector(PlaceIn(config, mover)));
    return model;
}

Ptr<MobilityModel>
MakeTrack(const MobilityConfig& config, const Mover& mover)
{
    CounterRandom random(mover.seed, TRACK_STREAM);
    const auto count = config.tracks.size();
    const auto chosen = static_cast<std::size_t>(random.Uniform(2 * mover.index) * count);
    const auto& track = config.tracks[config.chooseTrack ? chosen : mover.member % count];
    auto model = CreateObject<TrackMobilityModel>();
    model->Configure(track,
                     Within(config.offsetS, random.Uniform(2 * mover.index + 1)),
                     AtEndOf(config.atEnd));
    return model;
}

} // namespace

void
InstallFixed(Ptr<Node> node, const Point& position)
{
    node->AggregateObject(Fixed(position));
}

void
InstallMobility(const MobilityConfig& config, Ptr<Node> node, const Mover& mover)
{
    using Make = std::function<Ptr<MobilityModel>(const MobilityConfig&, const Mover&)>;
    static const std::map<std::string, Make> makers{
        {"constant", MakeConstant},
        {"linear", MakeLinear},
        {"ring", MakeRing},
        {"scatter", MakeScatter},
        {"track", MakeTrack},
        {"random-waypoint", MakeRandomWaypoint},
        {"random-walk", MakeRandomWalk},
        {"gauss-markov", MakeGaussMarkov},
    };
    node->AggregateObject(makers.at(config.model)(config, mover));
}

Presence
GetPresence(Ptr<Node> node)
{
    const auto track = node->GetObject<TrackMobilityModel>();
    return track ? track->GetPresence() : Presence();
}

bool
IsPresent(Ptr<Node> node)
{
    const auto track = node->GetObject<TrackMobilityModel>();
    return !track || track->IsPresent();
}

} // namespace splitsim
