/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "correlated-field.h"

#include "../scenario/exogenous.h"

#include <cmath>

namespace splitsim
{

namespace
{

/// Enough for a marginal that a test of 10,000 samples takes for normal; each costs a cosine.
constexpr uint32_t WAVES = 64;

} // namespace

CorrelatedField::CorrelatedField(uint64_t seed, uint64_t stream, double decorrelationM)
{
    const CounterRandom random(seed, stream);
    for (uint32_t i = 0; i < WAVES; i++)
    {
        // The wave number by inverting its distribution 1 - (1 + d^2 k^2)^(-1/2), one draw in each
        // of as many equal parts as there are waves: every realisation then has all scales.
        const double tail = 1 - (i + random.Uniform(3 * i)) / WAVES;
        const double kPerM = std::sqrt(1 / (tail * tail) - 1) / decorrelationM;
        const double direction = 2 * M_PI * random.Uniform(3 * i + 1);
        m_waves.push_back({kPerM * std::cos(direction),
                           kPerM * std::sin(direction),
                           2 * M_PI * random.Uniform(3 * i + 2)});
    }
}

double
CorrelatedField::At(double xM, double yM) const
{
    double sum = 0;
    for (const auto& wave : m_waves)
    {
        sum += std::cos(wave.kxPerM * xM + wave.kyPerM * yM + wave.phase);
    }
    return sum * std::sqrt(2.0 / WAVES);
}

double
CorrelatedField::UniformAt(double xM, double yM) const
{
    return 0.5 * std::erfc(-At(xM, yM) / std::sqrt(2.0));
}

} // namespace splitsim
