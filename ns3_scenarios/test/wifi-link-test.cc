/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../links/environment.h"
#include "../links/signal-window.h"
#include "../mobility/mobility-builder.h"
#include "wifi-section.h"

#include "ns3/constant-position-mobility-model.h"
#include "ns3/node.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using namespace ns3;
using nlohmann::json;
using splitsim::ConfigError;
using splitsim::Link;
using splitsim::MakeLink;
using splitsim::Reception;
using splitsim::Section;

namespace
{

/** A link that stands, with one UE at its first access point. */
Ptr<Link>
Build(const json& wifi, NodeContainer ues = NodeContainer(1))
{
    splitsim::InstallFixed(ues.Get(0), {0, 0, 1.5});
    auto link = MakeLink({wifi, "link."});
    const json none{{"buildings", json::array()},
                    {"zones", json::array()},
                    {"obstacles", json::array()}};
    link->Build({ues,
                 CreateObject<Node>(),
                 splitsim::MakeEnvironment({none, "environment."}, 1, 0),
                 1,
                 0,
                 1,
                 {}});
    return link;
}

/** What is received this far from the first access point, straight below the line y = 0. */
Reception
ReceiveAt(Ptr<Link> link, double distanceM)
{
    auto where = CreateObject<ConstantPositionMobilityModel>();
    where->SetPosition({distanceM, 0, 3});
    return link->GetReception(0, where);
}

} // namespace

/** Received power, SNR and rate at a distance, against arithmetic; fading plays no part. */
class ReceptionTestCase : public TestCase
{
  public:
    ReceptionTestCase()
        : TestCase("reception by distance")
    {
    }

  private:
    void DoRun() override
    {
        const auto link = Build(WifiSection());
        const double noiseDbm = 10 * std::log10(1.3803e-23 * 290 * 20e6) + 30 + 7;
        for (const double distanceM : {1.0, 10.0, 42.0, 100.0})
        {
            const auto reception = ReceiveAt(link, distanceM);
            const double expectedDbm = 16 - 46.7 - 30 * std::log10(distanceM);
            NS_TEST_EXPECT_MSG_EQ_TOL(reception.rxPowerDbm, expectedDbm, 1e-9, "power");
            NS_TEST_EXPECT_MSG_EQ_TOL(reception.snrDb, expectedDbm - noiseDbm, 1e-6, "SNR");
        }
        // MCS 11 with a guard interval of 3.2 us; nothing below -92 dBm, which is at 110.4 m.
        NS_TEST_EXPECT_MSG_EQ_TOL(ReceiveAt(link, 1).rateMbps, 121.9, 0.1, "highest rate");
        NS_TEST_EXPECT_MSG_GT(ReceiveAt(link, 110.3).rateMbps, 0, "within reach");
        NS_TEST_EXPECT_MSG_EQ(ReceiveAt(link, 110.5).rateMbps, 0, "out of reach");
        double lastMbps = ReceiveAt(link, 1).rateMbps;
        for (double distanceM = 2; distanceM < 120; distanceM++)
        {
            const double rateMbps = ReceiveAt(link, distanceM).rateMbps;
            NS_TEST_EXPECT_MSG_EQ((rateMbps <= lastMbps), true, "falls with distance");
            lastMbps = rateMbps;
        }
        Simulator::Destroy();
        auto deaf = WifiSection();
        deaf["sensitivity_dbm"] = -82;
        const auto standard = Build(deaf);
        NS_TEST_EXPECT_MSG_GT(ReceiveAt(standard, 51.2).rateMbps, 0, "-82 dBm is at 51.3 m");
        NS_TEST_EXPECT_MSG_EQ(ReceiveAt(standard, 51.4).rateMbps, 0, "-82 dBm is at 51.3 m");
        Simulator::Destroy();
    }
};

/** Means and slopes of samples of which some are missed. */
class SignalWindowTestCase : public TestCase
{
  public:
    SignalWindowTestCase()
        : TestCase("missed beacons count")
    {
    }

  private:
    void Hear(double timeS, double snrDb)
    {
        Simulator::Schedule(Seconds(timeS), [=, this] { m_window.Note(snrDb, snrDb - 94); });
    }

    void Expect(double timeS, double snrDb, double ageS)
    {
        Simulator::Schedule(Seconds(timeS), [=, this] {
            splitsim::LinkState state;
            m_window.Describe(state);
            NS_TEST_EXPECT_MSG_EQ_TOL(state.snrDb, snrDb, 1e-9, "SNR at " << timeS << " s");
            NS_TEST_EXPECT_MSG_EQ_TOL(state.snrAgeS, ageS, 1e-9, "age at " << timeS << " s");
        });
    }

    void DoRun() override
    {
        m_window.CountMissed({0.1, -2, -96});
        Expect(0.5, -2, 0.5); // nothing heard yet
        for (int i = 10; i < 20; i++)
        {
            Hear(0.1 * i, 8);
        }
        Expect(1.94, 8, 0.04);
        // The beacon of 2.0 s is late, not missed, until half an interval has passed.
        Expect(2.04, 8, 0.14);
        Expect(2.06, (9 * 8 - 2) / 10., 0.16);
        Expect(2.46, (5 * 8 - 5 * 2) / 10., 0.56);
        // It is heard again after 1.95 s: what was missed in between stays in the window.
        Expect(3.5, -2, 1.6);
        Hear(3.85, 8);
        Expect(3.86, (8 - 10 * 2) / 11., 0.01);
        Simulator::Schedule(Seconds(3.87), [this] { m_window.Clear(); });
        Hear(3.9, 10);
        Expect(3.95, 10, 0.05);
        Simulator::Schedule(Seconds(3.95), [this] {
            NS_TEST_EXPECT_MSG_EQ_TOL(*m_window.GetMeanSnrDb(), 10, 1e-9, "of the new cell");
        });
        Simulator::Schedule(Seconds(4.91), [this] {
            NS_TEST_EXPECT_MSG_EQ(m_window.GetMeanSnrDb().has_value(),
                                  false,
                                  "nothing for a second");
        });
        Simulator::Run();
        Simulator::Destroy();
    }

    splitsim::SignalWindow m_window;
};

/** The wider channel is faster near by and reaches less far: its power is spread. */
class WidthTestCase : public TestCase
{
  public:
    WidthTestCase()
        : TestCase("reception in a wide channel")
    {
    }

  private:
    void DoRun() override
    {
        const auto narrow = Build(WifiSection());
        const double narrowNear = ReceiveAt(narrow, 1).rateMbps;
        const double snrDb = ReceiveAt(narrow, 20).snrDb;
        Simulator::Destroy();
        auto wifi = WifiSection();
        wifi["channel"] = 42;
        wifi["channel_width_mhz"] = 80;
        const auto wide = Build(wifi);
        NS_TEST_EXPECT_MSG_GT(ReceiveAt(wide, 1).rateMbps, 4 * narrowNear, "near");
        NS_TEST_EXPECT_MSG_EQ_TOL(ReceiveAt(wide, 20).snrDb, snrDb, 1e-9, "beacons are narrow");
        // 6 dB less in each 20 MHz: -86 dBm, at 69.6 m.
        NS_TEST_EXPECT_MSG_GT(ReceiveAt(wide, 69.4).rateMbps, 0, "within reach");
        NS_TEST_EXPECT_MSG_EQ(ReceiveAt(wide, 69.8).rateMbps, 0, "out of reach");
        Simulator::Destroy();
    }
};

/** Sites keep their order; fields that aren't valid are refused by name. */
class ConfigTestCase : public TestCase
{
  public:
    ConfigTestCase()
        : TestCase("the link's section")
    {
    }

  private:
    void DoRun() override
    {
        const auto wifi = WifiSection();
        const auto sites = MakeLink({wifi, "link."})->GetSites();
        NS_TEST_ASSERT_MSG_EQ(sites.size(), 1, "one site");
        NS_TEST_EXPECT_MSG_EQ(sites[0].name, "ap-0", "name");
        NS_TEST_EXPECT_MSG_EQ(sites[0].position.zM, 3, "position");
        ExpectError("/band", "60GHz", "link.band: \"60GHz\"");
        ExpectError("/channel_width_mhz", 30, "link.channel_width_mhz: 30");
        ExpectError("/access_points_m", json::array(), "link.access_points_m: []");
        ExpectError("/roaming/policy", "nearest", "link.roaming.policy: \"nearest\"");
        ExpectError("/roaming/hysteresis_db", -1, "link.roaming.hysteresis_db: -1");
        ExpectError("/roaming/time_to_trigger_s", -1, "link.roaming.time_to_trigger_s: -1");
    }

    void ExpectError(const std::string& field, const json& value, const std::string& expected)
    {
        auto broken = WifiSection();
        broken[json::json_pointer(field)] = value;
        std::string message;
        try
        {
            MakeLink({broken, "link."});
        }
        catch (const ConfigError& error)
        {
            message = error.what();
        }
        NS_TEST_EXPECT_MSG_EQ(message.rfind(expected, 0), 0, field << " said '" << message << "'");
    }
};

class WifiLinkTestSuite : public TestSuite
{
  public:
    WifiLinkTestSuite()
        : TestSuite("splitsim-wifi-link")
    {
        AddTestCase(new ReceptionTestCase);
        AddTestCase(new SignalWindowTestCase);
        AddTestCase(new WidthTestCase);
        AddTestCase(new ConfigTestCase);
    }
};

static WifiLinkTestSuite g_wifiLinkTestSuite;
