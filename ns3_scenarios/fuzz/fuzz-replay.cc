/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * The section of a recorded link: read, built between a UE and the edge, and asked for its state.
 */
#include "../links/link.h"
#include "../links/replay-trace.h"
#include "../scenario/config-section.h"
#include "judge.h"

#include "ns3/config.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/node-container.h"
#include "ns3/simulator.h"

namespace
{

using namespace splitsim;

constexpr double END_S = 20;

/** @param path of a file that holds a `link` section */
void
Build(const std::string& path)
{
    const auto json = ReadJsonFile(path);
    const Section section(json, "link.");
    section.ReadName("technology", {"replay"});
    const auto link = MakeLink(section);
    LinkContext context;
    context.ues.Create(1);
    context.ues.Get(0)->AggregateObject(ns3::CreateObject<ns3::ConstantPositionMobilityModel>());
    context.edge = ns3::CreateObject<ns3::Node>();
    context.seed = 1;
    context.endS = END_S;
    link->Build(context);
    for (const double timeS : {0.0, 0.5, 3.0, END_S})
    {
        ns3::Simulator::Schedule(ns3::Seconds(timeS), [link] { link->GetState(); });
    }
    ns3::Simulator::Stop(ns3::Seconds(END_S + 1));
    ns3::Simulator::Run();
}

} // namespace

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size)
{
    IsAccepted(data, size, Build);
    ns3::Simulator::Destroy();
    return 0;
}
