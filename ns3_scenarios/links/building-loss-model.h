/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_BUILDING_LOSS_MODEL_H
#define SPLITSIM_BUILDING_LOSS_MODEL_H

#include "excess-loss-model.h"

#include "ns3/building.h"
#include "ns3/vector.h"

#include <vector>

namespace splitsim
{

/**
 * Walls and floors that the straight line between two ends goes through.
 *
 * The figures are those of ns-3's own building models: 4, 7, 12 or 15 dB for an outer wall of wood,
 * concrete with windows, stone blocks or concrete without windows, and 5 dB for a wall between rooms
 * (BuildingsPropagationLossModel); for n floors 4n dB in a residential building, 15 + 4 (n - 1) in an
 * office and 6 + 3 (n - 1) in a shop (ItuR1238PropagationLossModel, after Recommendation ITU-R P.1238).
 * ns-3's models know only whether an end is indoors; here the line itself is followed, so a building
 * that stands between two ends out of doors counts too, with both its walls.
 */
class BuildingLossModel : public ExcessLossModel
{
  public:
    static ns3::TypeId GetTypeId();
    BuildingLossModel();

    /** @param buildings which stand there */
    void Configure(std::vector<ns3::Ptr<ns3::Building>> buildings);

    /**
     * @param building the building
     * @param a one end of a line
     * @param b the other
     * @return what the building takes from the line in dB
     */
    static double GetBuildingLossDb(const ns3::Building& building,
                                    const ns3::Vector& a,
                                    const ns3::Vector& b);

    double GetLossDb(ns3::Ptr<ns3::MobilityModel> a, ns3::Ptr<ns3::MobilityModel> b) const override;

  private:
    std::vector<ns3::Ptr<ns3::Building>> m_buildings;
};

} // namespace splitsim

#endif // SPLITSIM_BUILDING_LOSS_MODEL_H
