/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_ZONE_LOSS_MODEL_H
#define SPLITSIM_ZONE_LOSS_MODEL_H

#include "excess-loss-model.h"

#include "ns3/box.h"

#include <vector>

namespace splitsim
{

/** A part of space that radio gets into badly, as a tunnel or a lift. */
struct Zone
{
    ns3::Box box;
    double lossDb{0}; ///< between inside and outside
};

/** The loss of every zone that one end is inside of and the other isn't. */
class ZoneLossModel : public ExcessLossModel
{
  public:
    static ns3::TypeId GetTypeId();
    ZoneLossModel();

    /** @param zones which there are; losses of nested ones add up */
    void Configure(std::vector<Zone> zones);

    double GetLossDb(ns3::Ptr<ns3::MobilityModel> a, ns3::Ptr<ns3::MobilityModel> b) const override;

  private:
    std::vector<Zone> m_zones;
};

} // namespace splitsim

#endif // SPLITSIM_ZONE_LOSS_MODEL_H
