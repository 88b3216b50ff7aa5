/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "link.h"

#include <map>
#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(Link);

namespace
{

std::map<std::string, LinkMaker>&
Register()
{
    static std::map<std::string, LinkMaker> makers;
    return makers;
}

} // namespace

TypeId
Link::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::Link").SetParent<Object>().SetGroupName("Splitsim");
    return tid;
}

void
Link::Build(const LinkContext& context)
{
    m_ues = context.ues;
    DoBuild(context);
}

NodeContainer
Link::GetUes() const
{
    return m_ues;
}

bool
Link::LosesInSilence() const
{
    return false;
}

LinkRegistration::LinkRegistration(const std::string& technology, LinkMaker make)
{
    Register()[technology] = std::move(make);
}

Ptr<Link>
MakeLink(const Section& section)
{
    std::string technology;
    section.Read("technology", technology);
    std::string names;
    for (const auto& [name, make] : Register())
    {
        names += (names.empty() ? "" : ", ") + name;
    }
    section.Require(Register().count(technology) > 0, "technology", names);
    return Register().at(technology)(section);
}

} // namespace splitsim
