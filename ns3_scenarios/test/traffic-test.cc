/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../inference/helper/split-inference-helper.h"
#include "../links/link.h"
#include "../mobility/mobility-builder.h"
#include "../scenario/exogenous.h"
#include "../traffic/traffic.h"
#include "wifi-section.h"

#include "ns3/simulator.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace ns3;
using namespace splitsim;
using nlohmann::json;

namespace
{

constexpr uint64_t SEED = 7;

/** UEs at given distances from an access point, no fading. */
class Cell
{
  public:
    Cell(const std::vector<double>& distancesM, double endS, const DropCallback& onDrop)
    {
        SeedEpisode(SEED, 0);
        m_ues.Create(distancesM.size());
        m_edge.Create(1);
        for (uint32_t i = 0; i < m_ues.GetN(); i++)
        {
            InstallFixed(m_ues.Get(i), {distancesM[i], 0, 1.5});
        }
        link = MakeLink({m_section, "link."});
        link->Build(
            {.ues = m_ues, .edge = m_edge.Get(0), .seed = SEED, .endS = endS, .onDrop = onDrop});
    }

    Ptr<PacketSink> Install(const TrafficConfig& config, uint32_t ue, Presence when)
    {
        const ExogenousScope scope;
        return InstallTraffic(config,
                              {m_ues.Get(ue), link->GetUeAddress(ue)},
                              {m_edge.Get(0), link->GetEdgeAddress()},
                              {ue, when, SEED, 1000 + 10 * ue});
    }

    Ptr<SplitInferenceUe> Install(SplitInferenceHelper& inference, uint32_t ue)
    {
        return inference.Install(ue, m_ues.Get(ue), m_edge.Get(0), link);
    }

    Ptr<Link> link;

  private:
    json m_section = WifiSection();
    NodeContainer m_ues;
    NodeContainer m_edge;
};

TrafficConfig
Stream(const std::string& kind, bool uplink, double rateKbps)
{
    TrafficConfig config;
    config.kind = kind;
    config.uplink = uplink;
    config.rateKbps = rateKbps;
    // Short and many, so that their sum comes near its mean.
    config.onS = 0.002;
    config.offS = 0.002;
    config.framesPerS = 120;
    return config;
}

void
RunUntil(double endS)
{
    Simulator::Stop(Seconds(endS));
    Simulator::Run();
    Simulator::Destroy();
}

/** What an uncongested cell receives is what was asked for. */
class OfferedLoadCase : public TestCase
{
  public:
    OfferedLoadCase(const std::string& kind, bool uplink, double share)
        : TestCase(kind + (uplink ? " up" : " down")),
          m_config(Stream(kind, uplink, 400)),
          m_share(share)
    {
    }

  private:
    void DoRun() override
    {
        constexpr double startS = 2;
        constexpr double endS = 42;
        Cell cell({5}, endS, [](const FragmentTag&, Outcome) {});
        const auto sink = cell.Install(m_config, 0, {startS, endS});
        RunUntil(endS + 1);
        const double kbps = sink->GetTotalRx() * 8 / (endS - startS) / 1000;
        NS_TEST_EXPECT_MSG_EQ_TOL(kbps, m_share * m_config.rateKbps, 0.02 * kbps, "offered load");
    }

    TrafficConfig m_config;
    double m_share; ///< of the time for which it sends
};

/** A greedy TCP source fills the cell, and another station's stream gets through beside it. */
class GreedyTcpCase : public TestCase
{
  public:
    explicit GreedyTcpCase(bool uplink)
        : TestCase(uplink ? "greedy up" : "greedy down"),
          m_uplink(uplink)
    {
    }

  private:
    void DoRun() override
    {
        // ns-3 3.37 lets a second station wait for more than a second before it has its block ack.
        constexpr double endS = 4;
        Cell cell({5, 5}, endS, [](const FragmentTag&, Outcome) {});
        const auto greedy = cell.Install(Stream("tcp", m_uplink, 0), 0, {1, endS});
        const auto light = cell.Install(Stream("cbr", m_uplink, 400), 1, {1.5, endS});
        RunUntil(endS);
        const double mbps = greedy->GetTotalRx() * 8 / (endS - 1) / 1e6;
        // A 20 MHz 802.11ax cell has 143.4 Mbit/s at its best scheme.
        NS_TEST_EXPECT_MSG_GT(mbps, 20, "takes what there is");
        NS_TEST_EXPECT_MSG_LT(mbps, 143.4, "and no more");
        NS_TEST_EXPECT_MSG_GT(light->GetTotalRx() * 8 / (endS - 1.5), 360e3, "the other's stream");
    }

    bool m_uplink;
};

/** A stream is sent while its UE is there: counted by when its packets arrive. */
class PresenceCase : public TestCase
{
  public:
    explicit PresenceCase(const std::string& kind)
        : TestCase(kind + " while present"),
          m_kind(kind)
    {
    }

  private:
    void DoRun() override
    {
        const Presence when{3, 4};
        Cell cell({5, 5}, 6, [](const FragmentTag&, Outcome) {});
        const auto sink = cell.Install(Stream(m_kind, true, 400), 0, when);
        const auto never = cell.Install(Stream(m_kind, true, 400), 1, {3, -1});
        double firstS = std::numeric_limits<double>::infinity();
        double lastS = 0;
        sink->TraceConnectWithoutContext(
            "Rx",
            Callback<void, Ptr<const Packet>, const Address&>(
                [&](Ptr<const Packet> /* packet */, const Address& /* from */) {
                    const double nowS = Simulator::Now().GetSeconds();
                    firstS = std::min(firstS, nowS);
                    lastS = std::max(lastS, nowS);
                }));
        RunUntil(6);
        NS_TEST_EXPECT_MSG_EQ_TOL(firstS, when.fromS, 0.2, "begins");
        NS_TEST_EXPECT_MSG_GT(firstS, when.fromS, "not before");
        NS_TEST_EXPECT_MSG_EQ_TOL(lastS, when.untilS, 0.2, "ends");
        NS_TEST_EXPECT_MSG_EQ(never->GetTotalRx(), 0, "one that left before it came");
    }

    std::string m_kind;
};

/** When a node on a track is there, in simulated time. */
class TrackPresenceCase : public TestCase
{
  public:
    TrackPresenceCase()
        : TestCase("presence of a track")
    {
    }

  private:
    void DoRun() override
    {
        Track track;
        track.waypoints = {{10, {0, 0, 0}}, {30, {10, 0, 0}}};
        track.stays = false;
        auto model = CreateObject<TrackMobilityModel>();
        model->Configure(track, 4, AtEnd::LEAVE);
        NS_TEST_EXPECT_MSG_EQ(model->GetPresence().fromS, 6, "comes");
        NS_TEST_EXPECT_MSG_EQ(model->GetPresence().untilS, 26, "goes");
        model->Configure(track, 4, AtEnd::LOOP);
        NS_TEST_EXPECT_MSG_EQ(std::isinf(model->GetPresence().untilS), true, "never goes");
        track.stays = true;
        model->Configure(track, 0, AtEnd::STAY);
        NS_TEST_EXPECT_MSG_EQ(model->GetPresence().fromS, 0, "there from the start");
    }
};

/** Two UEs send at once, one of them out of reach: each record has its own losses and no others. */
class TwoRecordsCase : public TestCase
{
  public:
    TwoRecordsCase()
        : TestCase("drops land in the record of their own UE")
    {
    }

  private:
    void DoRun() override
    {
        constexpr uint32_t far = 1;
        ComputeConfig compute;
        compute.numLayers = 2;
        compute.splits = {1, 2};
        compute.ue = {std::vector<double>(100, 0.001), std::vector<double>(100, 0.001), 0.001, 1};
        compute.edge = compute.ue;
        TransportConfig transport;
        SplitInferenceHelper inference(transport, compute);
        Cell cell({5, 300}, 10, inference.GetDropCallback());
        const CodecConfig codec{"fp16", {1000, 1000}};
        const Request request{2, 32, 4};
        for (uint32_t ue : {0U, far})
        {
            auto application = cell.Install(inference, ue);
            Simulator::Schedule(Seconds(request.arrivalS),
                                [=] { application->StartRequest(0, request, 0, 1, 0, codec, 3); });
        }
        Simulator::Stop(Seconds(6));
        Simulator::Run();
        const auto& mine = inference.GetRecorder(0)->Current();
        const auto& others = inference.GetRecorder(far)->Current();
        const auto is = [](Outcome outcome) {
            return [outcome](uint8_t mark) {
                return mark == static_cast<uint8_t>(outcome);
            };
        };
        NS_TEST_EXPECT_MSG_EQ(mine.generatedTokens, 4, "the near one is served");
        NS_TEST_EXPECT_MSG_EQ(mine.Loss(), 0, "and loses nothing");
        NS_TEST_EXPECT_MSG_EQ(others.failed, true, "the far one isn't");
        NS_TEST_EXPECT_MSG_EQ(others.generatedTokens, 0, "at all");
        NS_TEST_EXPECT_MSG_EQ(
            std::any_of(others.outcome.begin(), others.outcome.end(), is(Outcome::LOST_RADIO)),
            true,
            "and its record says why");
        Simulator::Destroy();
    }
};

class TrafficSuite : public TestSuite
{
  public:
    TrafficSuite()
        : TestSuite("splitsim-traffic")
    {
        for (const bool uplink : {true, false})
        {
            AddTestCase(new OfferedLoadCase("cbr", uplink, 1));
            AddTestCase(new OfferedLoadCase("on-off", uplink, 0.5));
            AddTestCase(new OfferedLoadCase("video", uplink, 1));
            AddTestCase(new OfferedLoadCase("tcp", uplink, 1));
            AddTestCase(new GreedyTcpCase(uplink));
        }
        for (const auto* kind : {"cbr", "on-off", "video", "tcp"})
        {
            AddTestCase(new PresenceCase(kind));
        }
        AddTestCase(new TrackPresenceCase);
        AddTestCase(new TwoRecordsCase);
    }
};

const TrafficSuite g_suite;

} // namespace
