/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_EXOGENOUS_H
#define SPLITSIM_EXOGENOUS_H

#include "scenario-config.h"

#include <cstdint>
#include <vector>

namespace splitsim
{

/**
 * Random numbers by counter: the same key and counter give the same number, whatever was drawn
 * before. That is what keeps fading and arrivals free of the agent's actions.
 *
 * The mixing function is SplitMix64's finaliser (Steele, Lea, Flood: Fast splittable pseudorandom
 * number generators, OOPSLA 2014).
 */
class CounterRandom
{
  public:
    /** @param key the seed of this family of numbers @param stream which family */
    CounterRandom(uint64_t key, uint64_t stream);

    /** @param counter which number. @return 64 well-mixed bits */
    uint64_t Bits(uint64_t counter) const;
    /** @param counter which number. @return uniform on (0, 1), never an end point */
    double Uniform(uint64_t counter) const;
    /** @param counter which number @param mean the mean. @return exponential */
    double Exponential(uint64_t counter, double mean) const;
    /** @param counter which number @param range ends included. @return a whole number */
    uint32_t Integer(uint64_t counter, const Range& range) const;

    /**
     * Gamma with unit mean: the power gain of Nakagami-m fading.
     *
     * Marsaglia and Tsang, A simple method for generating gamma variables, ACM TOMS 26(3), 2000;
     * shapes below 1 by their boosting identity.
     *
     * @param counter which number
     * @param shape the Nakagami m, 0.5 or more
     * @return a positive number with mean 1 and variance 1/m
     */
    double UnitMeanGamma(uint64_t counter, double shape) const;

  private:
    uint64_t m_key;
};

/**
 * Seeds ns-3's own random variables for an episode. Those that are made from now on belong to the
 * replicate: backoff, rate control and all else that the agent's packets may disturb.
 *
 * @param seed the episode's seed, RngRun
 * @param replicate which draw of the MAC's random numbers
 */
void SeedEpisode(uint32_t seed, uint32_t replicate);

/**
 * While one lives, ns-3's random variables that are made belong to the seed alone, the same for every
 * replicate: mobility, the on and off times of traffic.
 */
class ExogenousScope
{
  public:
    ExogenousScope();
    ~ExogenousScope();
    ExogenousScope(const ExogenousScope&) = delete;
    ExogenousScope& operator=(const ExogenousScope&) = delete;

  private:
    uint32_t m_outer; ///< RngSeed outside
};

/** One request, as the seed alone makes it. */
struct Request
{
    double arrivalS{0};
    uint32_t promptTokens{0};
    uint32_t outputTokens{0};
};

/**
 * @param config arrivals
 * @param seed the episode's seed
 * @param ue index of the UE; each has arrivals of its own
 * @return the requests in order of arrival
 */
std::vector<Request> MakeRequests(const ArrivalsConfig& config, uint64_t seed, uint32_t ue = 0);

/**
 * @param requests in order of arrival, at least one @param config of their deadline
 * @return when the last one's window is over, in seconds
 */
double EndOf(const std::vector<Request>& requests, const ArrivalsConfig& config);

} // namespace splitsim

#endif // SPLITSIM_EXOGENOUS_H
