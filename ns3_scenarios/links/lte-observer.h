/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_LTE_OBSERVER_H
#define SPLITSIM_LTE_OBSERVER_H

#include "link.h"
#include "lte-buffer-probe.h"
#include "radio-energy.h"
#include "signal-window.h"

#include "ns3/lte-common.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/lte-ue-rrc.h"
#include "ns3/net-device-container.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/packet.h"

#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace splitsim
{

/**
 * Listens to a UE's LTE device: signal of the serving cell, the last uplink grant, HARQ repetitions,
 * the RLC buffer, connection and handover; and tells of what is dropped on the way.
 */
class LteObserver : public ns3::Object
{
  public:
    static ns3::TypeId GetTypeId();
    LteObserver();

    /**
     * @param ue the UE's device, with an address
     * @param sites the base stations' devices; their order is that of the serving cells
     * @param onDrop told of what the RLC buffers refuse, and of what a UE without connection sends
     */
    void Attach(ns3::Ptr<ns3::LteUeNetDevice> ue,
                const ns3::NetDeviceContainer& sites,
                DropCallback onDrop);

    /** Follows signal, grants and data, too, as the agent's state needs. @param energy told of data */
    void Follow(std::shared_ptr<RadioEnergy> energy);
    /** @param onRoom called whenever data left the UE's RLC buffer */
    void SetRoomCallback(std::function<void()> onRoom);

    /** @return what the UE knows now */
    LinkState GetState() const;
    /** @return packets in the UE's RLC buffer */
    uint32_t GetQueueDepth() const;

  private:
    void HandleSignal(uint16_t cell, uint16_t rnti, double rsrpW, double sinr, uint8_t carrier);
    void HandleGrant(ns3::PhyTransmissionStatParameters grant);
    void HandleBearer(uint64_t imsi, uint16_t cell, uint16_t rnti, uint8_t bearer);
    void HandleRrcState(uint64_t imsi,
                        uint16_t cell,
                        uint16_t rnti,
                        ns3::LteUeRrc::State before,
                        ns3::LteUeRrc::State now);
    void HandleSent(uint32_t bytes);
    int32_t GetSite(uint16_t cell) const;

    ns3::Ptr<ns3::LteUeNetDevice> m_ue;
    ns3::NetDeviceContainer m_sites;
    DropCallback m_onDrop;
    std::function<void()> m_onRoom;
    std::unique_ptr<LteBufferProbe> m_buffer;
    std::shared_ptr<RadioEnergy> m_energy;
    SignalWindow m_signal;
    int64_t m_signalPeriod{-1}; ///< number of the period that has its sample
    double m_phyRateMbps{0};
    double m_mcs{0};
    std::deque<std::pair<ns3::Time, bool>> m_grants; ///< when, and whether it was a repetition
    bool m_connected{false};
    bool m_hasBearer{false};
    int32_t m_lastSite{-1}; ///< that served last
    ns3::Time m_handover;   ///< when the serving cell last changed
};

} // namespace splitsim

#endif // SPLITSIM_LTE_OBSERVER_H
