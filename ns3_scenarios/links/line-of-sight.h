/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_LINE_OF_SIGHT_H
#define SPLITSIM_LINE_OF_SIGHT_H

#include "correlated-field.h"

#include "ns3/channel-condition-model.h"
#include "ns3/mobility-model.h"

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace splitsim
{

/**
 * The probability that nothing stands between a UE and its site (3GPP TR 38.901, table 7.4.2-1).
 *
 * @param environment uma, umi or rma
 * @param groundM distance on the ground
 * @param ueHeightM height of the UE
 * @return it, 0 to 1
 */
double LineOfSightProbability(const std::string& environment, double groundM, double ueHeightM);

/**
 * Whether a UE sees a site, as a pure function of (seed, site, the UE's place): a uniform field,
 * correlated over 50 m (rma: 60 m; TR 38.901, table 7.6.3.1-2), below the probability. The field is
 * read in the middle of each square metre, so that a link's thousand signals a second cost little.
 *
 * ns-3's own models draw when a pair is first asked of, and keep that for the whole run.
 */
class PlaceConditionModel : public ns3::ChannelConditionModel
{
  public:
    static ns3::TypeId GetTypeId();
    PlaceConditionModel();

    /**
     * @param environment uma, umi or rma
     * @param sites the base stations
     * @param seed of the episode
     */
    void Configure(const std::string& environment,
                   std::vector<ns3::Ptr<ns3::MobilityModel>> sites,
                   uint64_t seed);

    ns3::Ptr<ns3::ChannelCondition> GetChannelCondition(
        ns3::Ptr<const ns3::MobilityModel> a, ns3::Ptr<const ns3::MobilityModel> b) const override;
    int64_t AssignStreams(int64_t stream) override;

  private:
    bool Sees(std::size_t site, const ns3::Vector& place) const;
    double GetField(std::size_t site, const ns3::Vector& place) const;

    std::string m_environment;
    std::vector<ns3::Ptr<ns3::MobilityModel>> m_sites;
    std::vector<CorrelatedField> m_fields;                               ///< one for each site
    mutable std::vector<std::unordered_map<uint64_t, double>> m_squares; ///< the fields where asked
    ns3::Ptr<ns3::ChannelCondition> m_seen;
    ns3::Ptr<ns3::ChannelCondition> m_hidden;
};

} // namespace splitsim

#endif // SPLITSIM_LINE_OF_SIGHT_H
