/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_SCENARIO_CONFIG_H
#define SPLITSIM_SCENARIO_CONFIG_H

#include "config-section.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace splitsim
{

/** One sample of a recorded or designed path. */
struct TrackPoint
{
    double timeS{0};
    Point position;
};

/** A path over time; between the samples the node moves in straight lines. */
struct Track
{
    std::vector<TrackPoint> waypoints; ///< times increase
    bool stays{true}; ///< before its first time it stands there, else it isn't there
};

/** How a node moves; `model` says which of the fields count. */
struct MobilityConfig
{
    std::string model; ///< see mobility-builder.cc
    Point position;    ///< constant, linear: where at time 0; ring: the centre
    Point velocity;    ///< linear: m/s
    Range areaXM;      ///< the area of the random models
    Range areaYM;
    double heightM{1.5};
    Range speedMps;
    Range pauseS;
    Range distanceM;           ///< ring: from the centre
    double stepS{1};           ///< random-walk, gauss-markov: between changes of course
    double alpha{0.85};        ///< gauss-markov: memory, 0 to 1
    std::vector<Track> tracks; ///< track: one for each node of a group, in order
    bool chooseTrack{false};   ///< track: the seed chooses which
    Range offsetS;             ///< track: the seed chooses where in it time 0 is
    std::string atEnd;         ///< track: stay, leave, loop or return
};

/** @param section a `mobility`. @return it @throws ConfigError for a field that isn't valid */
MobilityConfig ReadMobility(const Section& section);

/** A stream of packets beside the inference. */
struct TrafficConfig
{
    std::string kind; ///< cbr, on-off, video or tcp
    bool uplink{true};
    double rateKbps{0};         ///< mean while on; tcp: the application's limit, 0 for none
    uint32_t packetBytes{1000}; ///< UDP payload, or what is handed to TCP at once
    double onS{1};              ///< on-off: means of the exponential times
    double offS{1};
    double framesPerS{30}; ///< video
};

/** Other nodes of the cell, all of one kind. */
struct PeersConfig
{
    uint32_t count{0};
    MobilityConfig mobility;
    std::optional<TrafficConfig> traffic;
    std::optional<uint32_t> split; ///< runs split inference itself, always at this split
};

/** When requests come and how long they are. */
struct ArrivalsConfig
{
    uint32_t count{0};
    double startS{2};
    double deadlineS{3};     ///< a request is cut this long after its arrival
    double minGapS{4};       ///< at least the deadline, so that requests never overlap
    double meanExtraGapS{0}; ///< mean of the exponential part of the gap
    Range promptTokens;
    Range outputTokens;
};

/** The UE's and the edge's rules for tensors in packets. */
struct TransportConfig
{
    double reassemblyTimeoutS{0.1}; ///< since the step's latest new fragment
    double retryTimeoutS{0.2};
    uint32_t maxRetries{2};
    uint32_t deviceQueueWindow{64}; ///< fragments that the UE keeps in its device queue
    uint32_t tokenIdBytes{16};      ///< payload of a reply
    uint32_t fecData{0};   ///< fragments of a group that parity protects; 0: there is no parity
    uint32_t fecParity{0}; ///< packets of parity after each group
};

/** An activation codec as the network sees it: the bytes of each fragment of one token. */
struct CodecConfig
{
    std::string name;
    std::vector<uint32_t> fragmentBytes;
};

/** Seconds of computing, by number of tokens; made by the roofline on the Python side. */
struct ComputeProfile
{
    std::vector<double> prefillBlockS; ///< [P] one block over P prompt tokens
    std::vector<double> decodeBlockS; ///< [context] one block for one token behind `context` others
    double headS{0};                  ///< final norm and vocabulary projection of one token
    double powerW{0};                 ///< above idle, while computing
};

/** The model as deployed, and the two machines. */
struct ComputeConfig
{
    uint32_t numLayers{0};
    std::vector<uint32_t> splits; ///< what an action index stands for
    ComputeProfile ue;
    ComputeProfile edge;
    double backgroundJobsPerS{0}; ///< other users' jobs in the edge's queue
    double backgroundJobS{0};     ///< mean service time of one, exponential
};

/** One scenario, complete. The Python side validates and fills in defaults; here all is required.
 */
struct ScenarioConfig
{
    std::string name;
    MobilityConfig mobility; ///< the agent's UE
    std::vector<PeersConfig> others;
    nlohmann::json link;        ///< `technology` says whose; read by that link alone
    nlohmann::json environment; ///< what stands in the way; read by links/environment.cc
    ArrivalsConfig arrivals;
    TransportConfig transport;
    std::vector<CodecConfig> codecs;
    ComputeConfig compute;

    /** @return how many UEs there are, the agent's included */
    uint32_t CountUes() const;
    /** @return the link's section @throws ConfigError when it is no object */
    Section GetLink() const;
    /** @return the environment's section @throws ConfigError when it is no object */
    Section GetEnvironment() const;

    /**
     * @param path a JSON file as `splitsim` writes it
     * @return the scenario
     * @throws ConfigError when the file can't be read or a field is missing or contradictory
     */
    static ScenarioConfig Load(const std::string& path);
};

} // namespace splitsim

#endif // SPLITSIM_SCENARIO_CONFIG_H
