/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "cell.h"

#include "../mobility/mobility-builder.h"
#include "../traffic/background-traffic.h"

#include "ns3/arp-cache.h"
#include "ns3/basic-energy-source-helper.h"
#include "ns3/double.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/ipv4-interface.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/neighbor-cache-helper.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/point-to-point-net-device.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/traffic-control-helper.h"
#include "ns3/traffic-control-layer.h"
#include "ns3/wifi-radio-energy-model-helper.h"

namespace splitsim
{

using namespace ns3;

namespace
{

/// RngSeed of everything that must not depend on the replicate.
constexpr uint32_t EXOGENOUS_SEED = 1;
/// RngSeed of replicate 0's MAC streams.
constexpr uint32_t FIRST_REPLICATE_SEED = 1000;

// Stream numbers, far enough apart for any number of stations here.
constexpr int64_t MOBILITY_STREAM = 0;
constexpr int64_t TRAFFIC_STREAM = 100;
constexpr int64_t WIFI_STREAM = 10000;
constexpr int64_t INTERNET_STREAM = 50000;

constexpr uint16_t EDGE_PORT = 5000;
/// Enough that it never runs out: the scenario measures energy, it doesn't end with it.
constexpr double BATTERY_J = 1e9;

} // namespace

Cell::Cell(const ScenarioConfig& config, uint32_t seed, uint32_t replicate)
{
    RngSeedManager::SetRun(seed);
    RngSeedManager::SetSeed(EXOGENOUS_SEED);
    BuildNodes(config, seed);
    RngSeedManager::SetSeed(FIRST_REPLICATE_SEED + replicate);
    BuildNetwork(config, seed);
    InstallEnergy(config.radioEnergy);
    InstallInference(config);
    RngSeedManager::SetSeed(EXOGENOUS_SEED);
    NodeContainer background;
    for (uint32_t i = 1; i < m_stations.GetN(); i++)
    {
        background.Add(m_stations.Get(i));
    }
    InstallBackgroundTraffic(config.background,
                             background,
                             m_edge.Get(0),
                             m_edgeAddress,
                             config.arrivals.startS / 2,
                             TRAFFIC_STREAM);
    RngSeedManager::SetSeed(FIRST_REPLICATE_SEED + replicate);
}

void
Cell::BuildNodes(const ScenarioConfig& config, uint64_t seed)
{
    m_stations.Create(1 + config.background.stations);
    m_accessPoint.Create(1);
    m_edge.Create(1);
    InstallMobility(config.mobility, m_stations.Get(0), MOBILITY_STREAM);
    NodeContainer background;
    for (uint32_t i = 1; i < m_stations.GetN(); i++)
    {
        background.Add(m_stations.Get(i));
    }
    PlaceBackgroundStations(config.background, config.link.apPosition, background, seed);
    InstallFixed(m_accessPoint.Get(0), config.link.apPosition);
}

void
Cell::BuildNetwork(const ScenarioConfig& config, uint64_t seed)
{
    m_cell = BuildWifiCell(config.link, m_stations, m_accessPoint, seed, WIFI_STREAM);
    const auto backhaul = BuildBackhaul(config.link);
    NodeContainer all(m_stations, m_accessPoint, m_edge);
    InternetStackHelper internet;
    internet.SetIpv6StackInstall(false);
    internet.Install(all);
    internet.AssignStreams(all, INTERNET_STREAM);
    BuildAddresses(backhaul);
    m_recorder = CreateObject<DeliveryRecorder>();
    m_observer = CreateObject<LinkObserver>();
    m_observer->Attach(m_cell.Ue(), m_cell.AccessPoint(), m_recorder);
    WatchQueues(backhaul);
}

NetDeviceContainer
Cell::BuildBackhaul(const LinkConfig& link)
{
    PointToPointHelper helper;
    helper.SetDeviceAttribute(
        "DataRate",
        DataRateValue(DataRate(static_cast<uint64_t>(link.backhaulRateMbps * 1e6))));
    helper.SetChannelAttribute("Delay", TimeValue(Seconds(link.backhaulDelayS)));
    // A whole prompt must fit: the backhaul is not what this scenario studies.
    helper.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue("10000p"));
    return helper.Install(m_accessPoint.Get(0), m_edge.Get(0));
}

void
Cell::BuildAddresses(const NetDeviceContainer& backhaul)
{
    Ipv4AddressHelper addresses;
    addresses.SetBase("10.1.0.0", "255.255.0.0");
    auto ap = addresses.Assign(m_cell.accessPoint);
    addresses.Assign(m_cell.stations);
    addresses.SetBase("10.2.0.0", "255.255.255.0");
    auto wired = addresses.Assign(backhaul);
    m_edgeAddress = wired.GetAddress(1);

    // ns-3 puts a CoDel queue before each device; the UE paces by its device's own queue instead,
    // so that a loss has one place to happen in.
    TrafficControlHelper trafficControl;
    trafficControl.Uninstall(m_cell.stations);
    trafficControl.Uninstall(m_cell.accessPoint);
    trafficControl.Uninstall(backhaul);

    Ipv4StaticRoutingHelper routing;
    for (uint32_t i = 0; i < m_stations.GetN(); i++)
    {
        routing.GetStaticRouting(m_stations.Get(i)->GetObject<Ipv4>())
            ->SetDefaultRoute(ap.GetAddress(0), 1);
    }
    routing.GetStaticRouting(m_edge.Get(0)->GetObject<Ipv4>())
        ->SetDefaultRoute(wired.GetAddress(0), 1);
    FillNeighbours();
    KeepNeighbours(ap.GetAddress(0));
}

void
Cell::FillNeighbours()
{
#if SPLITSIM_NS3_MINOR >= 44
    NeighborCacheHelper neighbours;
    neighbours.PopulateNeighborCache();
#else
    // The helper of ns-3 3.37 follows a null pointer on nodes without IPv6.
    NetDeviceContainer devices(m_cell.stations, m_cell.accessPoint);
    for (uint32_t i = 0; i < devices.GetN(); i++)
    {
        for (uint32_t j = 0; j < devices.GetN(); j++)
        {
            const auto own = devices.Get(i)->GetNode()->GetObject<Ipv4L3Protocol>();
            const auto other = devices.Get(j)->GetNode()->GetObject<Ipv4L3Protocol>();
            if (i != j)
            {
                auto entry =
                    own->GetInterface(1)->GetArpCache()->Add(other->GetAddress(1, 0).GetLocal());
                entry->SetMacAddress(devices.Get(j)->GetAddress());
                entry->MarkPermanent();
            }
        }
    }
#endif
}

void
Cell::KeepNeighbours(Ipv4Address accessPoint)
{
    const auto mac = m_cell.AccessPoint()->GetAddress();
    for (uint32_t i = 0; i < m_stations.GetN(); i++)
    {
        auto interface = m_stations.Get(i)->GetObject<Ipv4L3Protocol>()->GetInterface(1);
        auto fill = [interface, accessPoint, mac] {
            auto cache = interface->GetArpCache();
            auto entry = cache->Lookup(accessPoint);
            entry = entry ? entry : cache->Add(accessPoint);
            entry->SetMacAddress(mac);
            entry->MarkPermanent();
        };
        // ns-3 empties the cache whenever the station associates or loses the access point; without
        // this a whole prompt would wait, three packets deep, for an ARP answer.
        m_cell.stations.Get(i)->AddLinkChangeCallback(
            Callback<void>([fill] { Simulator::ScheduleNow(fill); }));
    }
}

void
Cell::WatchQueues(const NetDeviceContainer& backhaul)
{
    auto observer = PeekPointer(m_observer);
    const auto onDrop = Callback<void, Ptr<const Packet>>([observer](Ptr<const Packet> packet) {
        observer->NoteDrop(packet, Outcome::DROPPED_QUEUE);
    });
    for (uint32_t i = 0; i < backhaul.GetN(); i++)
    {
        DynamicCast<PointToPointNetDevice>(backhaul.Get(i))
            ->GetQueue()
            ->TraceConnectWithoutContext("Drop", onDrop);
    }
    for (const auto& node : {m_stations.Get(0), m_accessPoint.Get(0)})
    {
        node->GetObject<TrafficControlLayer>()->TraceConnectWithoutContext("TcDrop", onDrop);
    }
}

void
Cell::InstallEnergy(const RadioEnergyConfig& config)
{
    BasicEnergySourceHelper source;
    source.Set("BasicEnergySourceInitialEnergyJ", DoubleValue(BATTERY_J));
    source.Set("BasicEnergySupplyVoltageV", DoubleValue(config.voltageV));
    auto sources = source.Install(m_stations.Get(0));
    WifiRadioEnergyModelHelper radio;
    radio.Set("IdleCurrentA", DoubleValue(config.idleA));
    radio.Set("CcaBusyCurrentA", DoubleValue(config.ccaBusyA));
    radio.Set("TxCurrentA", DoubleValue(config.txA));
    radio.Set("RxCurrentA", DoubleValue(config.rxA));
    radio.Set("SwitchingCurrentA", DoubleValue(config.switchingA));
    radio.Set("SleepCurrentA", DoubleValue(config.sleepA));
    m_radioEnergy = radio.Install(m_cell.stations.Get(0), sources.Get(0)).Get(0);
    m_idlePowerW = config.idleA * config.voltageV;
}

void
Cell::InstallInference(const ScenarioConfig& config)
{
    m_edgeQueue = CreateObject<ComputeQueue>();
    auto edge = CreateObject<SplitInferenceEdge>();
    edge->Configure(config.transport, config.compute, m_edgeQueue, m_recorder, EDGE_PORT);
    m_edge.Get(0)->AddApplication(edge);
    m_ue = CreateObject<SplitInferenceUe>();
    auto observer = PeekPointer(m_observer);
    m_ue->Configure(config.transport,
                    config.compute,
                    m_recorder,
                    m_edgeAddress,
                    EDGE_PORT,
                    [observer] { return observer->GetQueueDepth(); });
    m_stations.Get(0)->AddApplication(m_ue);
    auto ue = PeekPointer(m_ue);
    m_observer->SetRoomCallback([ue] { ue->NotifyRoom(); });
}

Ptr<SplitInferenceUe>
Cell::GetUe() const
{
    return m_ue;
}

Ptr<LinkObserver>
Cell::GetObserver() const
{
    return m_observer;
}

Ptr<DeliveryRecorder>
Cell::GetRecorder() const
{
    return m_recorder;
}

Ptr<ComputeQueue>
Cell::GetEdgeQueue() const
{
    return m_edgeQueue;
}

Ptr<MobilityModel>
Cell::GetUeMobility() const
{
    return m_stations.Get(0)->GetObject<MobilityModel>();
}

double
Cell::GetDistanceM() const
{
    return GetUeMobility()->GetDistanceFrom(m_accessPoint.Get(0)->GetObject<MobilityModel>());
}

double
Cell::GetRadioEnergyAboveIdleJ() const
{
    return m_radioEnergy->GetTotalEnergyConsumption() -
           m_idlePowerW * Simulator::Now().GetSeconds();
}

} // namespace splitsim
