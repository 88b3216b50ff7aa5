/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "preview.h"

#include "../mobility/mobility-builder.h"

#include "ns3/mobility-model.h"
#include "ns3/node.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <limits>

namespace splitsim
{

using namespace ns3;

namespace
{

/// No number; `null` in the JSON.
constexpr double NOTHING = std::numeric_limits<double>::quiet_NaN();
/// Keeps a slip in a number from filling the memory.
constexpr uint32_t MOST_CELLS = 1000;
constexpr double MOST_SAMPLES = 1e6;

HeatGrid
ReadGrid(const Section& section)
{
    HeatGrid grid;
    section.Read("x_m", grid.xM);
    section.Read("y_m", grid.yM);
    section.Read("height_m", grid.heightM);
    section.Read("columns", grid.columns);
    section.Read("rows", grid.rows);
    section.Require(grid.columns >= 2 && grid.columns <= MOST_CELLS, "columns", "2 to 1000");
    section.Require(grid.rows >= 2 && grid.rows <= MOST_CELLS, "rows", "2 to 1000");
    return grid;
}

double
Along(const Range& range, uint32_t i, uint32_t count)
{
    return range.low + (range.high - range.low) * i / (count - 1);
}

std::vector<double>
Axis(const Range& range, uint32_t count)
{
    std::vector<double> places;
    for (uint32_t i = 0; i < count; i++)
    {
        places.push_back(Along(range, i, count));
    }
    return places;
}

} // namespace

PreviewConfig
PreviewConfig::Load(const std::string& path)
{
    const auto json = ReadJsonFile(path);
    const Section root(json, "");
    PreviewConfig config;
    root.Read("step_s", config.stepS);
    root.Require(config.stepS > 0, "step_s", "greater than 0");
    if (root.Has("until_s"))
    {
        config.untilS = 0;
        root.Read("until_s", *config.untilS);
        root.Require(*config.untilS >= 0, "until_s", "0 or more");
    }
    if (root.Has("grid"))
    {
        config.grid = ReadGrid(root["grid"]);
    }
    return config;
}

Preview::Preview(Ptr<Link> link, const Episode& episode, const PreviewConfig& config)
    : m_link(link),
      m_ues(link->GetUes()),
      m_arrivals(episode.requests),
      m_episodeEndS(episode.endS),
      m_config(config),
      m_sites(link->GetSites()),
      m_paths(m_ues.GetN()),
      m_receptions(m_sites.size()),
      m_heat(m_sites.size())
{
    if (GetEndS() / m_config.stepS > MOST_SAMPLES)
    {
        throw ConfigError("step_s: " + std::to_string(m_config.stepS) +
                          " makes more than a million samples; valid: a longer step");
    }
    for (uint32_t ue = 0; ue < m_ues.GetN(); ue++)
    {
        if (!m_ues.Get(ue)->GetObject<MobilityModel>())
        {
            throw ConfigError("UE " + std::to_string(ue) +
                              " of the link has no mobility model; the preview needs one");
        }
    }
}

void
Preview::Schedule()
{
    Simulator::Schedule(Seconds(0), &Preview::Sample, this);
    for (const auto& request : m_arrivals)
    {
        if (request.arrivalS <= GetEndS())
        {
            Simulator::Schedule(Seconds(request.arrivalS),
                                [this] { Note(m_requests, m_ues.Get(0)); });
        }
    }
    if (m_config.grid)
    {
        Simulator::Schedule(Seconds(0), &Preview::DrawHeat, this);
    }
}

double
Preview::GetEndS() const
{
    return std::min(m_episodeEndS, m_config.untilS.value_or(m_episodeEndS));
}

void
Preview::Note(Path& path, Ptr<Node> node)
{
    const bool present = IsPresent(node);
    const auto position = node->GetObject<MobilityModel>()->GetPosition();
    path.xM.push_back(present ? position.x : NOTHING);
    path.yM.push_back(present ? position.y : NOTHING);
    path.zM.push_back(present ? position.z : NOTHING);
}

void
Preview::Note(Receptions& receptions, const Reception& reception)
{
    receptions.rxPowerDbm.push_back(reception.rxPowerDbm);
    receptions.snrDb.push_back(reception.snrDb);
    receptions.rateMbps.push_back(reception.rateMbps);
}

void
Preview::Sample()
{
    m_timeS.push_back(Simulator::Now().GetSeconds());
    for (uint32_t ue = 0; ue < m_paths.size(); ue++)
    {
        Note(m_paths[ue], m_ues.Get(ue));
    }
    SampleLink();
    const double nextS = m_timeS.size() * m_config.stepS;
    if (nextS <= GetEndS())
    {
        Simulator::Schedule(Seconds(nextS) - Simulator::Now(), &Preview::Sample, this);
    }
}

void
Preview::SampleLink()
{
    const auto agent = m_ues.Get(0);
    const auto state = m_link->GetState();
    m_states.snrDb.push_back(state.snrDb);
    m_states.snrAgeS.push_back(state.snrAgeS);
    m_states.rsrpDbm.push_back(state.rsrpDbm);
    m_states.phyRateMbps.push_back(state.phyRateMbps);
    m_states.servingCell.push_back(state.servingCell);
    const auto where = agent->GetObject<MobilityModel>();
    for (uint32_t site = 0; site < m_sites.size(); site++)
    {
        Note(m_receptions[site],
             IsPresent(agent) ? m_link->GetReception(site, where)
                              : Reception{NOTHING, NOTHING, NOTHING});
    }
}

void
Preview::DrawHeat()
{
    const auto& grid = *m_config.grid;
    // On a node of its own: some of ns-3's propagation models ask whose mobility it is.
    const auto probe = CreateObject<Node>();
    InstallFixed(probe, {});
    const auto where = probe->GetObject<MobilityModel>();
    for (uint32_t row = 0; row < grid.rows; row++)
    {
        for (uint32_t column = 0; column < grid.columns; column++)
        {
            where->SetPosition({Along(grid.xM, column, grid.columns),
                                Along(grid.yM, row, grid.rows),
                                grid.heightM});
            for (uint32_t site = 0; site < m_sites.size(); site++)
            {
                Note(m_heat[site], m_link->GetReception(site, where));
            }
        }
    }
}

nlohmann::json
Preview::ToJson(const Path& path)
{
    return {{"x_m", path.xM}, {"y_m", path.yM}, {"z_m", path.zM}};
}

nlohmann::json
Preview::ToJson(const Receptions& receptions)
{
    return {{"rx_power_dbm", receptions.rxPowerDbm},
            {"snr_db", receptions.snrDb},
            {"rate_mbps", receptions.rateMbps}};
}

nlohmann::json
Preview::ToJson(const std::vector<Receptions>& sites)
{
    auto list = nlohmann::json::array();
    for (const auto& site : sites)
    {
        list.push_back(ToJson(site));
    }
    return list;
}

nlohmann::json
Preview::RequestsToJson() const
{
    auto json = ToJson(m_requests);
    auto arrivalsS = nlohmann::json::array();
    for (std::size_t i = 0; i < m_requests.xM.size(); i++)
    {
        arrivalsS.push_back(m_arrivals[i].arrivalS);
    }
    json["time_s"] = arrivalsS;
    return json;
}

nlohmann::json
Preview::ToJson() const
{
    auto sites = nlohmann::json::array();
    for (const auto& site : m_sites)
    {
        sites.push_back({{"name", site.name},
                         {"position_m", {site.position.xM, site.position.yM, site.position.zM}}});
    }
    auto ues = nlohmann::json::array();
    for (const auto& path : m_paths)
    {
        ues.push_back(ToJson(path));
    }
    nlohmann::json json{
        {"sites", sites},
        {"time_s", m_timeS},
        {"ues", ues},
        {"requests", RequestsToJson()},
        {"link",
         {{"snr_db", m_states.snrDb},
          {"snr_age_s", m_states.snrAgeS},
          {"rsrp_dbm", m_states.rsrpDbm},
          {"phy_rate_mbps", m_states.phyRateMbps},
          {"serving_cell", m_states.servingCell}}},
        {"reception", ToJson(m_receptions)},
        {"heat", nullptr},
    };
    if (m_config.grid)
    {
        const auto& grid = *m_config.grid;
        json["heat"] = {{"x_m", Axis(grid.xM, grid.columns)},
                        {"y_m", Axis(grid.yM, grid.rows)},
                        {"height_m", grid.heightM},
                        {"sites", ToJson(m_heat)}};
    }
    return json;
}

} // namespace splitsim
