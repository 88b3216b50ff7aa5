/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "radio-energy.h"

#include "ns3/simulator.h"

#include <algorithm>

namespace splitsim
{

using namespace ns3;

RadioEnergyConfig
ReadRadioEnergy(const Section& section)
{
    RadioEnergyConfig energy;
    section.Read("uplink_w_per_mbps", energy.uplinkWPerMbps);
    section.Read("downlink_w_per_mbps", energy.downlinkWPerMbps);
    section.Read("active_w", energy.activeW);
    section.Read("tail_w", energy.tailW);
    section.Read("inactivity_s", energy.inactivityS);
    section.Read("tail_s", energy.tailS);
    section.Require(energy.tailS >= energy.inactivityS, "tail_s", "inactivity_s or more");
    return energy;
}

RadioEnergy::RadioEnergy(const RadioEnergyConfig& config)
    : m_config(config)
{
}

void
RadioEnergy::NoteData(uint32_t uplinkBytes, uint32_t downlinkBytes)
{
    // W per Mbit/s is J per Mbit.
    m_beforeJ = GetAboveSleepJ() + 8e-6 * (m_config.uplinkWPerMbps * uplinkBytes +
                                           m_config.downlinkWPerMbps * downlinkBytes);
    m_lastData = Simulator::Now();
}

double
RadioEnergy::GetAboveSleepJ() const
{
    if (!m_lastData)
    {
        return 0;
    }
    const double sinceS = (Simulator::Now() - *m_lastData).GetSeconds();
    const double activeS = std::min(sinceS, m_config.inactivityS);
    const double tailS = std::min(sinceS, m_config.tailS) - activeS;
    return m_beforeJ + m_config.activeW * activeS + m_config.tailW * tailS;
}

} // namespace splitsim
