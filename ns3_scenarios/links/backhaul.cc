/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "backhaul.h"

#include "ns3/data-rate.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/point-to-point-net-device.h"
#include "ns3/string.h"

namespace splitsim
{

using namespace ns3;

BackhaulConfig
ReadBackhaul(const Section& section)
{
    BackhaulConfig config;
    section.Read("rate_mbps", config.rateMbps);
    section.Require(config.rateMbps > 0 && config.rateMbps <= 1e8,
                    "rate_mbps",
                    "greater than 0, at most 1e8");
    section.Read("delay_s", config.delayS);
    section.Require(config.delayS >= 0 && config.delayS <= 1e9, "delay_s", "0 to 1e9");
    return config;
}

NetDeviceContainer
BuildBackhaul(const BackhaulConfig& config,
              Ptr<Node> site,
              Ptr<Node> edge,
              const DropCallback& onDrop)
{
    PointToPointHelper helper;
    helper.SetDeviceAttribute(
        "DataRate",
        DataRateValue(DataRate(static_cast<uint64_t>(config.rateMbps * 1e6))));
    helper.SetChannelAttribute("Delay", TimeValue(Seconds(config.delayS)));
    // A whole prompt must fit: the backhaul is not what a scenario studies.
    helper.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue("10000p"));
    auto devices = helper.Install(site, edge);
    for (uint32_t i = 0; i < devices.GetN(); i++)
    {
        DynamicCast<PointToPointNetDevice>(devices.Get(i))
            ->GetQueue()
            ->TraceConnectWithoutContext(
                "Drop",
                Callback<void, Ptr<const Packet>>([onDrop](Ptr<const Packet> packet) {
                    NoteDrop(onDrop, packet, Outcome::DROPPED_QUEUE);
                }));
    }
    return devices;
}

void
NoteDrop(const DropCallback& onDrop, Ptr<const Packet> packet, Outcome cause)
{
    FragmentTag tag;
    if (onDrop && packet->FindFirstMatchingByteTag(tag))
    {
        onDrop(tag, cause);
    }
}

} // namespace splitsim
