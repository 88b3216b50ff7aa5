/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_CORRELATED_FIELD_H
#define SPLITSIM_CORRELATED_FIELD_H

#include <cstdint>
#include <vector>

namespace splitsim
{

/**
 * A Gaussian field over the plane with mean 0, variance 1 and the autocorrelation exp(-r / d) that
 * 3GPP gives to shadowing (TR 38.901, clause 7.4.4): a pure function of (seed, stream, place).
 *
 * A sum of cosines: with wave vectors drawn from the spectrum of that autocorrelation, which in the
 * plane is proportional to (1 + d^2 k^2)^(-3/2), and uniform phases, mean, variance and
 * autocorrelation over the seeds are exact, and the marginal is Gaussian up to an excess kurtosis of
 * -1.5 over the number of waves.
 */
class CorrelatedField
{
  public:
    /**
     * @param seed of the episode
     * @param stream which field; fields of different streams are independent
     * @param decorrelationM the distance d over which the correlation falls to 1/e, in metres
     */
    CorrelatedField(uint64_t seed, uint64_t stream, double decorrelationM);

    /** @param xM where @param yM in metres. @return the field there, standard normal */
    double At(double xM, double yM) const;
    /** @param xM where @param yM in metres. @return the field there, as uniform on [0, 1] */
    double UniformAt(double xM, double yM) const;

  private:
    struct Wave
    {
        double kxPerM;
        double kyPerM;
        double phase;
    };

    std::vector<Wave> m_waves;
};

} // namespace splitsim

#endif // SPLITSIM_CORRELATED_FIELD_H
