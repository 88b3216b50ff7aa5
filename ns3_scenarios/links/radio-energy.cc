/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "radio-energy.h"

#include "ns3/basic-energy-source.h"
#include "ns3/double.h"
#include "ns3/simulator.h"

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(RadioEnergy);

namespace
{

#if SPLITSIM_NS3_MINOR >= 42
using EnergySourceModel = energy::BasicEnergySource;
#else
using EnergySourceModel = BasicEnergySource;
#endif

/// Enough that it never runs out; at one volt, amperes are watts.
constexpr double BATTERY_J = 1e9;
constexpr double VOLTAGE_V = 1;

} // namespace

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

TypeId
RadioEnergy::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::RadioEnergy")
                            .SetParent<Object>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<RadioEnergy>();
    return tid;
}

RadioEnergy::RadioEnergy() = default;

void
RadioEnergy::Install(const RadioEnergyConfig& config, Ptr<Node> ue)
{
    m_config = config;
    auto source = CreateObject<EnergySourceModel>();
    source->SetInitialEnergy(BATTERY_J);
    source->SetSupplyVoltage(VOLTAGE_V);
    source->SetNode(ue);
    m_states = CreateObject<SimpleEnergy>();
    m_states->SetNode(ue);
    m_states->SetEnergySource(source);
    source->AppendDeviceEnergyModel(m_states);
    // They hold each other, and no node holds them that would break the circle.
    Simulator::ScheduleDestroy([source] { source->Dispose(); });
}

void
RadioEnergy::SetPower(double powerW)
{
    m_states->SetCurrentA(powerW / VOLTAGE_V);
}

void
RadioEnergy::NoteData(uint32_t uplinkBytes, uint32_t downlinkBytes)
{
    // W per Mbit/s is J per Mbit.
    m_dataJ +=
        8e-6 * (m_config.uplinkWPerMbps * uplinkBytes + m_config.downlinkWPerMbps * downlinkBytes);
    SetPower(m_config.activeW);
    m_quiet.Cancel();
    m_quiet = Simulator::Schedule(Seconds(m_config.inactivityS), &RadioEnergy::BeginTail, this);
}

void
RadioEnergy::BeginTail()
{
    SetPower(m_config.tailW);
    m_quiet = Simulator::Schedule(Seconds(m_config.tailS - m_config.inactivityS),
                                  &RadioEnergy::SetPower,
                                  this,
                                  0);
}

double
RadioEnergy::GetAboveIdleJ() const
{
    return m_states->GetTotalEnergyConsumption() + m_dataJ;
}

} // namespace splitsim
