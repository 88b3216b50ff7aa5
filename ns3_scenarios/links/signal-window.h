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

/** The last second's samples of signal quality, as a UE would average them. */
class SignalWindow
{
  public:
    /** Notes a sample taken now. @param snrDb its quality @param rsrpDbm its power */
    void Note(double snrDb, double rsrpDbm);
    /** Forgets all samples, as when the serving cell changes. */
    void Clear();
    /** @return the mean of the samples of the last second, none when there are none */
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

    std::deque<Sample> m_samples;
};

} // namespace splitsim

#endif // SPLITSIM_SIGNAL_WINDOW_H
