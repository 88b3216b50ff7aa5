/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef SPLITSIM_PREVIEW_H
#define SPLITSIM_PREVIEW_H

#include "../links/link.h"
#include "scenario-program.h"

#include "ns3/node-container.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace splitsim
{

/** Where a heat map is drawn: the middles of columns x rows, ends included. */
struct HeatGrid
{
    Range xM;
    Range yM;
    double heightM{1.5}; ///< of the receiver
    uint32_t columns{2};
    uint32_t rows{2};
};

/** What a preview shows. */
struct PreviewConfig
{
    double stepS{1};              ///< between samples
    std::optional<double> untilS; ///< last sample; without, the end of the last request
    std::optional<HeatGrid> grid; ///< without, no heat map

    /**
     * @param path a JSON file as `splitsim` writes it
     * @return what it asks for
     * @throws ConfigError when it can't be read or a field is missing or not valid
     */
    static PreviewConfig Load(const std::string& path);
};

/**
 * What a scenario looks like before anything is decided: where everyone goes, what the agent's link
 * is like on the way, and what every site reaches. The agent makes no request; the others do what they
 * always do.
 */
class Preview
{
  public:
    /**
     * @param link after it was built; its UEs and sites are shown
     * @param episode of the scenario
     * @param config what of it
     * @throws ConfigError when a UE has no mobility, or there would be too many samples
     */
    Preview(ns3::Ptr<Link> link, const Episode& episode, const PreviewConfig& config);

    /** Enters everything into ns-3's schedule; the clock must stand at 0. */
    void Schedule();
    /** @return when the simulation may stop, in seconds */
    double GetEndS() const;
    /** @return what was seen; null stands for a place of who isn't there, and for no signal */
    nlohmann::json ToJson() const;

  private:
    /// Of one UE, by sample.
    struct Path
    {
        std::vector<double> xM;
        std::vector<double> yM;
        std::vector<double> zM;
    };

    /// Of one site, by sample or by place.
    struct Receptions
    {
        std::vector<double> rxPowerDbm;
        std::vector<double> snrDb;
        std::vector<double> rateMbps;
    };

    /// The agent's link, by sample.
    struct LinkStates
    {
        std::vector<double> snrDb;
        std::vector<double> snrAgeS;
        std::vector<double> rsrpDbm;
        std::vector<double> phyRateMbps;
        std::vector<int32_t> servingCell;
    };

    static void Note(Path& path, ns3::Ptr<ns3::Node> node);
    static void Note(Receptions& receptions, const Reception& reception);
    static nlohmann::json ToJson(const Path& path);
    static nlohmann::json ToJson(const Receptions& receptions);
    static nlohmann::json ToJson(const std::vector<Receptions>& sites);

    void Sample();
    void SampleLink();
    void DrawHeat();
    nlohmann::json RequestsToJson() const;

    ns3::Ptr<Link> m_link;
    ns3::NodeContainer m_ues;        ///< the agent's first
    std::vector<Request> m_arrivals; ///< the agent's requests
    double m_episodeEndS;
    PreviewConfig m_config;
    std::vector<Site> m_sites;
    std::vector<double> m_timeS;
    std::vector<Path> m_paths;
    LinkStates m_states;
    std::vector<Receptions> m_receptions; ///< where the agent is
    Path m_requests;                      ///< where the agent is when one arrives
    std::vector<Receptions> m_heat;       ///< row by row
};

} // namespace splitsim

#endif // SPLITSIM_PREVIEW_H
