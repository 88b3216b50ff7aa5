/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_SHADOWING_LOSS_MODEL_H
#define SPLITSIM_SHADOWING_LOSS_MODEL_H

#include "correlated-field.h"
#include "excess-loss-model.h"

#include "ns3/node-container.h"
#include "ns3/vector.h"

#include <cstdint>
#include <map>
#include <set>
#include <tuple>

namespace splitsim
{

/**
 * Log-normal shadowing that is correlated over the ground: each site has a Gaussian field of its own,
 * read where the UE is. Antennas at one place share it, as the sectors of a site do in 3GPP TR 38.901.
 */
class ShadowingLossModel : public ExcessLossModel
{
  public:
    static ns3::TypeId GetTypeId();
    ShadowingLossModel();

    /**
     * @param seed of the episode
     * @param stdDb standard deviation in dB
     * @param decorrelationM distance over which the correlation falls to 1/e
     * @param ues which nodes move; all others are sites
     */
    void Configure(uint64_t seed,
                   double stdDb,
                   double decorrelationM,
                   const ns3::NodeContainer& ues);

    double GetLossDb(ns3::Ptr<ns3::MobilityModel> a, ns3::Ptr<ns3::MobilityModel> b) const override;

  private:
    using Place = std::tuple<double, double, double>;

    bool IsSite(ns3::Ptr<ns3::MobilityModel> end) const;
    const CorrelatedField& FieldOf(const ns3::Vector& site) const;

    uint64_t m_seed{0};
    double m_stdDb{0};
    double m_decorrelationM{1};
    std::set<uint32_t> m_ues; ///< node ids
    mutable std::map<Place, CorrelatedField> m_fields;
};

} // namespace splitsim

#endif // SPLITSIM_SHADOWING_LOSS_MODEL_H
