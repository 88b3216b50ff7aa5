/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef DISTANCE_LINK_H
#define DISTANCE_LINK_H

#include "ns3/error-model.h"
#include "ns3/point-to-point-net-device.h"
#include "ns3/splitsim-module.h"

/** What a radio that isn't in the library takes: rates, losses and power of one's own. */
struct DistanceLinkConfig
{
    double rateMbps{20};
    double delayS{0.002};
    double halfLossM{60}; ///< distance at which one packet in two is lost
    double txPowerW{0.8}; ///< above idle, while a packet is sent
    uint32_t queuePackets{500};
};

/**
 * One UE and the edge on a point-to-point wire that loses more the further the UE is from the origin:
 * the share lost is 1 / (1 + (halfLossM / d)^4).
 */
class DistanceLink : public splitsim::Link
{
  public:
    explicit DistanceLink(const DistanceLinkConfig& config);

    ns3::Ipv4Address GetEdgeAddress() const override;
    ns3::Ipv4Address GetUeAddress(uint32_t ue) const override;
    splitsim::LinkState GetState() const override;
    uint32_t GetQueueDepth(uint32_t ue) const override;
    void SetRoomCallback(uint32_t ue, std::function<void()> onRoom) override;
    double GetRadioEnergyAboveIdleJ() const override;
    std::vector<splitsim::Site> GetSites() const override;
    splitsim::Reception GetReception(uint32_t site,
                                     ns3::Ptr<ns3::MobilityModel> where) const override;

  private:
    void DoBuild(const splitsim::LinkContext& context) override;
    double LossAt(ns3::Ptr<ns3::MobilityModel> where) const;

    DistanceLinkConfig m_config;
    ns3::Ptr<ns3::Node> m_ue;
    ns3::Ptr<ns3::PointToPointNetDevice> m_ueDevice;
    ns3::Ptr<ns3::RateErrorModel> m_errors;
    ns3::Ipv4Address m_ueAddress;
    ns3::Ipv4Address m_edgeAddress;
    double m_sendingS{0};
};

#endif // DISTANCE_LINK_H
