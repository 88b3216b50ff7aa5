/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_TRACK_MOBILITY_MODEL_H
#define SPLITSIM_TRACK_MOBILITY_MODEL_H

#include "../scenario/scenario-config.h"

#include "ns3/mobility-model.h"

#include <limits>

namespace splitsim
{

/** What a node does once its track is over. */
enum class AtEnd
{
    STAY,   ///< stands still at the last point
    LEAVE,  ///< isn't there any more
    LOOP,   ///< begins again at the first point, at once
    RETURN, ///< goes the same way back, and so on
};

/** When a node is there, in seconds of simulated time, ends included. */
struct Presence
{
    double fromS{0};
    double untilS{std::numeric_limits<double>::infinity()};
};

/** @param name stay, leave, loop or return. @return the value */
AtEnd AtEndOf(const std::string& name);

/**
 * A path over time, as a pure function of time: no events, any number of points.
 *
 * A node that isn't there (before its track begins or after it ends) is far away, out of every
 * transmitter's reach.
 */
class TrackMobilityModel : public ns3::MobilityModel
{
  public:
    static ns3::TypeId GetTypeId();
    TrackMobilityModel();

    /**
     * @param track the path
     * @param offsetS time in the track at simulated time 0
     * @param atEnd what comes behind its last point
     */
    void Configure(const Track& track, double offsetS, AtEnd atEnd);

    /** @return when the node is there: it comes and goes once at most */
    Presence GetPresence() const;
    /** @return whether the node is there now */
    bool IsPresent() const;

  private:
    ns3::Vector DoGetPosition() const override;
    void DoSetPosition(const ns3::Vector& position) override;
    ns3::Vector DoGetVelocity() const override;

    /// Where in the track the node is: a time, and whether it goes backwards.
    struct Phase
    {
        double timeS;
        bool backwards;
    };

    Phase GetPhase() const;
    ns3::Vector PositionAt(double timeS) const;
    ns3::Vector VelocityAt(double timeS) const;
    std::size_t SegmentAt(double timeS) const;

    Track m_track;
    double m_offsetS{0};
    AtEnd m_atEnd{AtEnd::STAY};
};

} // namespace splitsim

#endif // SPLITSIM_TRACK_MOBILITY_MODEL_H
