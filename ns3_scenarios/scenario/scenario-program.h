/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_SCENARIO_PROGRAM_H
#define SPLITSIM_SCENARIO_PROGRAM_H

#include "agent-view.h"
#include "exogenous.h"
#include "scenario-config.h"

#include "ns3/command-line.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace splitsim
{

/** What a scenario is built for. */
struct Episode
{
    ScenarioConfig config;         ///< the scenario file
    uint32_t seed{1};              ///< arrivals, mobility and fading come from it alone
    uint32_t replicate{0};         ///< which draw of the MAC's random numbers
    std::vector<Request> requests; ///< the agent's, in order of arrival
    double endS{0};                ///< when the last one's window is over
};

/**
 * Builds nodes, link, mobility and applications.
 *
 * @return what the agent decides about; where its `ue` is null nobody decides, and the scenario runs
 *         by itself
 */
using BuildScenario = std::function<AgentView(const Episode&)>;

/**
 * Makes a UE's mobility.
 *
 * @param episode what it is for
 * @param ue index of the UE: the agent's is 0, the scenario file's `others` follow in their order
 * @return it; null: the scenario file's
 */
using BuildMobility =
    std::function<ns3::Ptr<ns3::MobilityModel>(const Episode& episode, uint32_t ue)>;

/**
 * A scenario as a process that the Python agent starts: reads the JSON that splitsim makes of a YAML
 * scenario, and asks the agent for a split at every request. With --preview it asks no agent, makes no
 * request for it, and prints where the UEs of the link are and what they could receive.
 *
 * ns-3's random variables that are made while the scenario is built belong to the replicate, those
 * made under an ExogenousScope to the seed alone.
 */
class ScenarioProgram
{
  public:
    /** @param name stands before its error messages */
    explicit ScenarioProgram(std::string name);

    /** An option of the scenario's own. @param option its name @param help one line @param value it */
    template <typename T>
    void AddValue(const std::string& option, const std::string& help, T& value)
    {
        m_commandLine.AddValue(option, help, value);
    }

    /** A text, such as a path. ns-3's own parser would cut it at its first blank. */
    void AddValue(const std::string& option, const std::string& help, std::string& value)
    {
        const auto keep = [&value](const std::string& given) {
            value = given;
            return true;
        };
        m_commandLine.AddValue(option, help, keep, value);
    }

    /**
     * The whole program.
     *
     * @param argc, argv of main
     * @param build called once
     * @return exit status: 2 after one line on stderr when something can't be used
     */
    int Run(int argc, char* argv[], const BuildScenario& build);

    /**
     * The whole program of a scenario that is the scenario file's but for its mobility: link,
     * environment, other UEs, their traffic and requests, and the edge are as the file has them.
     *
     * @param argc, argv of main
     * @param buildMobility called once for each UE, in an ExogenousScope; random variables of the model
     *        get the streams that the UE's mobility has in a scenario file
     * @return exit status, as Run's
     */
    int RunWorld(int argc, char* argv[], const BuildMobility& buildMobility);

  private:
    Episode MakeEpisode() const;
    void RunEpisode(const BuildScenario& build) const;
    void Show(const Episode& episode, const AgentView& view) const;
    void Play(const Episode& episode, const AgentView& view) const;
    void ReportPace(double wallS) const;

    std::string m_name;
    ns3::CommandLine m_commandLine;
    std::string m_config;
    std::string m_endpoint;
    std::string m_preview;
    std::string m_netanim;
    uint32_t m_openGymPort{5555};
    uint32_t m_seed{1};
    uint32_t m_replicate{0};
    int32_t m_ownAction{-1};
    bool m_pace{false};
};

} // namespace splitsim

#endif // SPLITSIM_SCENARIO_PROGRAM_H
