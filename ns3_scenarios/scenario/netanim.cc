/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "netanim.h"

#include "config-section.h"

#ifdef SPLITSIM_NETANIM
#include "ns3/animation-interface.h"
#include "ns3/mobility-model.h"
#include "ns3/node-list.h"
#endif

#include <fstream>

namespace splitsim
{

using namespace ns3;

#ifdef SPLITSIM_NETANIM

namespace
{

/// Nodes that stand nowhere (the edge, a core network) are drawn so far below everything.
constexpr double BELOW_M = 10;

double
LowestM()
{
    double lowest = 0;
    for (uint32_t i = 0; i < NodeList::GetNNodes(); i++)
    {
        const auto mobility = NodeList::GetNode(i)->GetObject<MobilityModel>();
        // NetAnim's y points down.
        lowest = mobility ? std::max(lowest, mobility->GetPosition().y) : lowest;
    }
    return lowest;
}

void
PlaceTheRest()
{
    const double yM = LowestM() + BELOW_M;
    double xM = 0;
    for (uint32_t i = 0; i < NodeList::GetNNodes(); i++)
    {
        const auto node = NodeList::GetNode(i);
        if (!node->GetObject<MobilityModel>())
        {
            AnimationInterface::SetConstantPosition(node, xM, yM);
            xM += BELOW_M;
        }
    }
}

} // namespace

/** The file. */
class NetAnim::Writer
{
  public:
    explicit Writer(const std::string& path)
        : file(path)
    {
    }

    AnimationInterface file;
};

NetAnim::NetAnim(const NodeContainer& ues, const std::string& path)
{
    if (!std::ofstream(path))
    {
        throw ConfigError(path + ": can't be written");
    }
    PlaceTheRest();
    m_writer = std::make_unique<Writer>(path);
    for (uint32_t i = 0; i < ues.GetN(); i++)
    {
        const auto name = i == 0 ? std::string("agent") : "ue-" + std::to_string(i);
        m_writer->file.UpdateNodeDescription(ues.Get(i), name);
        m_writer->file.UpdateNodeColor(ues.Get(i),
                                       i == 0 ? 213 : 153,
                                       i == 0 ? 94 : 153,
                                       i == 0 ? 0 : 153);
    }
}

#else

class NetAnim::Writer
{
};

NetAnim::NetAnim(const NodeContainer& /* ues */, const std::string& path)
{
    throw ConfigError(path + ": this ns-3 was built without its module netanim");
}

#endif

NetAnim::~NetAnim() = default;

} // namespace splitsim
