/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "scenario-config.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace splitsim
{

namespace
{

using Json = nlohmann::json;

/** A JSON object that knows where it stands in the file, so that an error can say so. */
class Section
{
  public:
    Section(const Json& json, std::string path)
        : m_json(json),
          m_path(std::move(path))
    {
        if (!m_json.is_object())
        {
            throw ConfigError(m_path + ": expected an object");
        }
    }

    Section operator[](const std::string& key) const
    {
        return {At(key), m_path + key + "."};
    }

    template <typename T>
    void Read(const std::string& key, T& value) const
    {
        bool kept = false;
        try
        {
            At(key).get_to(value);
            kept = Json(value) == At(key); // a negative or broken count would have been converted
        }
        catch (const Json::exception&)
        {
            kept = false;
        }
        if (!kept)
        {
            throw ConfigError(m_path + key + ": " + At(key).dump() + " has the wrong type");
        }
    }

    void Read(const std::string& key, Range& range) const
    {
        std::vector<double> pair;
        Read(key, pair);
        if (pair.size() != 2 || pair[0] > pair[1])
        {
            throw ConfigError(m_path + key + ": " + At(key).dump() +
                              " is no range; valid: [low, high] with low <= high");
        }
        range = {pair[0], pair[1]};
    }

    void Read(const std::string& key, Position& position) const
    {
        std::vector<double> xyz;
        Read(key, xyz);
        if (xyz.size() != 3)
        {
            throw ConfigError(m_path + key + ": " + At(key).dump() +
                              " is no position; valid: [x, y, z]");
        }
        position = {xyz[0], xyz[1], xyz[2]};
    }

    const Json& At(const std::string& key) const
    {
        auto it = m_json.find(key);
        if (it == m_json.end())
        {
            throw ConfigError(m_path + key + ": missing");
        }
        return *it;
    }

    void Require(bool condition, const std::string& key, const std::string& valid) const
    {
        if (!condition)
        {
            throw ConfigError(m_path + key + ": " + At(key).dump() +
                              " is not valid; valid: " + valid);
        }
    }

  private:
    const Json& m_json;
    std::string m_path;
};

MobilityConfig
ReadMobility(const Section& section)
{
    MobilityConfig mobility;
    section.Read("model", mobility.model);
    if (mobility.model == "constant")
    {
        section.Read("position_m", mobility.position);
    }
    else if (mobility.model == "waypoints")
    {
        std::vector<std::vector<double>> rows;
        section.Read("waypoints", rows);
        section.Require(!rows.empty(), "waypoints", "at least one [t_s, x_m, y_m, z_m]");
        for (const auto& row : rows)
        {
            section.Require(row.size() == 4, "waypoints", "rows of [t_s, x_m, y_m, z_m]");
            section.Require(mobility.waypoints.empty() || row[0] > mobility.waypoints.back().timeS,
                            "waypoints",
                            "times that increase");
            mobility.waypoints.push_back({row[0], {row[1], row[2], row[3]}});
        }
    }
    else
    {
        section.Require(mobility.model == "random-waypoint",
                        "model",
                        "constant, waypoints, random-waypoint");
        section.Read("area_x_m", mobility.areaXM);
        section.Read("area_y_m", mobility.areaYM);
        section.Read("height_m", mobility.heightM);
        section.Read("speed_mps", mobility.speedMps);
        section.Read("pause_s", mobility.pauseS);
        section.Require(mobility.speedMps.low > 0, "speed_mps", "greater than 0");
    }
    return mobility;
}

LinkConfig
ReadLink(const Section& section)
{
    LinkConfig link;
    section.Read("standard", link.standard);
    section.Require(link.standard == "80211n" || link.standard == "80211ac" ||
                        link.standard == "80211ax",
                    "standard",
                    "80211n, 80211ac, 80211ax");
    section.Read("channel_width_mhz", link.channelWidthMhz);
    section.Require(link.channelWidthMhz == 20 || link.channelWidthMhz == 40 ||
                        link.channelWidthMhz == 80,
                    "channel_width_mhz",
                    "20, 40, 80");
    section.Read("tx_power_dbm", link.txPowerDbm);
    section.Read("rate_manager", link.rateManager);
    section.Require(link.rateManager == "minstrel-ht" || link.rateManager == "ideal",
                    "rate_manager",
                    "minstrel-ht, ideal");
    section.Read("ap_position_m", link.apPosition);
    section.Read("reference_loss_db", link.referenceLossDb);
    section.Read("reference_distance_m", link.referenceDistanceM);
    section.Read("path_loss_exponent", link.pathLossExponent);
    section.Read("fading", link.fading);
    section.Require(link.fading == "none" || link.fading == "nakagami-block",
                    "fading",
                    "none, nakagami-block");
    section.Read("nakagami_m", link.nakagamiM);
    section.Require(link.nakagamiM >= 0.5, "nakagami_m", "0.5 or more");
    section.Read("coherence_time_s", link.coherenceTimeS);
    section.Require(link.coherenceTimeS > 0, "coherence_time_s", "greater than 0");
    section.Read("mac_queue_packets", link.macQueuePackets);
    section.Read("mac_queue_lifetime_s", link.macQueueLifetimeS);
    section.Read("backhaul_rate_mbps", link.backhaulRateMbps);
    section.Read("backhaul_delay_s", link.backhaulDelayS);
    return link;
}

BackgroundConfig
ReadBackground(const Section& section)
{
    BackgroundConfig background;
    section.Read("stations", background.stations);
    section.Read("rate_kbps", background.rateKbps);
    section.Read("packet_bytes", background.packetBytes);
    section.Read("distance_m", background.distanceM);
    return background;
}

ArrivalsConfig
ReadArrivals(const Section& section)
{
    ArrivalsConfig arrivals;
    section.Read("count", arrivals.count);
    section.Require(arrivals.count > 0, "count", "1 or more");
    section.Read("start_s", arrivals.startS);
    section.Read("deadline_s", arrivals.deadlineS);
    section.Require(arrivals.deadlineS > 0, "deadline_s", "greater than 0");
    section.Read("min_gap_s", arrivals.minGapS);
    section.Require(arrivals.minGapS >= arrivals.deadlineS,
                    "min_gap_s",
                    "at least deadline_s, so that requests never overlap");
    section.Read("mean_extra_gap_s", arrivals.meanExtraGapS);
    section.Read("prompt_tokens", arrivals.promptTokens);
    section.Read("output_tokens", arrivals.outputTokens);
    section.Require(arrivals.promptTokens.low >= 1, "prompt_tokens", "1 or more");
    section.Require(arrivals.outputTokens.low >= 1, "output_tokens", "1 or more");
    return arrivals;
}

TransportConfig
ReadTransport(const Section& section)
{
    TransportConfig transport;
    section.Read("reassembly_timeout_s", transport.reassemblyTimeoutS);
    section.Require(transport.reassemblyTimeoutS > 0, "reassembly_timeout_s", "greater than 0");
    section.Read("retry_timeout_s", transport.retryTimeoutS);
    section.Require(transport.retryTimeoutS > 0, "retry_timeout_s", "greater than 0");
    section.Read("max_retries", transport.maxRetries);
    section.Require(transport.maxRetries < 255, "max_retries", "0 to 254");
    section.Read("device_queue_window", transport.deviceQueueWindow);
    section.Require(transport.deviceQueueWindow > 0, "device_queue_window", "1 or more");
    section.Read("token_id_bytes", transport.tokenIdBytes);
    return transport;
}

ComputeProfile
ReadProfile(const Section& section, std::size_t promptTokens, std::size_t contextTokens)
{
    ComputeProfile profile;
    section.Read("prefill_block_s", profile.prefillBlockS);
    section.Read("decode_block_s", profile.decodeBlockS);
    section.Read("head_s", profile.headS);
    section.Read("power_w", profile.powerW);
    section.Require(profile.prefillBlockS.size() > promptTokens,
                    "prefill_block_s",
                    "one entry for each prompt length");
    section.Require(profile.decodeBlockS.size() > contextTokens,
                    "decode_block_s",
                    "one entry for each context length");
    return profile;
}

ComputeConfig
ReadCompute(const Section& section, const ArrivalsConfig& arrivals)
{
    ComputeConfig compute;
    section.Read("num_layers", compute.numLayers);
    section.Read("splits", compute.splits);
    section.Require(!compute.splits.empty(), "splits", "at least one");
    for (auto split : compute.splits)
    {
        section.Require(split <= compute.numLayers, "splits", "0 to num_layers");
    }
    auto prompt = static_cast<std::size_t>(arrivals.promptTokens.high);
    auto context = prompt + static_cast<std::size_t>(arrivals.outputTokens.high);
    compute.ue = ReadProfile(section["ue"], prompt, context);
    compute.edge = ReadProfile(section["edge"], prompt, context);
    section.Read("background_jobs_per_s", compute.backgroundJobsPerS);
    section.Read("background_job_s", compute.backgroundJobS);
    return compute;
}

std::vector<CodecConfig>
ReadCodecs(const Section& root)
{
    const auto& rows = root.At("codecs");
    root.Require(rows.is_array() && !rows.empty() && rows.size() < 255,
                 "codecs",
                 "1 to 254 codecs");
    std::vector<CodecConfig> codecs;
    for (std::size_t i = 0; i < rows.size(); i++)
    {
        Section section(rows[i], "codecs[" + std::to_string(i) + "].");
        CodecConfig codec;
        section.Read("name", codec.name);
        section.Read("fragment_bytes", codec.fragmentBytes);
        section.Require(!codec.fragmentBytes.empty(), "fragment_bytes", "at least one fragment");
        codecs.push_back(codec);
    }
    return codecs;
}

RadioEnergyConfig
ReadRadioEnergy(const Section& section)
{
    RadioEnergyConfig energy;
    section.Read("voltage_v", energy.voltageV);
    section.Read("idle_a", energy.idleA);
    section.Read("cca_busy_a", energy.ccaBusyA);
    section.Read("tx_a", energy.txA);
    section.Read("rx_a", energy.rxA);
    section.Read("switching_a", energy.switchingA);
    section.Read("sleep_a", energy.sleepA);
    return energy;
}

} // namespace

ScenarioConfig
ScenarioConfig::Load(const std::string& path)
{
    std::ifstream file(path);
    if (!file)
    {
        throw ConfigError(path +
                          ": can't be read; valid: a scenario as `splitsim` writes it (JSON)");
    }
    auto json = Json::parse(file, nullptr, false);
    if (json.is_discarded())
    {
        throw ConfigError(path + ": is no valid JSON");
    }
    Section root(json, "");
    ScenarioConfig config;
    root.Read("name", config.name);
    config.mobility = ReadMobility(root["mobility"]);
    config.link = ReadLink(root["link"]);
    config.background = ReadBackground(root["background"]);
    config.arrivals = ReadArrivals(root["arrivals"]);
    config.transport = ReadTransport(root["transport"]);
    config.codecs = ReadCodecs(root);
    config.compute = ReadCompute(root["compute"], config.arrivals);
    config.radioEnergy = ReadRadioEnergy(root["radio_energy"]);
    return config;
}

} // namespace splitsim
