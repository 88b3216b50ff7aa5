/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "exogenous.h"

#include "ns3/rng-seed-manager.h"

#include <cmath>

namespace splitsim
{

namespace
{

/// Families of numbers; a new use takes a new one.
constexpr uint64_t ARRIVALS_STREAM = 1;
constexpr uint64_t OTHERS_STREAM = 5;

uint64_t
Mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/// Kept between a request's deadline and the next arrival: its window closes and its record is complete
/// before the next decision.
constexpr double WINDOW_GUARD_S = 1e-3;

constexpr uint64_t GOLDEN = 0x9e3779b97f4a7c15ULL;

/// RngSeed of everything that must not depend on the replicate.
constexpr uint32_t EXOGENOUS_SEED = 1;
/// RngSeed of replicate 0's MAC streams.
constexpr uint32_t FIRST_REPLICATE_SEED = 1000;

} // namespace

CounterRandom::CounterRandom(uint64_t key, uint64_t stream)
    : m_key(Mix(Mix(key + GOLDEN) + stream * GOLDEN))
{
}

uint64_t
CounterRandom::Bits(uint64_t counter) const
{
    return Mix(m_key + (counter + 1) * GOLDEN);
}

double
CounterRandom::Uniform(uint64_t counter) const
{
    // 52 bits and a half step: the middle of a cell, so neither 0 nor 1 comes out.
    return (static_cast<double>(Bits(counter) >> 12) + 0.5) * 0x1.0p-52;
}

double
CounterRandom::Exponential(uint64_t counter, double mean) const
{
    return -mean * std::log(Uniform(counter));
}

uint32_t
CounterRandom::Integer(uint64_t counter, const Range& range) const
{
    auto low = static_cast<uint32_t>(range.low);
    auto high = static_cast<uint32_t>(range.high);
    return low + static_cast<uint32_t>(Uniform(counter) * (high - low + 1.0));
}

double
CounterRandom::UnitMeanGamma(uint64_t counter, double shape) const
{
    // Rejection takes a varying number of draws, so each counter opens a sequence of its own.
    CounterRandom draws(Bits(counter), 0);
    uint64_t next = 0;
    const double boosted = shape < 1 ? shape + 1 : shape;
    const double d = boosted - 1.0 / 3.0;
    const double c = 1.0 / std::sqrt(9.0 * d);
    double value = 0;
    while (true)
    {
        const double radius = std::sqrt(-2.0 * std::log(draws.Uniform(next)));
        const double normal = radius * std::cos(2.0 * M_PI * draws.Uniform(next + 1));
        const double u = draws.Uniform(next + 2);
        next += 3;
        const double v = std::pow(1.0 + c * normal, 3);
        if (v > 0 && std::log(u) < 0.5 * normal * normal + d - d * v + d * std::log(v))
        {
            value = d * v;
            break;
        }
    }
    if (shape < 1)
    {
        value *= std::pow(draws.Uniform(next), 1.0 / shape);
    }
    return value / shape;
}

void
SeedEpisode(uint32_t seed, uint32_t replicate)
{
    ns3::RngSeedManager::SetRun(seed);
    ns3::RngSeedManager::SetSeed(FIRST_REPLICATE_SEED + replicate);
}

ExogenousScope::ExogenousScope()
    : m_outer(ns3::RngSeedManager::GetSeed())
{
    ns3::RngSeedManager::SetSeed(EXOGENOUS_SEED);
}

ExogenousScope::~ExogenousScope()
{
    ns3::RngSeedManager::SetSeed(m_outer);
}

std::vector<Request>
MakeRequests(const ArrivalsConfig& config, uint64_t seed, uint32_t ue)
{
    const uint64_t key = ue == 0 ? seed : CounterRandom(seed, OTHERS_STREAM).Bits(ue);
    CounterRandom random(key, ARRIVALS_STREAM);
    std::vector<Request> requests;
    double arrivalS = config.startS;
    for (uint32_t k = 0; k < config.count; k++)
    {
        requests.push_back({arrivalS,
                            random.Integer(3 * k, config.promptTokens),
                            random.Integer(3 * k + 1, config.outputTokens)});
        arrivalS +=
            config.minGapS + WINDOW_GUARD_S + random.Exponential(3 * k + 2, config.meanExtraGapS);
    }
    return requests;
}

double
EndOf(const std::vector<Request>& requests, const ArrivalsConfig& config)
{
    return requests.back().arrivalS + config.deadlineS;
}

} // namespace splitsim
