/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "wifi-roaming.h"

#include "ns3/simulator.h"

#include <cmath>
#include <limits>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(WifiRoaming);

RoamingConfig
ReadRoaming(const Section& section)
{
    RoamingConfig roaming;
    roaming.policy = section.ReadName("policy", {"strongest", "sticky"});
    section.Read("hysteresis_db", roaming.hysteresisDb);
    section.Require(roaming.hysteresisDb >= 0, "hysteresis_db", "0 or more");
    section.Read("time_to_trigger_s", roaming.timeToTriggerS);
    section.Require(roaming.timeToTriggerS >= 0, "time_to_trigger_s", "0 or more");
    return roaming;
}

TypeId
WifiRoaming::GetTypeId()
{
    static TypeId tid =
        TypeId("splitsim::WifiRoaming").SetParent<Object>().SetGroupName("Splitsim");
    return tid;
}

WifiRoaming::WifiRoaming() = default;

void
WifiRoaming::Attach(const RoamingConfig& config,
                    Ptr<StaWifiMac> station,
                    const SignalWindow::Missed& missed)
{
    m_config = config;
    m_missed = missed;
    m_station = station;
    m_station->TraceConnectWithoutContext("ReceivedBeaconInfo",
                                          MakeCallback(&WifiRoaming::HandleBeacon, this));
}

void
WifiRoaming::HandleBeacon(StaWifiMac::ApInfo info)
{
    auto& heard = m_heard[info.m_bssid];
    heard.signal.CountMissed(m_missed);
    heard.signal.Note(10 * std::log10(info.m_snr), 0);
    heard.newest = std::move(info);
    // Without an access point ns-3's own scan looks for the strongest.
    const auto better =
        m_station->IsAssociated() ? FindBetter(m_station->GetBssid(0)) : std::nullopt;
    const double nowS = Simulator::Now().GetSeconds();
    if (better != m_candidate)
    {
        m_candidate = better;
        m_candidateSinceS = nowS;
    }
    if (m_candidate && nowS - m_candidateSinceS >= m_config.timeToTriggerS)
    {
        // The MAC is in the middle of this beacon.
        Simulator::ScheduleNow(&WifiRoaming::Move, this, *m_candidate);
        m_candidate.reset();
    }
}

std::optional<Mac48Address>
WifiRoaming::FindBetter(Mac48Address serving) const
{
    const auto found = m_heard.find(serving);
    const auto servingDb =
        found == m_heard.end() ? std::nullopt : found->second.signal.GetMeanSnrDb();
    double bestDb =
        servingDb ? *servingDb + m_config.hysteresisDb : -std::numeric_limits<double>::infinity();
    std::optional<Mac48Address> best;
    for (const auto& [bssid, heard] : m_heard)
    {
        const auto meanDb = heard.signal.GetMeanSnrDb();
        if (bssid != serving && meanDb && *meanDb > bestDb)
        {
            bestDb = *meanDb;
            best = bssid;
        }
    }
    return best;
}

void
WifiRoaming::Move(Mac48Address to)
{
    if (m_station->IsAssociated())
    {
        // As if a scan had just ended with this access point: the station asks it to associate.
        m_station->ScanningTimeout(m_heard.at(to).newest);
    }
}

} // namespace splitsim
