/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_WIFI_ENERGY_H
#define SPLITSIM_WIFI_ENERGY_H

#include "../scenario/config-section.h"

#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/wifi-phy.h"
#include "ns3/wifi-radio-energy-model.h"

#include <memory>

namespace splitsim
{

/** Supply voltage and currents of a Wi-Fi radio. */
struct WifiEnergyConfig
{
    double voltageV{3};
    double idleA{0.273};
    double ccaBusyA{0.273};
    double txA{0.38};
    double rxA{0.313};
    double switchingA{0.273};
    double sleepA{0.033};
};

/** @param section a link's `radio_energy`. @return it @throws ConfigError for a field that isn't valid
 */
WifiEnergyConfig ReadWifiEnergy(const Section& section);

/**
 * Energy of one radio, by the time that it spends in each state: the figures of ns-3's
 * WifiRadioEnergyModel, for a battery that never runs out.
 *
 * At each change of state that model plans anew when its battery will be empty, decades ahead. Events
 * that are cancelled stay in ns-3's list until their time has come, so a long simulation would keep
 * one for every frame on the air: 50 MiB in 1000 s.
 */
class WifiEnergy : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    WifiEnergy();

    /** @param config voltage and currents @param phy the radio, idle now */
    void Install(const WifiEnergyConfig& config, ns3::Ptr<ns3::WifiPhy> phy);
    /** @return J since the start, above that of a radio which was idle all the time */
    double GetAboveIdleJ() const;
    /** @return J since the start */
    double GetTotalJ() const;

  private:
    void ChangeState(int state);
    /** The current of sending is the same at all powers. */
    void IgnoreTxPower(double powerDbm);
    double CurrentOfStateA(int state) const;

    WifiEnergyConfig m_config;
    double m_currentA{0}; ///< in its state
    ns3::Time m_since;    ///< when it came to be in that state
    double m_beforeJ{0};  ///< of all states before
    std::shared_ptr<ns3::WifiRadioEnergyModelPhyListener> m_listener;
};

} // namespace splitsim

#endif // SPLITSIM_WIFI_ENERGY_H
