/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_RADIO_ENERGY_H
#define SPLITSIM_RADIO_ENERGY_H

#include "../scenario/config-section.h"

#include "ns3/nstime.h"

#include <cstdint>
#include <optional>

namespace splitsim
{

/**
 * Power of a UE's radio above its sleep (RRC idle of LTE, power save of Wi-Fi), in the form that Huang
 * et al. fit to both technologies (A close examination of performance and power characteristics of 4G
 * LTE networks, MobiSys 2012, tables 3 and 4). The scenario's schema has the values.
 */
struct RadioEnergyConfig
{
    double uplinkWPerMbps{0};
    double downlinkWPerMbps{0};
    double activeW{0};     ///< while data flows, at no rate
    double tailW{0};       ///< between the data and sleep
    double inactivityS{0}; ///< without data until the tail begins
    double tailS{0};       ///< without data until sleep
};

/** @param section a link's `radio_energy`. @return it @throws ConfigError for a field that isn't valid
 */
RadioEnergyConfig ReadRadioEnergy(const Section& section);

/** Energy of one UE's radio by state and by bits: active, tail, asleep. */
class RadioEnergy
{
  public:
    /** @param config powers and times */
    explicit RadioEnergy(const RadioEnergyConfig& config);
    /** Notes data that passes now. @param uplinkBytes sent @param downlinkBytes received */
    void NoteData(uint32_t uplinkBytes, uint32_t downlinkBytes);
    /** @return J since the start, above that of a radio that sleeps */
    double GetAboveSleepJ() const;

  private:
    RadioEnergyConfig m_config;
    double m_beforeJ{0};                 ///< until the last data, its own bits included
    std::optional<ns3::Time> m_lastData; ///< none: there was none yet
};

} // namespace splitsim

#endif // SPLITSIM_RADIO_ENERGY_H
