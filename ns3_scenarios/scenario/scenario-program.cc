/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "scenario-program.h"

#include "decision-env.h"
#include "opengym_interface.h"

#include "ns3/simulator.h"

#include <chrono>
#include <exception>
#include <iostream>
#include <utility>

namespace splitsim
{

using namespace ns3;

namespace
{

constexpr int USAGE_ERROR = 2;
/// Behind the end of the last window, so that its record is closed.
constexpr double MARGIN_S = 0.01;

Ptr<DecisionEnv>
MakeEnv(const Episode& episode, const AgentView& view)
{
    auto env = CreateObject<DecisionEnv>();
    env->Configure(episode.config, episode.requests, view);
    env->ScheduleDecisions();
    return env;
}

} // namespace

ScenarioProgram::ScenarioProgram(std::string name)
    : m_name(std::move(name))
{
    AddValue("config", "scenario, the JSON file that splitsim writes beside ns-3's logs", m_config);
    AddValue("openGymPort", "TCP port of the agent on this machine", m_openGymPort);
    AddValue("openGymEndpoint", "ZeroMQ endpoint of the agent instead", m_endpoint);
    AddValue("simSeed", "seed of the episode (RngRun)", m_seed);
    AddValue("replicate", "which draw of the MAC's random numbers", m_replicate);
    AddValue("self", "ask no agent, take this action at every arrival", m_ownAction);
    AddValue("pace", "print events, simulated and wall seconds as JSON at the end", m_pace);
}

int
ScenarioProgram::Run(int argc, char* argv[], const BuildScenario& build)
{
    m_commandLine.Parse(argc, argv);
    try
    {
        RunEpisode(build);
    }
    catch (const std::exception& error)
    {
        std::cerr << m_name << ": " << error.what() << std::endl;
        return USAGE_ERROR;
    }
    return 0;
}

void
ScenarioProgram::RunEpisode(const BuildScenario& build) const
{
    Episode episode;
    episode.config = ScenarioConfig::Load(m_config);
    episode.seed = m_seed;
    episode.replicate = m_replicate;
    episode.requests = MakeRequests(episode.config.arrivals, m_seed);
    episode.endS = EndOf(episode.requests, episode.config.arrivals);
    SeedEpisode(m_seed, m_replicate);
    const auto view = build(episode);
    Ptr<DecisionEnv> env;
    Ptr<OpenGymInterface> wire;
    if (view.ue)
    {
        env = MakeEnv(episode, view);
    }
    if (env && m_ownAction >= 0)
    {
        env->AnswerItself(static_cast<uint32_t>(m_ownAction));
    }
    else if (env)
    {
        wire = m_endpoint.empty() ? CreateObject<OpenGymInterface>(m_openGymPort)
                                  : CreateObject<OpenGymInterface>(m_endpoint);
        env->SetOpenGymInterface(wire);
    }
    Simulator::Stop(Seconds(episode.endS + MARGIN_S));
    const auto start = std::chrono::steady_clock::now();
    Simulator::Run();
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    if (m_pace)
    {
        ReportPace(wall.count());
    }
    if (wire)
    {
        env->NotifySimulationEnd();
        wire->Dispose();
    }
    Simulator::Destroy();
}

void
ScenarioProgram::ReportPace(double wallS) const
{
    const nlohmann::json pace{{"events", Simulator::GetEventCount()},
                              {"sim_s", Simulator::Now().GetSeconds()},
                              {"wall_s", wallS}};
    std::cout << pace.dump() << std::endl;
}

} // namespace splitsim
