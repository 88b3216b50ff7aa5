/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The simulator of scenario files: what the file says, nothing else.
 */
#include "scenario/scenario-program.h"
#include "scenario/world.h"

#include <memory>

using namespace splitsim;

int
main(int argc, char* argv[])
{
    bool bare = false;
    std::unique_ptr<World> world;
    ScenarioProgram program("splitsim-ns3");
    program.AddValue("bare", "only the cell and its streams, without split inference", bare);
    return program.Run(argc, argv, [&](const Episode& episode) {
        world = std::make_unique<World>(episode.config,
                                        episode.seed,
                                        episode.replicate,
                                        bare ? World::Extent::CELL : World::Extent::WHOLE);
        return bare ? AgentView{nullptr, nullptr, world->GetLink(), nullptr, nullptr}
                    : world->GetAgentView();
    });
}
