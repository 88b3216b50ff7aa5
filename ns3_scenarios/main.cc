/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The simulator of scenario files: what the file says, nothing else. With --preview it asks no agent
 * and tells what the scenario looks like.
 */
#include "parent-watch.h"
#include "scenario/netanim.h"
#include "scenario/preview.h"
#include "scenario/scenario-program.h"
#include "scenario/world.h"

#include "ns3/simulator.h"

#include <iostream>
#include <memory>
#include <string>

namespace
{

using namespace splitsim;

/** What the command line chooses, and what is built from it. */
struct Simulation
{
    bool bare{false};
    std::string previewConfig;
    std::string netanimFile;
    std::unique_ptr<World> world;
    std::unique_ptr<Preview> preview;
    std::unique_ptr<NetAnim> netanim;

    AgentView Build(const Episode& episode)
    {
        world = std::make_unique<World>(episode.config,
                                        episode.seed,
                                        episode.replicate,
                                        bare ? World::Extent::CELL : World::Extent::WHOLE);
        if (!netanimFile.empty())
        {
            netanim = std::make_unique<NetAnim>(*world, netanimFile);
            // Its file is complete once it is gone, and it needs the nodes until then.
            ns3::Simulator::ScheduleDestroy([this] { netanim.reset(); });
        }
        if (!previewConfig.empty())
        {
            BuildPreview(episode);
            return {};
        }
        return bare ? AgentView() : world->GetAgentView();
    }

    void BuildPreview(const Episode& episode)
    {
        ns3::WatchParent(); // nobody else would notice that the reader of the answer is gone
        preview = std::make_unique<Preview>(*world, episode, PreviewConfig::Load(previewConfig));
        preview->Schedule();
        // Past the last sample, so that it is taken.
        ns3::Simulator::Stop(ns3::Seconds(preview->GetEndS() + 0.01));
    }
};

} // namespace

int
main(int argc, char* argv[])
{
    Simulation simulation;
    ScenarioProgram program("splitsim-ns3");
    program.AddValue("bare",
                     "only the cell and its streams, without split inference",
                     simulation.bare);
    program.AddValue("preview",
                     "ask no agent, print what this JSON file asks for as one JSON object",
                     simulation.previewConfig);
    program.AddValue("netanim", "XML file to write for ns-3's NetAnim", simulation.netanimFile);
    const int status = program.Run(argc, argv, [&simulation](const Episode& episode) {
        return simulation.Build(episode);
    });
    if (status == 0 && simulation.preview)
    {
        std::cout << simulation.preview->ToJson() << std::endl;
    }
    return status;
}
