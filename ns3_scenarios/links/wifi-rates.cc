/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "wifi-rates.h"

#include "ns3/nstime.h"
#include "ns3/wifi-mode.h"
#include "ns3/wifi-tx-vector.h"

#include <cmath>
#include <map>

namespace splitsim
{

using namespace ns3;

namespace
{

/// Bit error rate up to which ns-3's IdealWifiManager takes a rate.
constexpr double IDEAL_BER = 1e-6;

} // namespace

double
NoiseDbm(uint32_t widthMhz)
{
    constexpr double BOLTZMANN = 1.3803e-23; // as ns-3 has it
    return 10 * std::log10(BOLTZMANN * 290 * widthMhz * 1e6) + 30 + NOISE_FIGURE_DB;
}

std::vector<RateStep>
RateSteps(Ptr<WifiPhy> phy, const std::string& standard, uint32_t widthMhz)
{
    struct Kind
    {
        WifiModulationClass modulation;
        WifiPreamble preamble;
        uint16_t guardIntervalNs; ///< ns-3's default
    };

    static const std::map<std::string, Kind> kinds{
        {"80211n", {WIFI_MOD_CLASS_HT, WIFI_PREAMBLE_HT_MF, 800}},
        {"80211ac", {WIFI_MOD_CLASS_VHT, WIFI_PREAMBLE_VHT_SU, 800}},
        {"80211ax", {WIFI_MOD_CLASS_HE, WIFI_PREAMBLE_HE_SU, 3200}}};
    const auto kind = kinds.at(standard);
#if SPLITSIM_NS3_MINOR >= 43
    const auto guardInterval = NanoSeconds(kind.guardIntervalNs);
#else
    const auto guardInterval = kind.guardIntervalNs;
#endif
    std::vector<RateStep> steps;
    for (const auto& mode : phy->GetMcsList(kind.modulation))
    {
        const WifiTxVector vector(mode, 0, kind.preamble, guardInterval, 1, 1, 0, widthMhz, false);
        if (vector.IsValid())
        {
            steps.push_back({10 * std::log10(phy->CalculateSnr(vector, IDEAL_BER)),
                             mode.GetDataRate(vector) / 1e6});
        }
    }
    return steps;
}

} // namespace splitsim
