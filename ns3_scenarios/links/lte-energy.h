/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_LTE_ENERGY_H
#define SPLITSIM_LTE_ENERGY_H

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
 * Power of an LTE radio above RRC idle, as Huang et al. fit it (A close examination of performance
 * and power characteristics of 4G LTE networks, MobiSys 2012, tables 3 and 4).
 */
struct LteEnergyConfig
{
    double uplinkWPerMbps{0.43839};
    double downlinkWPerMbps{0.05197};
    double activeW{1.28804}; ///< while data flows, at no rate
    double tailW{1.06};      ///< between the data and RRC idle
    double inactivityS{0.1}; ///< without data until the tail begins
    double tailS{11.576};    ///< without data until RRC idle
};

/** @param section a link's `radio_energy`. @return it @throws ConfigError for a field that isn't valid
 */
LteEnergyConfig ReadLteEnergy(const Section& section);

/** Energy of one UE's radio by state and by bits: active, tail, idle. */
class LteEnergy : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    LteEnergy();

    /** @param config powers and times @param ue whose radio it is */
    void Install(const LteEnergyConfig& config, ns3::Ptr<ns3::Node> ue);
    /** Notes data that passes now. @param uplinkBytes sent @param downlinkBytes received */
    void NoteData(uint32_t uplinkBytes, uint32_t downlinkBytes);
    /** @return J since the start, above RRC idle */
    double GetAboveIdleJ() const;

  private:
    void SetPower(double powerW);
    void BeginTail();

    LteEnergyConfig m_config;
    ns3::Ptr<SimpleEnergy> m_states; ///< integral over the states
    double m_dataJ{0};               ///< what the rate adds
    ns3::EventId m_quiet;            ///< next change of state without data
};

} // namespace splitsim

#endif // SPLITSIM_LTE_ENERGY_H
