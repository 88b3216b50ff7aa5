/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The simulator of scenario files: what the file says, nothing else.
 */
#include "scenario/scenario-program.h"
#include "scenario/world.h"

#include <memory>

int
main(int argc, char* argv[])
{
    using splitsim::World;
    bool bare = false;
    std::unique_ptr<World> world;
    splitsim::ScenarioProgram program("splitsim-ns3");
    program.AddValue("bare", "only the cell and its streams, without split inference", bare);
    return program.Run(argc, argv, [&](const splitsim::Episode& episode) {
        world = std::make_unique<World>(episode.config,
                                        episode.seed,
                                        episode.replicate,
                                        bare ? World::Extent::CELL : World::Extent::WHOLE);
        return bare ? splitsim::AgentView() : world->GetAgentView();
    });
}
