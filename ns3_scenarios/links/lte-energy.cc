/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "lte-energy.h"

#include "ns3/basic-energy-source.h"
#include "ns3/double.h"
#include "ns3/simulator.h"

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(LteEnergy);

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

LteEnergyConfig
ReadLteEnergy(const Section& section)
{
    LteEnergyConfig energy;
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
LteEnergy::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::LteEnergy")
                            .SetParent<Object>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<LteEnergy>();
    return tid;
}

LteEnergy::LteEnergy() = default;

void
LteEnergy::Install(const LteEnergyConfig& config, Ptr<Node> ue)
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
LteEnergy::SetPower(double powerW)
{
    m_states->SetCurrentA(powerW / VOLTAGE_V);
}

void
LteEnergy::NoteData(uint32_t uplinkBytes, uint32_t downlinkBytes)
{
    // W per Mbit/s is J per Mbit.
    m_dataJ +=
        8e-6 * (m_config.uplinkWPerMbps * uplinkBytes + m_config.downlinkWPerMbps * downlinkBytes);
    SetPower(m_config.activeW);
    m_quiet.Cancel();
    m_quiet = Simulator::Schedule(Seconds(m_config.inactivityS), &LteEnergy::BeginTail, this);
}

void
LteEnergy::BeginTail()
{
    SetPower(m_config.tailW);
    m_quiet = Simulator::Schedule(Seconds(m_config.tailS - m_config.inactivityS),
                                  &LteEnergy::SetPower,
                                  this,
                                  0);
}

double
LteEnergy::GetAboveIdleJ() const
{
    return m_states->GetTotalEnergyConsumption() + m_dataJ;
}

} // namespace splitsim
