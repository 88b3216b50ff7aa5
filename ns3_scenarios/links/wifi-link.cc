/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * `link.technology: wifi`: access points of an 802.11 network and their stations.
 */
#include "../mobility/mobility-builder.h"
#include "backhaul.h"
#include "environment.h"
#include "radio-energy.h"
#include "wifi-association.h"
#include "wifi-block-ack.h"
#include "wifi-observer.h"
#include "wifi-rates.h"
#include "wifi-roaming.h"

#include "ns3/arp-cache.h"
#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/ipv4-interface.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/neighbor-cache-helper.h"
#include "ns3/pointer.h"
#include "ns3/propagation-delay-model.h"
#include "ns3/queue-size.h"
#include "ns3/random-variable-stream.h"
#include "ns3/simulator.h"
#include "ns3/ssid.h"
#include "ns3/sta-wifi-mac.h"
#include "ns3/string.h"
#include "ns3/traffic-control-helper.h"
#include "ns3/traffic-control-layer.h"
#include "ns3/uinteger.h"
#include "ns3/wifi-helper.h"
#include "ns3/wifi-mac-helper.h"
#include "ns3/yans-wifi-channel.h"
#include "ns3/yans-wifi-helper.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace splitsim
{

using namespace ns3;

namespace
{

/** The `link` section of this technology. */
struct WifiConfig
{
    std::string standard; ///< 80211n, 80211ac or 80211ax
    std::string band;     ///< 2.4GHz, 5GHz or 6GHz
    uint32_t channel{36}; ///< number of the channel of this width
    uint32_t channelWidthMhz{20};
    double txPowerDbm{16};
    double sensitivityDbm{-92}; ///< weakest signal in 20 MHz whose preamble is detected
    std::string rateManager;    ///< minstrel-ht or ideal
    std::vector<Point> accessPoints;
    RoamingConfig roaming;
    double referenceLossDb{46.7};
    double referenceDistanceM{1};
    double pathLossExponent{3};
    FadingConfig fading;
    uint32_t macQueuePackets{500};
    double macQueueLifetimeS{0.5};
    BackhaulConfig backhaul;
    RadioEnergyConfig energy;
};

/// Streams of the devices come first, those of the internet stacks so much later.
constexpr int64_t INTERNET_STREAM = 40000;
/// The interface of the radio device on every node, behind loopback.
constexpr uint32_t RADIO_INTERFACE = 1;
/// Beacons come in the narrowest channel.
constexpr uint32_t BEACON_WIDTH_MHZ = 20;
/// Between two beacons of an access point; ns-3's default, 100 time units of IEEE 802.11.
constexpr double BEACON_INTERVAL_S = 0.1024;
/// SNR from which ns-3 detects a preamble by default.
constexpr double PREAMBLE_SNR_DB = 4;
/// By how much the mean of a Rayleigh-faded signal below a threshold is weaker than the threshold, where
/// the threshold is far below the mean: its power is then uniform from 0 on, and E[10 log10 U] = -10/ln 10.
constexpr double MEAN_BELOW_THRESHOLD_DB = 4.343;

WifiConfig
ReadWifi(const Section& section)
{
    WifiConfig link;
    link.standard = section.ReadName("standard", {"80211n", "80211ac", "80211ax"});
    link.band = section.ReadName("band", {"2.4GHz", "5GHz", "6GHz"});
    section.Read("channel", link.channel);
    section.Read("channel_width_mhz", link.channelWidthMhz);
    const auto width = link.channelWidthMhz;
    section.Require(width == 20 || width == 40 || width == 80 || width == 160,
                    "channel_width_mhz",
                    "20, 40, 80, 160");
    section.Read("tx_power_dbm", link.txPowerDbm);
    section.Read("sensitivity_dbm", link.sensitivityDbm);
    link.rateManager = section.ReadName("rate_manager", {"minstrel-ht", "ideal"});
    section.Read("access_points_m", link.accessPoints);
    section.Require(!link.accessPoints.empty(), "access_points_m", "at least one");
#if SPLITSIM_NS3_MINOR < 44
    section.Require(link.accessPoints.size() == 1,
                    "access_points_m",
                    "one access point with this ns-3; several need ns-3 3.44 or newer");
#endif
    link.roaming = ReadRoaming(section["roaming"]);
    section.Read("reference_loss_db", link.referenceLossDb);
    section.Read("reference_distance_m", link.referenceDistanceM);
    section.Read("path_loss_exponent", link.pathLossExponent);
    link.fading = ReadFading(section["fading"]);
    section.Read("mac_queue_packets", link.macQueuePackets);
    section.Read("mac_queue_lifetime_s", link.macQueueLifetimeS);
    link.backhaul = ReadBackhaul(section["backhaul"]);
    link.energy = ReadRadioEnergy(section["radio_energy"]);
    return link;
}

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

std::string
ChannelSettings(const WifiConfig& config)
{
    static const std::map<std::string, std::string> bands{{"2.4GHz", "BAND_2_4GHZ"},
                                                          {"5GHz", "BAND_5GHZ"},
                                                          {"6GHz", "BAND_6GHZ"}};
    return "{" + std::to_string(config.channel) + ", " + std::to_string(config.channelWidthMhz) +
           ", " + bands.at(config.band) + ", 0}";
}

} // namespace

/** The 802.11 link. */
class WifiLink : public Link
{
  public:
    explicit WifiLink(WifiConfig config);

    Ipv4Address GetEdgeAddress() const override;
    Ipv4Address GetUeAddress(uint32_t ue) const override;
    LinkState GetState() const override;
    uint32_t GetQueueDepth(uint32_t ue) const override;
    void SetRoomCallback(uint32_t ue, std::function<void()> onRoom) override;
    double GetRadioEnergyAboveIdleJ() const override;
    std::vector<Site> GetSites() const override;
    Reception GetReception(uint32_t site, Ptr<MobilityModel> where) const override;

  private:
    void DoBuild(const LinkContext& context) override;
    Ptr<PropagationLossModel> MakeLoss(const LinkContext& context) const;
    SignalWindow::Missed MissedBeacon() const;
    void BuildDevices(const LinkContext& context);
    void SpreadBeacons() const;
    void BuildAddresses(const LinkContext& context);
    void BuildWires(const LinkContext& context);
    void FillNeighbours() const;
    void FollowAssociations(const LinkContext& context) const;
    std::vector<Mac48Address> GetBssids() const;
    void WatchDrops(const LinkContext& context) const;

    WifiConfig m_config;
    NodeContainer m_sites;
    NetDeviceContainer m_stations;
    NetDeviceContainer m_accessPoints;
    Ipv4Address m_edgeAddress;
    std::vector<Ptr<WifiObserver>> m_observers; ///< one for each UE
    std::vector<Ptr<WifiRoaming>> m_roaming;    ///< one for each UE, where access points compete
    std::vector<RateStep> m_rateSteps;
    Ptr<PropagationLossModel> m_meanLoss; ///< without fading
    std::shared_ptr<RadioEnergy> m_energy;
};

namespace
{

const LinkRegistration g_wifi("wifi", [](const Section& section) {
    return Create<WifiLink>(ReadWifi(section));
});

} // namespace

WifiLink::WifiLink(WifiConfig config)
    : m_config(std::move(config))
{
}

void
WifiLink::DoBuild(const LinkContext& context)
{
    m_sites.Create(m_config.accessPoints.size());
    for (uint32_t i = 0; i < m_sites.GetN(); i++)
    {
        InstallFixed(m_sites.Get(i), m_config.accessPoints[i]);
    }
    BuildDevices(context);
    NodeContainer all(context.ues, m_sites, context.edge);
    InternetStackHelper internet;
    internet.SetIpv6StackInstall(false);
    internet.Install(all);
    internet.AssignStreams(all, context.stream + INTERNET_STREAM);
    BuildAddresses(context);
    BuildWires(context);
    FillNeighbours();
    FollowAssociations(context);
    for (uint32_t i = 0; i < m_stations.GetN() && context.observed; i++)
    {
        const auto device = DynamicCast<WifiNetDevice>(m_stations.Get(i));
        m_observers.push_back(CreateObject<WifiObserver>());
        m_observers.back()->Attach(device, GetBssids(), MissedBeacon());
        if (m_sites.GetN() > 1 && m_config.roaming.policy == "strongest")
        {
            m_roaming.push_back(CreateObject<WifiRoaming>());
            m_roaming.back()->Attach(m_config.roaming,
                                     DynamicCast<StaWifiMac>(device->GetMac()),
                                     MissedBeacon());
        }
    }
    m_rateSteps = RateSteps(DynamicCast<WifiNetDevice>(m_accessPoints.Get(0))->GetPhy(),
                            m_config.standard,
                            m_config.channelWidthMhz);
    WatchDrops(context);
    if (context.observed)
    {
        m_energy = std::make_shared<RadioEnergy>(m_config.energy);
        m_observers.front()->Follow(m_energy);
    }
    m_meanLoss = MakeLoss(context);
}

Ptr<PropagationLossModel>
WifiLink::MakeLoss(const LinkContext& context) const
{
    auto loss = CreateObject<LogDistancePropagationLossModel>();
    loss->SetPathLossExponent(m_config.pathLossExponent);
    loss->SetReference(m_config.referenceDistanceM, m_config.referenceLossDb);
    AddEnvironment(loss, context);
    return loss;
}

SignalWindow::Missed
WifiLink::MissedBeacon() const
{
    const double rsrpDbm = m_config.sensitivityDbm - MEAN_BELOW_THRESHOLD_DB;
    return {BEACON_INTERVAL_S, rsrpDbm - NoiseDbm(BEACON_WIDTH_MHZ), rsrpDbm};
}

void
WifiLink::BuildDevices(const LinkContext& context)
{
    Config::SetDefault("ns3::WifiMacQueue::MaxSize",
                       QueueSizeValue(QueueSize(QueueSizeUnit::PACKETS, m_config.macQueuePackets)));
    Config::SetDefault("ns3::WifiMacQueue::MaxDelay",
                       TimeValue(Seconds(m_config.macQueueLifetimeS)));

    WifiHelper wifi;
    wifi.SetStandard(StandardOf(m_config.standard));
    wifi.SetRemoteStationManager(m_config.rateManager == "ideal" ? "ns3::IdealWifiManager"
                                                                 : "ns3::MinstrelHtWifiManager");
    auto channel = CreateObject<YansWifiChannel>();
    auto loss = MakeLoss(context);
    AddFading(loss, m_config.fading, context.seed);
    channel->SetPropagationLossModel(loss);
    channel->SetPropagationDelayModel(CreateObject<ConstantSpeedPropagationDelayModel>());
    YansWifiPhyHelper phy;
    phy.SetChannel(channel);
    phy.Set("ChannelSettings", StringValue(ChannelSettings(m_config)));
    phy.Set("TxPowerStart", DoubleValue(m_config.txPowerDbm));
    phy.Set("TxPowerEnd", DoubleValue(m_config.txPowerDbm));
    phy.Set("RxNoiseFigure", DoubleValue(NOISE_FIGURE_DB));
    // ns-3's second condition, 4 dB above noise and interference, would hide a better sensitivity.
    const double snrAtSensitivityDb = m_config.sensitivityDbm - NoiseDbm(BEACON_WIDTH_MHZ);
    phy.SetPreambleDetectionModel("ns3::ThresholdPreambleDetectionModel",
                                  "MinimumRssi",
                                  DoubleValue(m_config.sensitivityDbm),
                                  "Threshold",
                                  DoubleValue(std::min(PREAMBLE_SNR_DB, snrAtSensitivityDb)));

    const Ssid ssid("splitsim");
    WifiMacHelper mac;
#if SPLITSIM_NS3_MINOR < 44
    // ns-3 3.37 aborts ("No BSSID set") when a station that missed its beacons asks to associate
    // anew; there it never gives an access point up.
    Config::SetDefault("ns3::StaWifiMac::MaxMissedBeacons",
                       UintegerValue(std::numeric_limits<int32_t>::max()));
#endif
    mac.SetType("ns3::StaWifiMac", "Ssid", SsidValue(ssid), "ActiveProbing", BooleanValue(false));
    m_stations = wifi.Install(phy, mac, context.ues);
    mac.SetType("ns3::ApWifiMac", "Ssid", SsidValue(ssid));
    m_accessPoints = wifi.Install(phy, mac, m_sites);
    auto stream = context.stream;
#if SPLITSIM_NS3_MINOR >= 41
    stream += WifiHelper::AssignStreams(m_stations, stream);
    WifiHelper::AssignStreams(m_accessPoints, stream);
#else
    stream += wifi.AssignStreams(m_stations, stream);
    wifi.AssignStreams(m_accessPoints, stream);
#endif
    SpreadBeacons();
    KeepAssociationsAgreed(m_stations, m_accessPoints);
    KeepBlockAcksAlive(NetDeviceContainer(m_stations, m_accessPoints));
}

void
WifiLink::SpreadBeacons() const
{
    // Access points that don't hear each other would keep on sending at one time if chance began so:
    // simulated clocks don't drift.
    for (uint32_t i = 0; m_accessPoints.GetN() > 1 && i < m_accessPoints.GetN(); i++)
    {
        const double share = (i + 0.5) / m_accessPoints.GetN();
        auto start = CreateObject<UniformRandomVariable>();
        start->SetAttribute("Min", DoubleValue(share));
        start->SetAttribute("Max", DoubleValue(share));
        DynamicCast<WifiNetDevice>(m_accessPoints.Get(i))
            ->GetMac()
            ->SetAttribute("BeaconJitter", PointerValue(start));
    }
}

void
WifiLink::BuildAddresses(const LinkContext& context)
{
    Ipv4AddressHelper addresses;
    addresses.SetBase("10.1.0.0", "255.255.0.0");
    const auto gateway = addresses.Assign(m_accessPoints).GetAddress(0);
    addresses.Assign(m_stations);

    // ns-3 puts a CoDel queue before each device; the UE paces by its device's own queue instead,
    // so that a loss has one place to happen in.
    TrafficControlHelper trafficControl;
    trafficControl.Uninstall(m_stations);
    trafficControl.Uninstall(m_accessPoints);

    Ipv4StaticRoutingHelper routing;
    for (uint32_t i = 0; i < context.ues.GetN(); i++)
    {
        routing.GetStaticRouting(context.ues.Get(i)->GetObject<Ipv4>())
            ->SetDefaultRoute(gateway, RADIO_INTERFACE);
    }
}

void
WifiLink::BuildWires(const LinkContext& context)
{
    // The edge has one address on all its wires, whichever access point a UE comes through; so each
    // wire has the same two.
    m_edgeAddress = Ipv4Address("10.2.0.1");
    const Ipv4Address siteAddress("10.2.0.2");
    const Ipv4Mask mask("255.255.255.252");
    const auto attach = [mask](Ptr<NetDevice> device, Ipv4Address address) {
        const auto stack = device->GetNode()->GetObject<Ipv4>();
        const auto interface = stack->AddInterface(device);
        stack->AddAddress(interface, Ipv4InterfaceAddress(address, mask));
        stack->SetUp(interface);
    };
    for (uint32_t i = 0; i < m_sites.GetN(); i++)
    {
        const auto wire =
            BuildBackhaul(m_config.backhaul, m_sites.Get(i), context.edge, context.onDrop);
        attach(wire.Get(0), siteAddress);
        attach(wire.Get(1), m_edgeAddress);
    }
}

std::vector<Mac48Address>
WifiLink::GetBssids() const
{
    std::vector<Mac48Address> bssids;
    for (uint32_t i = 0; i < m_accessPoints.GetN(); i++)
    {
        bssids.push_back(Mac48Address::ConvertFrom(m_accessPoints.Get(i)->GetAddress()));
    }
    return bssids;
}

void
WifiLink::FillNeighbours() const
{
#if SPLITSIM_NS3_MINOR >= 44
    NeighborCacheHelper neighbours;
    neighbours.PopulateNeighborCache();
#else
    // The helper of ns-3 3.37 follows a null pointer on nodes without IPv6.
    NetDeviceContainer devices(m_stations, m_accessPoints);
    for (uint32_t i = 0; i < devices.GetN(); i++)
    {
        for (uint32_t j = 0; j < devices.GetN(); j++)
        {
            const auto own = devices.Get(i)->GetNode()->GetObject<Ipv4L3Protocol>();
            const auto other = devices.Get(j)->GetNode()->GetObject<Ipv4L3Protocol>();
            if (i != j)
            {
                auto entry = own->GetInterface(RADIO_INTERFACE)
                                 ->GetArpCache()
                                 ->Add(other->GetAddress(RADIO_INTERFACE, 0).GetLocal());
                entry->SetMacAddress(devices.Get(j)->GetAddress());
                entry->MarkPermanent();
            }
        }
    }
#endif
}

void
WifiLink::FollowAssociations(const LinkContext& context) const
{
    const auto edge = Ipv4StaticRoutingHelper().GetStaticRouting(context.edge->GetObject<Ipv4>());
    for (uint32_t i = 0; i < context.ues.GetN(); i++)
    {
        // Until its first association a UE is looked for behind the first access point.
        edge->AddHostRouteTo(GetUeAddress(i), 1);
        auto attachment = std::make_shared<Attachment>();
        attachment->station =
            DynamicCast<StaWifiMac>(DynamicCast<WifiNetDevice>(m_stations.Get(i))->GetMac());
        attachment->interface =
            context.ues.Get(i)->GetObject<Ipv4L3Protocol>()->GetInterface(RADIO_INTERFACE);
        attachment->gateway =
            m_sites.Get(0)->GetObject<Ipv4>()->GetAddress(RADIO_INTERFACE, 0).GetLocal();
        attachment->edge = edge;
        attachment->bssids = GetBssids();
        attachment->serving = attachment->bssids.front();
        // ns-3 empties the UE's ARP cache whenever the station associates or loses the access point;
        // without this a whole prompt would wait, three packets deep, for an ARP answer.
        m_stations.Get(i)->AddLinkChangeCallback(Callback<void>(
            [attachment] { Simulator::ScheduleNow([attachment] { attachment->Follow(); }); }));
        // It holds the station, which holds it.
        Simulator::ScheduleDestroy([attachment] { *attachment = Attachment(); });
    }
}

void
WifiLink::WatchDrops(const LinkContext& context) const
{
    const auto onDrop = context.onDrop;
    const auto refused = Callback<void, Ptr<const Packet>>(
        [onDrop](Ptr<const Packet> packet) { NoteDrop(onDrop, packet, Outcome::LOST_RADIO); });
    const auto full = Callback<void, Ptr<const Packet>>(
        [onDrop](Ptr<const Packet> packet) { NoteDrop(onDrop, packet, Outcome::DROPPED_QUEUE); });
    const auto given = Callback<void, WifiMacDropReason, Ptr<const WifiMpdu>>(
        [onDrop](WifiMacDropReason reason, Ptr<const WifiMpdu> mpdu) {
            const bool queue =
                reason == WIFI_MAC_DROP_FAILED_ENQUEUE || reason == WIFI_MAC_DROP_EXPIRED_LIFETIME;
            NoteDrop(onDrop,
                     mpdu->GetPacket(),
                     queue ? Outcome::DROPPED_QUEUE : Outcome::LOST_RADIO);
        });
    NetDeviceContainer devices(m_stations, m_accessPoints);
    for (uint32_t i = 0; i < devices.GetN(); i++)
    {
        const auto mac = DynamicCast<WifiNetDevice>(devices.Get(i))->GetMac();
        mac->TraceConnectWithoutContext("DroppedMpdu", given);
        // A station that isn't associated refuses the packet here.
        mac->TraceConnectWithoutContext("MacTxDrop", refused);
        // What an access point hears from a station that it doesn't hold for associated, and what a
        // station still gets from the access point that it left.
        mac->TraceConnectWithoutContext("MacRxDrop", refused);
        devices.Get(i)->GetNode()->GetObject<TrafficControlLayer>()->TraceConnectWithoutContext(
            "TcDrop",
            full);
    }
}

Ipv4Address
WifiLink::GetEdgeAddress() const
{
    return m_edgeAddress;
}

Ipv4Address
WifiLink::GetUeAddress(uint32_t ue) const
{
    return m_stations.Get(ue)
        ->GetNode()
        ->GetObject<Ipv4>()
        ->GetAddress(RADIO_INTERFACE, 0)
        .GetLocal();
}

LinkState
WifiLink::GetState() const
{
    return m_observers.front()->GetState();
}

uint32_t
WifiLink::GetQueueDepth(uint32_t ue) const
{
    return m_observers.at(ue)->GetQueueDepth();
}

void
WifiLink::SetRoomCallback(uint32_t ue, std::function<void()> onRoom)
{
    m_observers.at(ue)->SetRoomCallback(std::move(onRoom));
}

double
WifiLink::GetRadioEnergyAboveIdleJ() const
{
    return m_energy->GetAboveSleepJ();
}

std::vector<Site>
WifiLink::GetSites() const
{
    std::vector<Site> sites;
    for (const auto& position : m_config.accessPoints)
    {
        sites.push_back({"ap-" + std::to_string(sites.size()), position});
    }
    return sites;
}

Reception
WifiLink::GetReception(uint32_t site, Ptr<MobilityModel> where) const
{
    Reception reception;
    const auto from = m_sites.Get(site)->GetObject<MobilityModel>();
    reception.rxPowerDbm = m_meanLoss->CalcRxPower(m_config.txPowerDbm, from, where);
    reception.snrDb = reception.rxPowerDbm - NoiseDbm(BEACON_WIDTH_MHZ);
    // Data takes the whole channel: its power is spread over it, and it has more noise.
    const double spreadDb = 10 * std::log10(double(m_config.channelWidthMhz) / BEACON_WIDTH_MHZ);
    const double dataSnrDb = reception.snrDb - spreadDb;
    if (reception.rxPowerDbm - spreadDb < m_config.sensitivityDbm)
    {
        return reception;
    }
    for (const auto& step : m_rateSteps)
    {
        if (dataSnrDb >= step.snrDb)
        {
            reception.rateMbps = std::max(reception.rateMbps, step.rateMbps);
        }
    }
    return reception;
}

} // namespace splitsim
