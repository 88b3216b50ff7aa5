/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_RADIO_ENERGY_H
#define SPLITSIM_RADIO_ENERGY_H

#include "../scenario/config-section.h"

#include "ns3/event-id.h"
#include "ns3/node.h"
#include "ns3/object.h"
#include "ns3/simple-device-energy-model.h"

#include <cstdint>

namespace splitsim
{

#if SPLITSIM_NS3_MINOR >= 42
using SimpleEnergy = ns3::energy::SimpleDeviceEnergyModel;
#else
using SimpleEnergy = ns3::SimpleDeviceEnergyModel;
#endif

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
class RadioEnergy : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    RadioEnergy();

    /** @param config powers and times @param ue whose radio it is */
    void Install(const RadioEnergyConfig& config, ns3::Ptr<ns3::Node> ue);
    /** Notes data that passes now. @param uplinkBytes sent @param downlinkBytes received */
    void NoteData(uint32_t uplinkBytes, uint32_t downlinkBytes);
    /** @return J since the start, above that of a radio that sleeps */
    double GetAboveIdleJ() const;

  private:
    void SetPower(double powerW);
    void BeginTail();

    RadioEnergyConfig m_config;
    ns3::Ptr<SimpleEnergy> m_states; ///< integral over the states
    double m_dataJ{0};               ///< what the rate adds
    ns3::EventId m_quiet;            ///< next change of state without data
};

} // namespace splitsim

#endif // SPLITSIM_RADIO_ENERGY_H
