/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "signal-window.h"

#include "ns3/simulator.h"

#include <cmath>

namespace splitsim
{

using namespace ns3;

namespace
{

/// Ten beacons of an access point: enough to see through block fading.
constexpr double WINDOW_S = 1.0;

} // namespace

void
SignalWindow::CountMissed(const Missed& missed)
{
    m_missed = missed;
}

void
SignalWindow::Note(double snrDb, double rsrpDbm)
{
    const double nowS = Simulator::Now().GetSeconds();
    const auto missed = MissedSinceNewest();
    m_samples.insert(m_samples.end(), missed.begin(), missed.end());
    m_samples.push_back({nowS, snrDb, rsrpDbm});
    // The newest stays however old it gets: its age is the age of what the UE knows.
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

std::deque<SignalWindow::Sample>
SignalWindow::MissedSinceNewest() const
{
    std::deque<Sample> missed;
    if (!m_missed || m_samples.empty())
    {
        return missed;
    }
    const double nowS = Simulator::Now().GetSeconds();
    const double newestS = m_samples.back().timeS;
    // A sample that is late by less than half an interval is not missed yet.
    const auto count = std::llround((nowS - newestS) / m_missed->intervalS) - 1;
    for (auto i = count; i > 0 && newestS + i * m_missed->intervalS >= nowS - WINDOW_S; i--)
    {
        missed.push_front({newestS + i * m_missed->intervalS, m_missed->snrDb, m_missed->rsrpDbm});
    }
    return missed;
}

std::deque<SignalWindow::Sample>
SignalWindow::Window() const
{
    if (!m_missed)
    {
        return m_samples;
    }
    const double oldestS = Simulator::Now().GetSeconds() - WINDOW_S;
    auto window = m_samples;
    while (!window.empty() && window.front().timeS < oldestS)
    {
        window.pop_front();
    }
    const auto missed = MissedSinceNewest();
    window.insert(window.end(), missed.begin(), missed.end());
    return window;
}

std::optional<double>
SignalWindow::GetMeanSnrDb() const
{
    const double oldestS = Simulator::Now().GetSeconds() - WINDOW_S;
    if (m_samples.empty() || m_samples.back().timeS < oldestS)
    {
        return std::nullopt;
    }
    double sumDb = 0;
    uint32_t count = 0;
    for (const auto& sample : Window())
    {
        sumDb += sample.timeS >= oldestS ? sample.snrDb : 0;
        count += sample.timeS >= oldestS ? 1 : 0;
    }
    return sumDb / count;
}

void
SignalWindow::Describe(LinkState& state) const
{
    const double nowS = Simulator::Now().GetSeconds();
    state.snrAgeS = m_samples.empty() ? nowS : nowS - m_samples.back().timeS;
    const auto window = Window();
    if (window.empty())
    {
        state.snrDb = m_missed ? m_missed->snrDb : 0;
        state.rsrpDbm = m_missed ? m_missed->rsrpDbm : 0;
        return;
    }
    double meanTimeS = 0;
    for (const auto& sample : window)
    {
        meanTimeS += sample.timeS / window.size();
        state.snrDb += sample.snrDb / window.size();
        state.rsrpDbm += sample.rsrpDbm / window.size();
    }
    double covariance = 0;
    double variance = 0;
    for (const auto& sample : window)
    {
        covariance += (sample.timeS - meanTimeS) * (sample.snrDb - state.snrDb);
        variance += (sample.timeS - meanTimeS) * (sample.timeS - meanTimeS);
    }
    state.snrTrendDbPerS = variance > 0 ? covariance / variance : 0;
}

} // namespace splitsim
