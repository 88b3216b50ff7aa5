/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * A link of one's own, DistanceLink, with everything else from the scenario file,
 * split-custom-link.yaml.
 */
#include "distance-link.h"

using namespace ns3;
using namespace splitsim;

int
main(int argc, char* argv[])
{
    DistanceLinkConfig settings;
    NodeContainer ue;
    NodeContainer edge;
    std::optional<SplitInferenceHelper> inference;

    ScenarioProgram program("split-custom-link");
    program.AddValue("rate", "of the link, in Mbit/s", settings.rateMbps);
    program.AddValue("halfLoss", "metres at which one packet in two is lost", settings.halfLossM);
    return program.Run(argc, argv, [&](const Episode& episode) {
        const auto& config = episode.config;
        ue.Create(1);
        edge.Create(1);
        {
            const ExogenousScope scope; // where the UE is, no replicate changes
            InstallMobility(config.mobility, ue.Get(0), {.seed = episode.seed});
        }
        inference.emplace(config.transport, config.compute);
        auto link = CreateObject<DistanceLink>(settings);
        link->Build({.ues = ue,
                     .edge = edge.Get(0),
                     .seed = episode.seed,
                     .onDrop = inference->GetDropCallback()});
        auto application = inference->Install(0, ue.Get(0), edge.Get(0), link);
        return AgentView{application,
                         inference->GetRecorder(0),
                         link,
                         inference->GetEdgeQueue(),
                         ue.Get(0)->GetObject<MobilityModel>()};
    });
}
