/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "signal-window.h"

#include "ns3/simulator.h"

namespace splitsim
{

using namespace ns3;

namespace
{

/// Ten beacons of an access point: enough to see through block fading.
constexpr double WINDOW_S = 1.0;

} // namespace

void
SignalWindow::Note(double snrDb, double rsrpDbm)
{
    const double nowS = Simulator::Now().GetSeconds();
    m_samples.push_back({nowS, snrDb, rsrpDbm});
    // The newest stays however old it gets: it is the last that the UE knows.
    while (m_samples.size() > 1 && m_samples.front().timeS < nowS - WINDOW_S)
    {
        m_samples.pop_front();
    }
}

void
SignalWindow::Clear()
{
    m_samples.clear();
}

std::optional<double>
SignalWindow::GetMeanSnrDb() const
{
    const double oldestS = Simulator::Now().GetSeconds() - WINDOW_S;
    double sumDb = 0;
    uint32_t count = 0;
    for (const auto& sample : m_samples)
    {
        sumDb += sample.timeS >= oldestS ? sample.snrDb : 0;
        count += sample.timeS >= oldestS ? 1 : 0;
    }
    return count > 0 ? std::optional(sumDb / count) : std::nullopt;
}

void
SignalWindow::Describe(LinkState& state) const
{
    const double nowS = Simulator::Now().GetSeconds();
    if (m_samples.empty())
    {
        state.snrAgeS = nowS;
        return;
    }
    state.snrAgeS = nowS - m_samples.back().timeS;
    double meanTimeS = 0;
    for (const auto& sample : m_samples)
    {
        meanTimeS += sample.timeS / m_samples.size();
        state.snrDb += sample.snrDb / m_samples.size();
        state.rsrpDbm += sample.rsrpDbm / m_samples.size();
    }
    double covariance = 0;
    double variance = 0;
    for (const auto& sample : m_samples)
    {
        covariance += (sample.timeS - meanTimeS) * (sample.snrDb - state.snrDb);
        variance += (sample.timeS - meanTimeS) * (sample.timeS - meanTimeS);
    }
    state.snrTrendDbPerS = variance > 0 ? covariance / variance : 0;
}

} // namespace splitsim
