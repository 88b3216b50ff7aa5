/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "scenario-config.h"

namespace splitsim
{

namespace
{

using Json = nlohmann::json;

/// Keep a slip in a number from filling the memory.
constexpr uint32_t MOST_REQUESTS = 1000000;
constexpr double MOST_TOKENS = 1e6;

Track
ReadTrack(const Section& section)
{
    Track track;
    std::vector<std::vector<double>> rows;
    section.Read("rows", rows);
    section.Read("stays", track.stays);
    section.Require(!rows.empty(), "rows", "at least one [t_s, x_m, y_m, z_m]");
    for (const auto& row : rows)
    {
        section.Require(row.size() == 4, "rows", "rows of [t_s, x_m, y_m, z_m]");
        section.Require(track.waypoints.empty() || row[0] > track.waypoints.back().timeS,
                        "rows",
                        "times that increase");
        track.waypoints.push_back({row[0], {row[1], row[2], row[3]}});
    }
    return track;
}

void
ReadTracks(const Section& section, MobilityConfig& mobility)
{
    for (const auto& track : section.List("tracks"))
    {
        mobility.tracks.push_back(ReadTrack(track));
    }
    section.Require(!mobility.tracks.empty(), "tracks", "at least one");
    section.Read("choose", mobility.chooseTrack);
    section.Read("offset_s", mobility.offsetS);
    mobility.atEnd = section.ReadName("at_end", {"stay", "leave", "loop", "return"});
}

void
ReadArea(const Section& section, MobilityConfig& mobility)
{
    section.Read("area_x_m", mobility.areaXM);
    section.Read("area_y_m", mobility.areaYM);
    section.Read("height_m", mobility.heightM);
}

} // namespace

MobilityConfig
ReadMobility(const Section& section)
{
    MobilityConfig mobility;
    mobility.model = section.ReadName("model",
                                      {"constant",
                                       "linear",
                                       "ring",
                                       "scatter",
                                       "track",
                                       "random-waypoint",
                                       "random-walk",
                                       "gauss-markov"});
    const auto& model = mobility.model;
    if (model == "constant" || model == "linear" || model == "ring")
    {
        section.Read("position_m", mobility.position);
    }
    if (model == "linear")
    {
        section.Read("velocity_mps", mobility.velocity);
    }
    if (model == "ring")
    {
        section.Read("distance_m", mobility.distanceM);
    }
    if (model == "track")
    {
        ReadTracks(section, mobility);
    }
    if (model == "scatter" || model.rfind("random-", 0) == 0 || model == "gauss-markov")
    {
        ReadArea(section, mobility);
    }
    if (model.rfind("random-", 0) == 0 || model == "gauss-markov")
    {
        section.Read("speed_mps", mobility.speedMps);
        section.Require(mobility.speedMps.low > 0, "speed_mps", "greater than 0");
    }
    if (model == "random-waypoint")
    {
        section.Read("pause_s", mobility.pauseS);
    }
    if (model == "random-walk" || model == "gauss-markov")
    {
        section.Read("step_s", mobility.stepS);
        section.Require(mobility.stepS > 0, "step_s", "greater than 0");
    }
    if (model == "gauss-markov")
    {
        section.Read("alpha", mobility.alpha);
        section.Require(mobility.alpha >= 0 && mobility.alpha <= 1, "alpha", "0 to 1");
    }
    return mobility;
}

namespace
{

TrafficConfig
ReadTraffic(const Section& section)
{
    TrafficConfig traffic;
    traffic.kind = section.ReadName("kind", {"cbr", "on-off", "video", "tcp"});
    traffic.uplink = section.ReadName("direction", {"uplink", "downlink"}) == "uplink";
    section.Read("rate_kbps", traffic.rateKbps);
    section.Require(traffic.rateKbps > 0 || (traffic.kind == "tcp" && traffic.rateKbps == 0),
                    "rate_kbps",
                    "greater than 0, or 0 for greedy TCP");
    section.Read("packet_bytes", traffic.packetBytes);
    section.Require(traffic.packetBytes > 0, "packet_bytes", "1 or more");
    section.Read("on_s", traffic.onS);
    section.Read("off_s", traffic.offS);
    section.Read("frames_per_s", traffic.framesPerS);
    section.Require(traffic.framesPerS > 0, "frames_per_s", "greater than 0");
    return traffic;
}

PeersConfig
ReadPeers(const Section& section)
{
    PeersConfig peers;
    section.Read("count", peers.count);
    peers.mobility = ReadMobility(section["mobility"]);
    if (section.Has("traffic"))
    {
        peers.traffic = ReadTraffic(section["traffic"]);
    }
    if (section.Has("split"))
    {
        uint32_t split = 0;
        section.Read("split", split);
        peers.split = split;
    }
    return peers;
}

void
RequireTokens(const Section& section, const Range& tokens, const std::string& key)
{
    section.Require(tokens.low >= 1 && tokens.high <= MOST_TOKENS, key, "1 to 1000000");
}

ArrivalsConfig
ReadArrivals(const Section& section)
{
    ArrivalsConfig arrivals;
    section.Read("count", arrivals.count);
    section.Require(arrivals.count > 0 && arrivals.count <= MOST_REQUESTS, "count", "1 to 1000000");
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
    RequireTokens(section, arrivals.promptTokens, "prompt_tokens");
    RequireTokens(section, arrivals.outputTokens, "output_tokens");
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
    if (section.Has("fec"))
    {
        const Section fec = section["fec"];
        fec.Read("data", transport.fecData);
        fec.Require(transport.fecData >= 1 && transport.fecData <= 254, "data", "1 to 254");
        fec.Read("parity", transport.fecParity);
        fec.Require(transport.fecParity >= 1 && transport.fecParity <= 255 - transport.fecData,
                    "parity",
                    "1 or more, and no more than 255 with data");
    }
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
    std::vector<CodecConfig> codecs;
    for (const auto& section : root.List("codecs"))
    {
        CodecConfig codec;
        section.Read("name", codec.name);
        section.Read("fragment_bytes", codec.fragmentBytes);
        section.Require(!codec.fragmentBytes.empty(), "fragment_bytes", "at least one fragment");
        codecs.push_back(codec);
    }
    root.Require(!codecs.empty() && codecs.size() < 255, "codecs", "1 to 254 codecs");
    return codecs;
}

} // namespace

uint32_t
ScenarioConfig::CountUes() const
{
    uint32_t count = 1;
    for (const auto& peers : others)
    {
        count += peers.count;
    }
    return count;
}

Section
ScenarioConfig::GetLink() const
{
    return {link, "link."};
}

Section
ScenarioConfig::GetEnvironment() const
{
    return {environment, "environment."};
}

ScenarioConfig
ScenarioConfig::Load(const std::string& path)
{
    const auto json = ReadJsonFile(path);
    Section root(json, "");
    ScenarioConfig config;
    root.Read("name", config.name);
    config.mobility = ReadMobility(root["mobility"]);
    for (const auto& peers : root.List("others"))
    {
        config.others.push_back(ReadPeers(peers));
    }
    config.link = root.At("link");
    config.environment = root.At("environment");
    config.arrivals = ReadArrivals(root["arrivals"]);
    config.transport = ReadTransport(root["transport"]);
    config.codecs = ReadCodecs(root);
    config.compute = ReadCompute(root["compute"], config.arrivals);
    for (const auto& peers : config.others)
    {
        root.Require(!peers.split || *peers.split <= config.compute.numLayers,
                     "others",
                     "splits of at most num_layers");
    }
    return config;
}

} // namespace splitsim
