/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_SIGNAL_WINDOW_H
#define SPLITSIM_SIGNAL_WINDOW_H

#include "link.h"

#include <deque>
#include <optional>

namespace splitsim
{

/**
 * The last second's samples of signal quality, as a UE would average them.
 *
 * Where samples are expected at fixed intervals (beacons), those that were missed count too: a mean of
 * the received ones alone would rise as the link fades, because only the strong ones are received.
 */
class SignalWindow
{
  public:
    /** What stands for a sample that was expected and missed. */
    struct Missed
    {
        double intervalS; ///< between two samples
        double snrDb;
        double rsrpDbm;
    };

    /** Counts missed samples from now on. @param missed their interval and their values */
    void CountMissed(const Missed& missed);
    /** Notes a sample taken now. @param snrDb its quality @param rsrpDbm its power */
    void Note(double snrDb, double rsrpDbm);
    /** Forgets all samples, as when the serving cell changes. */
    void Clear();
    /** @return the mean of the last second, none when nothing was received in it */
    std::optional<double> GetMeanSnrDb() const;
    /** @param state gets means, slope and age */
    void Describe(LinkState& state) const;

  private:
    struct Sample
    {
        double timeS;
        double snrDb;
        double rsrpDbm;
    };

    std::deque<Sample> MissedSinceNewest() const;
    std::deque<Sample> Window() const;

    std::optional<Missed> m_missed;
    std::deque<Sample> m_samples; ///< the newest was received; missed ones before it are filled in
};

} // namespace splitsim

#endif // SPLITSIM_SIGNAL_WINDOW_H
