/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_CELL_H
#define SPLITSIM_CELL_H

#include "../inference/model/compute-queue.h"
#include "../inference/model/delivery-record.h"
#include "../inference/model/split-inference-edge.h"
#include "../inference/model/split-inference-ue.h"
#include "../links/link-observer.h"
#include "../links/wifi-link.h"
#include "scenario-config.h"

#include "ns3/device-energy-model.h"
#include "ns3/mobility-model.h"
#include "ns3/node-container.h"

#include <cstdint>

namespace splitsim
{

/**
 * The simulated world: UE, background stations, access point, backhaul, edge server.
 *
 * Two families of random numbers. What must not depend on the agent or on the replicate (mobility,
 * the background's on and off times) comes from ns-3 streams made under one fixed RngSeed with
 * RngRun = seed; everything else (backoff, rate control) under an RngSeed of the replicate.
 */
class Cell
{
  public:
    /**
     * @param config the scenario
     * @param seed the episode's seed, RngRun
     * @param replicate which draw of the MAC's random numbers
     */
    Cell(const ScenarioConfig& config, uint32_t seed, uint32_t replicate);

    ns3::Ptr<SplitInferenceUe> GetUe() const;
    ns3::Ptr<LinkObserver> GetObserver() const;
    ns3::Ptr<DeliveryRecorder> GetRecorder() const;
    ns3::Ptr<ComputeQueue> GetEdgeQueue() const;
    ns3::Ptr<ns3::MobilityModel> GetUeMobility() const;
    /** @return metres between UE and access point now */
    double GetDistanceM() const;
    /** @return J that the UE's radio has taken since the start, above idle */
    double GetRadioEnergyAboveIdleJ() const;

  private:
    void BuildNodes(const ScenarioConfig& config, uint64_t seed);
    void BuildNetwork(const ScenarioConfig& config, uint64_t seed);
    ns3::NetDeviceContainer BuildBackhaul(const LinkConfig& link);
    void BuildAddresses(const ns3::NetDeviceContainer& backhaul);
    void FillNeighbours();
    void KeepNeighbours(ns3::Ipv4Address accessPoint);
    void InstallEnergy(const RadioEnergyConfig& config);
    void InstallInference(const ScenarioConfig& config);
    void WatchQueues(const ns3::NetDeviceContainer& backhaul);

    ns3::NodeContainer m_stations; ///< the UE first
    ns3::NodeContainer m_accessPoint;
    ns3::NodeContainer m_edge;
    ns3::Ipv4Address m_edgeAddress;
    WifiCell m_cell;
    ns3::Ptr<SplitInferenceUe> m_ue;
    ns3::Ptr<LinkObserver> m_observer;
    ns3::Ptr<DeliveryRecorder> m_recorder;
    ns3::Ptr<ComputeQueue> m_edgeQueue;
#if SPLITSIM_NS3_MINOR >= 42
    ns3::Ptr<ns3::energy::DeviceEnergyModel> m_radioEnergy;
#else
    ns3::Ptr<ns3::DeviceEnergyModel> m_radioEnergy;
#endif
    double m_idlePowerW{0};
};

} // namespace splitsim

#endif // SPLITSIM_CELL_H
