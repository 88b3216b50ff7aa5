/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * A person walks up and down an office corridor: the library's link, ns-3's own mobility. The link,
 * the model and the requests are the scenario file's, split-corridor.yaml.
 */
#include "ns3/mobility-module.h"
#include "ns3/splitsim-module.h"

using namespace ns3;
using namespace splitsim;

int
main(int argc, char* argv[])
{
    double lengthM = 40;
    double speedMps = 1.4;
    NodeContainer person;
    NodeContainer server;
    Ptr<Link> link;
    std::optional<SplitInferenceHelper> inference;

    ScenarioProgram program("split-corridor");
    program.AddValue("length",
                     "metres of the corridor, which begins below the access point",
                     lengthM);
    program.AddValue("speed", "of the person, in m/s", speedMps);
    return program.Run(argc, argv, [&](const Episode& episode) {
        person.Create(1);
        server.Create(1);
        auto walk = CreateObject<WaypointMobilityModel>();
        person.Get(0)->AggregateObject(walk);
        double timeS = 0;
        for (bool far = false; timeS < episode.endS + lengthM / speedMps; far = !far)
        {
            walk->AddWaypoint(ns3::Waypoint(Seconds(timeS), Vector(far ? lengthM : 0, 0, 1.5)));
            timeS += lengthM / speedMps;
        }
        const auto& config = episode.config;
        inference.emplace(config.transport, config.compute);
        link = MakeLink(config.GetLink());
        link->Build({.ues = person,
                     .edge = server.Get(0),
                     .environment = MakeEnvironment(config.GetEnvironment(), episode.seed),
                     .seed = episode.seed,
                     .endS = episode.endS,
                     .onDrop = inference->GetDropCallback()});
        auto application = inference->Install(0, person.Get(0), server.Get(0), link);
        return AgentView{application,
                         inference->GetRecorder(0),
                         link,
                         inference->GetEdgeQueue(),
                         walk};
    });
}
