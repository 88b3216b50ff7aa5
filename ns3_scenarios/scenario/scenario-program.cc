/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "scenario-program.h"

#include "decision-env.h"
#include "netanim.h"
#include "opengym_interface.h"
#include "parent-watch.h"
#include "preview.h"
#include "world.h"

#include "ns3/simulator.h"

#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <utility>

namespace splitsim
{

using namespace ns3;

namespace
{

constexpr int USAGE_ERROR = 2;
/// Behind the last thing that happens: the record of the last window is closed, the last sample taken.
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
    AddValue("preview",
             "ask no agent, print what this JSON file asks for as one JSON object",
             m_preview);
    AddValue("netanim", "XML file to write for ns-3's NetAnim", m_netanim);
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

int
ScenarioProgram::RunWorld(int argc, char* argv[], const BuildMobility& buildMobility)
{
    std::unique_ptr<World> world;
    return Run(argc, argv, [&](const Episode& episode) {
        world = std::make_unique<World>(episode.config,
                                        episode.seed,
                                        episode.replicate,
                                        World::Extent::WHOLE,
                                        [&](uint32_t ue) { return buildMobility(episode, ue); });
        return world->GetAgentView();
    });
}

Episode
ScenarioProgram::MakeEpisode() const
{
    if (m_config.empty())
    {
        throw ConfigError(
            "--config is missing; valid: a file that `splitsim scenario show NAME --ns3` "
            "printed");
    }
    Episode episode;
    episode.config = ScenarioConfig::Load(m_config);
    episode.seed = m_seed;
    episode.replicate = m_replicate;
    episode.requests = MakeRequests(episode.config.arrivals, m_seed);
    episode.endS = EndOf(episode.requests, episode.config.arrivals);
    return episode;
}

void
ScenarioProgram::RunEpisode(const BuildScenario& build) const
{
    const auto episode = MakeEpisode();
    SeedEpisode(m_seed, m_replicate);
    const auto view = build(episode);
    std::unique_ptr<NetAnim> netanim;
    if (!m_netanim.empty())
    {
        netanim =
            std::make_unique<NetAnim>(view.link ? view.link->GetUes() : NodeContainer(), m_netanim);
    }
    if (m_preview.empty())
    {
        Play(episode, view);
    }
    else
    {
        Show(episode, view);
    }
    netanim.reset(); // its file is complete once it is gone, and it needs the nodes until then
    Simulator::Destroy();
}

void
ScenarioProgram::Show(const Episode& episode, const AgentView& view) const
{
    if (!view.link)
    {
        throw ConfigError("preview: the program returns no link to look at");
    }
    WatchParent(); // nobody else would notice that the reader of the answer is gone
    Preview preview(view.link, episode, PreviewConfig::Load(m_preview));
    preview.Schedule();
    Simulator::Stop(Seconds(preview.GetEndS() + MARGIN_S));
    Simulator::Run();
    std::cout << preview.ToJson() << std::endl;
}

void
ScenarioProgram::Play(const Episode& episode, const AgentView& view) const
{
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
