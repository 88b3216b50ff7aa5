/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "wifi-link.h"

#include "block-fading-loss-model.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/propagation-delay-model.h"
#include "ns3/queue-size.h"
#include "ns3/simulator.h"
#include "ns3/ssid.h"
#include "ns3/sta-wifi-mac.h"
#include "ns3/string.h"
#include "ns3/uinteger.h"
#include "ns3/wifi-helper.h"
#include "ns3/wifi-mac-helper.h"
#include "ns3/yans-wifi-channel.h"
#include "ns3/yans-wifi-helper.h"

#include <limits>
#include <map>
#include <string>

namespace splitsim
{

using namespace ns3;

namespace
{

WifiStandard
StandardOf(const std::string& name)
{
    static const std::map<std::string, WifiStandard> standards{
        {"80211n", WIFI_STANDARD_80211n},
        {"80211ac", WIFI_STANDARD_80211ac},
        {"80211ax", WIFI_STANDARD_80211ax},
    };
    return standards.at(name);
}

Ptr<YansWifiChannel>
MakeChannel(const LinkConfig& config, uint64_t seed)
{
    auto loss = CreateObject<LogDistancePropagationLossModel>();
    loss->SetPathLossExponent(config.pathLossExponent);
    loss->SetReference(config.referenceDistanceM, config.referenceLossDb);
    if (config.fading == "nakagami-block")
    {
        auto fading = CreateObject<BlockFadingLossModel>();
        fading->Configure(seed, config.nakagamiM, config.coherenceTimeS);
        loss->SetNext(fading);
    }
    auto channel = CreateObject<YansWifiChannel>();
    channel->SetPropagationLossModel(loss);
    channel->SetPropagationDelayModel(CreateObject<ConstantSpeedPropagationDelayModel>());
    return channel;
}

std::string
ChannelSettings(uint32_t widthMhz)
{
    // The first channel of each width in the 5 GHz band (IEEE 802.11-2020, annex E).
    static const std::map<uint32_t, std::string> numbers{{20, "36"}, {40, "38"}, {80, "42"}};
    return "{" + numbers.at(widthMhz) + ", " + std::to_string(widthMhz) + ", BAND_5GHZ, 0}";
}

/// By then an association response has been acknowledged or given up.
constexpr auto ASSOCIATION_SETTLED_MS = 20;

/**
 * Mends a station that holds itself for associated while the access point doesn't.
 *
 * That happens when the acknowledgement of the association response is lost to the last retry. A real
 * access point then answers the station's first data frame with a deauthentication, and the station
 * associates anew at once (IEEE 802.11-2020, 11.3.3, class 3 frames); ns-3's drops the frames in
 * silence, for good.
 */
void
KeepAssociationsAgreed(const WifiCell& cell)
{
    for (uint32_t i = 0; i < cell.stations.GetN(); i++)
    {
        const auto station = DynamicCast<WifiNetDevice>(cell.stations.Get(i))->GetMac();
        const auto manager = cell.AccessPoint()->GetRemoteStationManager();
        const auto mend = [station, manager] {
            const auto address = station->GetAddress();
            if (DynamicCast<StaWifiMac>(station)->IsAssociated() && !manager->IsAssociated(address))
            {
                manager->RecordGotAssocTxOk(address);
            }
        };
        station->TraceConnectWithoutContext(
            "Assoc",
            Callback<void, Mac48Address>([mend](Mac48Address /* accessPoint */) {
                Simulator::Schedule(MilliSeconds(ASSOCIATION_SETTLED_MS), mend);
            }));
    }
}

} // namespace

Ptr<WifiNetDevice>
WifiCell::Ue() const
{
    return DynamicCast<WifiNetDevice>(stations.Get(0));
}

Ptr<WifiNetDevice>
WifiCell::AccessPoint() const
{
    return DynamicCast<WifiNetDevice>(accessPoint.Get(0));
}

WifiCell
BuildWifiCell(const LinkConfig& config,
              const NodeContainer& stations,
              const NodeContainer& accessPoint,
              uint64_t seed,
              int64_t stream)
{
    Config::SetDefault("ns3::WifiMacQueue::MaxSize",
                       QueueSizeValue(QueueSize(QueueSizeUnit::PACKETS, config.macQueuePackets)));
    Config::SetDefault("ns3::WifiMacQueue::MaxDelay", TimeValue(Seconds(config.macQueueLifetimeS)));

    WifiHelper wifi;
    wifi.SetStandard(StandardOf(config.standard));
    wifi.SetRemoteStationManager(config.rateManager == "ideal" ? "ns3::IdealWifiManager"
                                                               : "ns3::MinstrelHtWifiManager");
    YansWifiPhyHelper phy;
    phy.SetChannel(MakeChannel(config, seed));
    phy.Set("ChannelSettings", StringValue(ChannelSettings(config.channelWidthMhz)));
    phy.Set("TxPowerStart", DoubleValue(config.txPowerDbm));
    phy.Set("TxPowerEnd", DoubleValue(config.txPowerDbm));

    const Ssid ssid("splitsim");
    WifiMacHelper mac;
    WifiCell cell;
#if SPLITSIM_NS3_MINOR < 44
    // ns-3 3.37 aborts ("No BSSID set") when a station that missed its beacons asks to associate
    // anew; there it never gives an access point up.
    Config::SetDefault("ns3::StaWifiMac::MaxMissedBeacons",
                       UintegerValue(std::numeric_limits<int32_t>::max()));
#endif
    mac.SetType("ns3::StaWifiMac", "Ssid", SsidValue(ssid), "ActiveProbing", BooleanValue(false));
    cell.stations = wifi.Install(phy, mac, stations);
    mac.SetType("ns3::ApWifiMac", "Ssid", SsidValue(ssid));
    cell.accessPoint = wifi.Install(phy, mac, accessPoint);
#if SPLITSIM_NS3_MINOR >= 41
    stream += WifiHelper::AssignStreams(cell.stations, stream);
    WifiHelper::AssignStreams(cell.accessPoint, stream);
#else
    stream += wifi.AssignStreams(cell.stations, stream);
    wifi.AssignStreams(cell.accessPoint, stream);
#endif
    KeepAssociationsAgreed(cell);
    return cell;
}

} // namespace splitsim
