/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "wifi-energy.h"

#include "ns3/simulator.h"
#include "ns3/wifi-phy-state.h"

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(WifiEnergy);

WifiEnergyConfig
ReadWifiEnergy(const Section& section)
{
    WifiEnergyConfig energy;
    section.Read("voltage_v", energy.voltageV);
    section.Read("idle_a", energy.idleA);
    section.Read("cca_busy_a", energy.ccaBusyA);
    section.Read("tx_a", energy.txA);
    section.Read("rx_a", energy.rxA);
    section.Read("switching_a", energy.switchingA);
    section.Read("sleep_a", energy.sleepA);
    return energy;
}

TypeId
WifiEnergy::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::WifiEnergy")
                            .SetParent<Object>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<WifiEnergy>();
    return tid;
}

WifiEnergy::WifiEnergy() = default;

void
WifiEnergy::Install(const WifiEnergyConfig& config, Ptr<WifiPhy> phy)
{
    m_config = config;
    m_since = Simulator::Now();
    m_currentA = config.idleA;
    m_listener = std::make_shared<WifiRadioEnergyModelPhyListener>();
    m_listener->SetChangeStateCallback(MakeCallback(&WifiEnergy::ChangeState, this));
    m_listener->SetUpdateTxCurrentCallback(MakeCallback(&WifiEnergy::IgnoreTxPower, this));
#if SPLITSIM_NS3_MINOR >= 39
    phy->RegisterListener(m_listener);
#else
    phy->RegisterListener(m_listener.get());
#endif
}

void
WifiEnergy::ChangeState(int state)
{
    m_beforeJ = GetTotalJ();
    m_since = Simulator::Now();
    m_currentA = CurrentOfStateA(state);
}

void
WifiEnergy::IgnoreTxPower(double /* powerDbm */)
{
}

double
WifiEnergy::CurrentOfStateA(int state) const
{
    switch (static_cast<WifiPhyState>(state))
    {
    case WifiPhyState::IDLE:
        return m_config.idleA;
    case WifiPhyState::CCA_BUSY:
        return m_config.ccaBusyA;
    case WifiPhyState::TX:
        return m_config.txA;
    case WifiPhyState::RX:
        return m_config.rxA;
    case WifiPhyState::SWITCHING:
        return m_config.switchingA;
    case WifiPhyState::SLEEP:
        return m_config.sleepA;
    default: // off
        return 0;
    }
}

double
WifiEnergy::GetTotalJ() const
{
    const double inStateS = (Simulator::Now() - m_since).GetSeconds();
    return m_beforeJ + inStateS * m_currentA * m_config.voltageV;
}

double
WifiEnergy::GetAboveIdleJ() const
{
    return GetTotalJ() - m_config.idleA * m_config.voltageV * Simulator::Now().GetSeconds();
}

} // namespace splitsim
