/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "line-of-sight.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace splitsim
{

using namespace ns3;

NS_OBJECT_ENSURE_REGISTERED(PlaceConditionModel);

namespace
{

/// Family of counter-based numbers, one stream for each site.
constexpr uint64_t SIGHT_STREAM = 300;

double
UrbanProbability(double groundM, double decayM)
{
    return 18 / groundM + std::exp(-groundM / decayM) * (1 - 18 / groundM);
}

} // namespace

double
LineOfSightProbability(const std::string& environment, double groundM, double ueHeightM)
{
    if (environment == "rma")
    {
        return groundM <= 10 ? 1 : std::exp(-(groundM - 10) / 1000);
    }
    if (groundM <= 18)
    {
        return 1;
    }
    if (environment == "umi")
    {
        return UrbanProbability(groundM, 36);
    }
    const double above = std::clamp(ueHeightM - 13, 0.0, 10.0) / 10;
    const double height = std::pow(above, 1.5) * 1.25 * std::pow(groundM / 100, 3);
    return UrbanProbability(groundM, 63) * (1 + height * std::exp(-groundM / 150));
}

TypeId
PlaceConditionModel::GetTypeId()
{
    static TypeId tid = TypeId("splitsim::PlaceConditionModel")
                            .SetParent<ChannelConditionModel>()
                            .SetGroupName("Splitsim")
                            .AddConstructor<PlaceConditionModel>();
    return tid;
}

PlaceConditionModel::PlaceConditionModel()
    : m_seen(CreateObject<ChannelCondition>(ChannelCondition::LOS)),
      m_hidden(CreateObject<ChannelCondition>(ChannelCondition::NLOS))
{
}

void
PlaceConditionModel::Configure(const std::string& environment,
                               std::vector<Ptr<MobilityModel>> sites,
                               uint64_t seed)
{
    m_environment = environment;
    m_sites = std::move(sites);
    m_fields.clear();
    m_squares.assign(m_sites.size(), {});
    const double decorrelationM = environment == "rma" ? 60 : 50;
    for (std::size_t i = 0; i < m_sites.size(); i++)
    {
        m_fields.emplace_back(seed, SIGHT_STREAM + i, decorrelationM);
    }
}

bool
PlaceConditionModel::Sees(std::size_t site, const Vector& place) const
{
    const auto from = m_sites[site]->GetPosition();
    const double groundM = std::hypot(place.x - from.x, place.y - from.y);
    return GetField(site, place) < LineOfSightProbability(m_environment, groundM, place.z);
}

double
PlaceConditionModel::GetField(std::size_t site, const Vector& place) const
{
    const double x = std::floor(place.x);
    const double y = std::floor(place.y);
    const auto column = static_cast<uint32_t>(static_cast<int64_t>(x));
    const auto row = static_cast<uint32_t>(static_cast<int64_t>(y));
    const auto [square, fresh] =
        m_squares[site].try_emplace((static_cast<uint64_t>(column) << 32) | row, 0);
    if (fresh)
    {
        square->second = m_fields[site].UniformAt(x + 0.5, y + 0.5);
    }
    return square->second;
}

Ptr<ChannelCondition>
PlaceConditionModel::GetChannelCondition(Ptr<const MobilityModel> a,
                                         Ptr<const MobilityModel> b) const
{
    for (std::size_t i = 0; i < m_sites.size(); i++)
    {
        if (m_sites[i] == a || m_sites[i] == b)
        {
            return Sees(i, (m_sites[i] == a ? b : a)->GetPosition()) ? m_seen : m_hidden;
        }
    }
    return m_hidden;
}

int64_t
PlaceConditionModel::AssignStreams(int64_t /* stream */)
{
    return 0; // nothing is drawn from ns-3's streams
}

} // namespace splitsim
