/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_SCENARIO_CONFIG_H
#define SPLITSIM_SCENARIO_CONFIG_H

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace splitsim
{

/** The scenario file can't be used; the text names the field, the value and what is valid. */
class ConfigError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/** A closed interval to draw from. */
struct Range
{
    double low{0};
    double high{0};
};

/** A point in metres; z is up. */
struct Position
{
    double xM{0};
    double yM{0};
    double zM{0};
};

/** Where the UE is when. */
struct Waypoint
{
    double timeS{0};
    Position position;
};

/** How the UE moves; `model` says which of the fields count. */
struct MobilityConfig
{
    std::string model; ///< constant, waypoints or random-waypoint
    Position position; ///< constant: where
    std::vector<Waypoint> waypoints;
    Range areaXM; ///< random-waypoint: the rectangle
    Range areaYM;
    double heightM{1.5};
    Range speedMps;
    Range pauseS;
};

/** The radio link. */
struct LinkConfig
{
    std::string standard;         ///< 80211n, 80211ac or 80211ax
    uint32_t channelWidthMhz{20}; ///< in the 5 GHz band
    double txPowerDbm{16};
    std::string rateManager; ///< minstrel-ht or ideal
    Position apPosition;
    double referenceLossDb{46.7};
    double referenceDistanceM{1};
    double pathLossExponent{3};
    std::string fading; ///< none or nakagami-block
    double nakagamiM{1};
    double coherenceTimeS{0.02};
    uint32_t macQueuePackets{500};
    double macQueueLifetimeS{0.5};
    double backhaulRateMbps{1000};
    double backhaulDelayS{0.001};
};

/** Other stations of the same cell; each sends one constant-rate stream with random on and off
 * times. */
struct BackgroundConfig
{
    uint32_t stations{0};
    double rateKbps{0};
    uint32_t packetBytes{1000};
    Range distanceM;
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

/** Supply voltage and currents of the UE's Wi-Fi radio. */
struct RadioEnergyConfig
{
    double voltageV{3};
    double idleA{0.273};
    double ccaBusyA{0.273};
    double txA{0.38};
    double rxA{0.313};
    double switchingA{0.273};
    double sleepA{0.033};
};

/** One scenario, complete. The Python side validates and fills in defaults; here all is required.
 */
struct ScenarioConfig
{
    std::string name;
    MobilityConfig mobility;
    LinkConfig link;
    BackgroundConfig background;
    ArrivalsConfig arrivals;
    TransportConfig transport;
    std::vector<CodecConfig> codecs;
    ComputeConfig compute;
    RadioEnergyConfig radioEnergy;

    /**
     * @param path a JSON file as `splitsim` writes it
     * @return the scenario
     * @throws ConfigError when the file can't be read or a field is missing or contradictory
     */
    static ScenarioConfig Load(const std::string& path);
};

} // namespace splitsim

#endif // SPLITSIM_SCENARIO_CONFIG_H
