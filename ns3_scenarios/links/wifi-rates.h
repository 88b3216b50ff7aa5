/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_WIFI_RATES_H
#define SPLITSIM_WIFI_RATES_H

#include "ns3/wifi-phy.h"

#include <cstdint>
#include <string>
#include <vector>

namespace splitsim
{

/// The noise figure of all radios; ns-3's default.
constexpr double NOISE_FIGURE_DB = 7;

/** @param widthMhz of a channel. @return thermal noise at 290 K and what the receiver adds */
double NoiseDbm(uint32_t widthMhz);

/** A rate of the PHY and the SNR that it needs. */
struct RateStep
{
    double snrDb;
    double rateMbps;
};

/**
 * @param phy a PHY as the link's devices have it
 * @param standard 80211n, 80211ac or 80211ax
 * @param widthMhz of the channel
 * @return the rates of one spatial stream with the SNR from which ns-3's ideal manager takes each
 */
std::vector<RateStep> RateSteps(ns3::Ptr<ns3::WifiPhy> phy,
                                const std::string& standard,
                                uint32_t widthMhz);

} // namespace splitsim

#endif // SPLITSIM_WIFI_RATES_H
