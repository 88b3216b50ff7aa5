/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "track-mobility-model.h"

#include "ns3/abort.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(TrackMobilityModel);

namespace
{

/// How far away a node is that isn't there.
constexpr double AWAY_M = 1e5;

} // namespace

AtEnd
AtEndOf(const std::string& name)
{
    static const std::map<std::string, AtEnd> values{{"stay", AtEnd::STAY},
                                                     {"leave", AtEnd::LEAVE},
                                                     {"loop", AtEnd::LOOP},
                                                     {"return", AtEnd::RETURN}};
    return values.at(name);
}

TypeId
TrackMobilityModel::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::TrackMobilityModel")
                            .SetParent<MobilityModel>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<TrackMobilityModel>();
    return tid;
}

TrackMobilityModel::TrackMobilityModel() = default;

void
TrackMobilityModel::Configure(const Track& track, double offsetS, AtEnd atEnd)
{
    m_track = track;
    m_offsetS = offsetS;
    m_atEnd = atEnd;
}

TrackMobilityModel::Phase
TrackMobilityModel::GetPhase() const
{
    const double startS = m_track.waypoints.front().timeS;
    const double lengthS = m_track.waypoints.back().timeS - startS;
    const double nowS = m_offsetS + Simulator::Now().GetSeconds();
    const double behindS = nowS - startS - lengthS;
    if (behindS <= 0 || lengthS <= 0 || m_atEnd == AtEnd::STAY || m_atEnd == AtEnd::LEAVE)
    {
        return {nowS, false};
    }
    const double restS = std::fmod(behindS, lengthS);
    const bool backwards =
        m_atEnd == AtEnd::RETURN && std::fmod(std::floor(behindS / lengthS), 2.0) == 0;
    return {backwards ? startS + lengthS - restS : startS + restS, backwards};
}

bool
TrackMobilityModel::IsPresent() const
{
    const double nowS = Simulator::Now().GetSeconds();
    const auto presence = GetPresence();
    return presence.fromS <= nowS && nowS <= presence.untilS;
}

Presence
TrackMobilityModel::GetPresence() const
{
    Presence presence;
    if (!m_track.stays)
    {
        presence.fromS = m_track.waypoints.front().timeS - m_offsetS;
    }
    if (m_atEnd == AtEnd::LEAVE)
    {
        presence.untilS = m_track.waypoints.back().timeS - m_offsetS;
    }
    return presence;
}

std::size_t
TrackMobilityModel::SegmentAt(double timeS) const
{
    const auto& waypoints = m_track.waypoints;
    const auto next = std::upper_bound(
        waypoints.begin(),
        waypoints.end(),
        timeS,
        [](double time, const TrackPoint& waypoint) { return time < waypoint.timeS; });
    return static_cast<std::size_t>(next - waypoints.begin()); // of the segment's second point
}

Vector
TrackMobilityModel::PositionAt(double timeS) const
{
    const auto& waypoints = m_track.waypoints;
    const auto next = SegmentAt(timeS);
    const auto& after = waypoints[std::min(next, waypoints.size() - 1)];
    if (next == 0 || next == waypoints.size())
    {
        return {after.position.xM, after.position.yM, after.position.zM};
    }
    const auto& before = waypoints[next - 1];
    const double share = (timeS - before.timeS) / (after.timeS - before.timeS);
    return {before.position.xM + share * (after.position.xM - before.position.xM),
            before.position.yM + share * (after.position.yM - before.position.yM),
            before.position.zM + share * (after.position.zM - before.position.zM)};
}

Vector
TrackMobilityModel::VelocityAt(double timeS) const
{
    const auto next = SegmentAt(timeS);
    if (next == 0 || next == m_track.waypoints.size())
    {
        return {0, 0, 0};
    }
    const auto& before = m_track.waypoints[next - 1];
    const auto& after = m_track.waypoints[next];
    const double lengthS = after.timeS - before.timeS;
    return {(after.position.xM - before.position.xM) / lengthS,
            (after.position.yM - before.position.yM) / lengthS,
            (after.position.zM - before.position.zM) / lengthS};
}

Vector
TrackMobilityModel::DoGetPosition() const
{
    auto position = PositionAt(GetPhase().timeS);
    if (!IsPresent())
    {
        position.x += AWAY_M;
    }
    return position;
}

Vector
TrackMobilityModel::DoGetVelocity() const
{
    const auto phase = GetPhase();
    const auto velocity = VelocityAt(phase.timeS);
    return phase.backwards ? Vector(-velocity.x, -velocity.y, -velocity.z) : velocity;
}

void
TrackMobilityModel::DoSetPosition(const Vector& /* position */)
{
    NS_ABORT_MSG("a node on a track can't be put elsewhere");
}

} // namespace splitsim
