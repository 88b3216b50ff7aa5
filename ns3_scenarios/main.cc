/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * One scenario as a process: reads the JSON that splitsim makes of a YAML scenario, and asks the
 * agent for a split at every request. Or, with --preview, tells what the scenario looks like without
 * an agent.
 */
#include "opengym_interface.h"
#include "parent-watch.h"
#include "scenario/decision-env.h"
#include "scenario/netanim.h"
#include "scenario/preview.h"
#include "scenario/scenario-config.h"
#include "scenario/world.h"

#include "ns3/command-line.h"
#include "ns3/simulator.h"

#include <exception>
#include <iostream>
#include <memory>
#include <string>

using namespace ns3;

namespace
{

struct Arguments
{
    std::string config;
    std::string endpoint;
    uint32_t openGymPort{5555};
    uint32_t simSeed{1};
    uint32_t replicate{0};
    std::string preview;
    std::string netanim;
};

Arguments
Parse(int argc, char* argv[])
{
    Arguments arguments;
    CommandLine cmd(__FILE__);
    cmd.AddValue("config",
                 "scenario, the JSON file that splitsim writes beside ns-3's logs",
                 arguments.config);
    cmd.AddValue("openGymPort", "TCP port of the agent on this machine", arguments.openGymPort);
    cmd.AddValue("openGymEndpoint", "ZeroMQ endpoint of the agent instead", arguments.endpoint);
    cmd.AddValue("simSeed", "seed of the episode (RngRun)", arguments.simSeed);
    cmd.AddValue("replicate", "which draw of the MAC's random numbers", arguments.replicate);
    cmd.AddValue("preview",
                 "ask no agent, print what this JSON file asks for as one JSON object",
                 arguments.preview);
    cmd.AddValue("netanim", "XML file to write for ns-3's NetAnim", arguments.netanim);
    cmd.Parse(argc, argv);
    return arguments;
}

std::unique_ptr<splitsim::NetAnim>
MakeNetAnim(const splitsim::World& world, const std::string& path)
{
    return path.empty() ? nullptr : std::make_unique<splitsim::NetAnim>(world, path);
}

void
Run(const Arguments& arguments)
{
    const auto config = splitsim::ScenarioConfig::Load(arguments.config);
    splitsim::World world(config, arguments.simSeed, arguments.replicate);
    auto env = CreateObject<splitsim::DecisionEnv>();
    env->Configure(config, world.GetRequests(), world.GetAgentView());
    auto wire = arguments.endpoint.empty() ? CreateObject<OpenGymInterface>(arguments.openGymPort)
                                           : CreateObject<OpenGymInterface>(arguments.endpoint);
    env->SetOpenGymInterface(wire);
    env->ScheduleDecisions();
    auto netanim = MakeNetAnim(world, arguments.netanim);
    // Past the end of the last window, so that its record is closed.
    Simulator::Stop(Seconds(world.GetEndS() + 0.01));
    Simulator::Run();
    netanim.reset();
    env->NotifySimulationEnd();
    wire->Dispose();
    Simulator::Destroy();
}

void
RunPreview(const Arguments& arguments)
{
    WatchParent();
    const auto config = splitsim::ScenarioConfig::Load(arguments.config);
    const auto shown = splitsim::PreviewConfig::Load(arguments.preview);
    splitsim::World world(config, arguments.simSeed, arguments.replicate);
    splitsim::Preview preview(world, shown);
    preview.Schedule();
    auto netanim = MakeNetAnim(world, arguments.netanim);
    // Past the last sample, so that it is taken.
    Simulator::Stop(Seconds(preview.GetEndS() + 0.01));
    Simulator::Run();
    netanim.reset();
    Simulator::Destroy();
    std::cout << preview.ToJson() << std::endl;
}

} // namespace

int
main(int argc, char* argv[])
{
    const auto arguments = Parse(argc, argv);
    try
    {
        arguments.preview.empty() ? Run(arguments) : RunPreview(arguments);
    }
    catch (const std::exception& error)
    {
        std::cerr << "splitsim-ns3: " << error.what() << std::endl;
        return 2;
    }
    return 0;
}
