/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_WIFI_SECTION_H
#define SPLITSIM_WIFI_SECTION_H

#include <nlohmann/json.hpp>

/** @return a valid `link` section of the Wi-Fi technology: one access point, no fading */
inline nlohmann::json
WifiSection()
{
    return {
        {"technology", "wifi"},
        {"standard", "80211ax"},
        {"band", "5GHz"},
        {"channel", 36},
        {"channel_width_mhz", 20},
        {"tx_power_dbm", 16},
        {"sensitivity_dbm", -92},
        {"rate_manager", "ideal"},
        {"access_points_m", {{0, 0, 3}}},
        {"roaming", {{"policy", "strongest"}, {"hysteresis_db", 6}, {"time_to_trigger_s", 0.5}}},
        {"reference_loss_db", 46.7},
        {"reference_distance_m", 1},
        {"path_loss_exponent", 3},
        {"fading", {{"model", "none"}, {"nakagami_m", 1}, {"coherence_time_s", 0.02}}},
        {"mac_queue_packets", 500},
        {"mac_queue_lifetime_s", 0.5},
        {"backhaul", {{"rate_mbps", 1000}, {"delay_s", 0.001}}},
        {"radio_energy",
         {{"uplink_w_per_mbps", 0.28317},
          {"downlink_w_per_mbps", 0.13701},
          {"active_w", 0.13286},
          {"tail_w", 0.1193},
          {"inactivity_s", 0.1},
          {"tail_s", 0.2381}}},
    };
}

#endif // SPLITSIM_WIFI_SECTION_H
