/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "agent-view.h"

#include <algorithm>
#include <limits>

namespace splitsim
{

using namespace ns3;

double
AgentView::GetDistanceM() const
{
    const auto sites = link->GetSites();
    const auto serving = link->GetState().servingCell;
    double nearestM = std::numeric_limits<double>::infinity();
    for (int32_t i = 0; i < static_cast<int32_t>(sites.size()); i++)
    {
        const auto& place = sites[i].position;
        const double distanceM =
            CalculateDistance(ueMobility->GetPosition(), Vector(place.xM, place.yM, place.zM));
        if (i == serving)
        {
            return distanceM;
        }
        nearestM = std::min(nearestM, distanceM);
    }
    return sites.empty() ? 0 : nearestM;
}

} // namespace splitsim
