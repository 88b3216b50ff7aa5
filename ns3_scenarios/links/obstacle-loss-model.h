/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_OBSTACLE_LOSS_MODEL_H
#define SPLITSIM_OBSTACLE_LOSS_MODEL_H

#include "excess-loss-model.h"

#include "ns3/vector.h"

#include <vector>

namespace splitsim
{

/** Something that moves and blocks, as a forklift or a bus: an upright cylinder on the ground, z = 0. */
struct Obstacle
{
    ns3::Ptr<ns3::MobilityModel> mobility; ///< its height there doesn't count
    double radiusM{0};
    double heightM{0};
    double lossDb{0};
};

/** The loss of every obstacle that the straight line between two ends goes through now. */
class ObstacleLossModel : public ExcessLossModel
{
  public:
    static ns3::TypeId GetTypeId();
    ObstacleLossModel();

    /** @param obstacles which move there */
    void Configure(std::vector<Obstacle> obstacles);

    /**
     * @param obstacle the obstacle
     * @param centre where it is
     * @param a one end of a line
     * @param b the other
     * @return whether the line goes through it
     */
    static bool Blocks(const Obstacle& obstacle,
                       const ns3::Vector& centre,
                       const ns3::Vector& a,
                       const ns3::Vector& b);

    double GetLossDb(ns3::Ptr<ns3::MobilityModel> a, ns3::Ptr<ns3::MobilityModel> b) const override;

  private:
    std::vector<Obstacle> m_obstacles;
};

} // namespace splitsim

#endif // SPLITSIM_OBSTACLE_LOSS_MODEL_H
