/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_PATH_LOSS_H
#define SPLITSIM_PATH_LOSS_H

#include "../scenario/config-section.h"

#include "ns3/mobility-model.h"
#include "ns3/propagation-loss-model.h"

#include <cstdint>
#include <string>
#include <vector>

namespace splitsim
{

/** Mean loss over distance; `model` says which of the fields count. */
struct PathLossConfig
{
    std::string model;       ///< uma, umi, rma, log-distance or friis
    std::string lineOfSight; ///< uma, umi, rma: always, never or by-distance
    double referenceLossDb{46.7};
    double referenceDistanceM{1};
    double exponent{3};
};

/** @param section a link's `path_loss`. @return it @throws ConfigError for a field that isn't valid
 */
PathLossConfig ReadPathLoss(const Section& section);

/**
 * @param config which
 * @param frequencyHz the carrier
 * @param sites the base stations, for who sees them
 * @param seed of the episode
 * @return the model, alone in its chain, no shadowing and no drawing in it
 */
ns3::Ptr<ns3::PropagationLossModel> MakePathLoss(
    const PathLossConfig& config,
    double frequencyHz,
    const std::vector<ns3::Ptr<ns3::MobilityModel>>& sites,
    uint64_t seed);

/** Stands where ns-3 wants a model of its own making; asks the chain that it was given. */
class SharedLossModel : public ns3::PropagationLossModel
{
  public:
    static ns3::TypeId GetTypeId();
    SharedLossModel();

  private:
    double DoCalcRxPower(double txPowerDbm,
                         ns3::Ptr<ns3::MobilityModel> a,
                         ns3::Ptr<ns3::MobilityModel> b) const override;
    int64_t DoAssignStreams(int64_t stream) override;

    ns3::Ptr<ns3::PropagationLossModel> m_chain;
};

} // namespace splitsim

#endif // SPLITSIM_PATH_LOSS_H
