/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * A person walks up and down an office corridor, by ns-3's own mobility. The link, the model, the
 * requests and the other UEs are the scenario file's, split-corridor.yaml.
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
    ScenarioProgram program("split-corridor");
    program.AddValue("length",
                     "metres of the corridor, which begins below the access point",
                     lengthM);
    program.AddValue("speed", "of the person, in m/s", speedMps);
    const auto walk = [&](const Episode& episode, uint32_t ue) -> Ptr<MobilityModel> {
        if (ue > 0)
        {
            return nullptr; // as the scenario file says
        }
        auto person = CreateObject<WaypointMobilityModel>();
        double timeS = 0;
        for (bool far = false; timeS < episode.endS + lengthM / speedMps; far = !far)
        {
            person->AddWaypoint(Waypoint(Seconds(timeS), Vector(far ? lengthM : 0, 0, 1.5)));
            timeS += lengthM / speedMps;
        }
        return person;
    };
    return program.RunWorld(argc, argv, walk);
}
