/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../links/environment.h"
#include "../links/wifi-energy.h"
#include "../mobility/mobility-builder.h"
#include "wifi-section.h"

#include "ns3/basic-energy-source-helper.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/double.h"
#include "ns3/node.h"
#include "ns3/simulator.h"
#include "ns3/test.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-radio-energy-model-helper.h"

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
using splitsim::WifiEnergy;
using splitsim::WifiEnergyConfig;

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
        // MCS 11 with a guard interval of 3.2 us; nothing below -82 dBm, which is at 51.3 m.
        NS_TEST_EXPECT_MSG_EQ_TOL(ReceiveAt(link, 1).rateMbps, 121.9, 0.1, "highest rate");
        NS_TEST_EXPECT_MSG_GT(ReceiveAt(link, 51.2).rateMbps, 0, "within reach");
        NS_TEST_EXPECT_MSG_EQ(ReceiveAt(link, 51.4).rateMbps, 0, "out of reach");
        double lastMbps = ReceiveAt(link, 1).rateMbps;
        for (double distanceM = 2; distanceM < 60; distanceM++)
        {
            const double rateMbps = ReceiveAt(link, distanceM).rateMbps;
            NS_TEST_EXPECT_MSG_EQ((rateMbps <= lastMbps), true, "falls with distance");
            lastMbps = rateMbps;
        }
        Simulator::Destroy();
    }
};

/** Energy of a station that associates and hears beacons, against ns-3's own model of the same radio. */
class EnergyTestCase : public TestCase
{
  public:
    EnergyTestCase()
        : TestCase("energy by states against ns-3's model")
    {
    }

  private:
    void DoRun() override
    {
        NodeContainer ues(1);
        const auto link = Build(WifiSection(), ues);
        Ptr<WifiNetDevice> station;
        for (uint32_t i = 0; i < ues.Get(0)->GetNDevices() && !station; i++)
        {
            station = DynamicCast<WifiNetDevice>(ues.Get(0)->GetDevice(i));
        }
        // Each state has a current of its own, so that none passes for another.
        const WifiEnergyConfig config{3.3, 0.1, 0.17, 0.38, 0.31, 0.23, 0.03};
        auto energy = CreateObject<WifiEnergy>();
        energy->Install(config, station->GetPhy());
        BasicEnergySourceHelper source;
        source.Set("BasicEnergySourceInitialEnergyJ", DoubleValue(1e6));
        source.Set("BasicEnergySupplyVoltageV", DoubleValue(config.voltageV));
        WifiRadioEnergyModelHelper radio;
        radio.Set("IdleCurrentA", DoubleValue(config.idleA));
        radio.Set("CcaBusyCurrentA", DoubleValue(config.ccaBusyA));
        radio.Set("TxCurrentA", DoubleValue(config.txA));
        radio.Set("RxCurrentA", DoubleValue(config.rxA));
        radio.Set("SwitchingCurrentA", DoubleValue(config.switchingA));
        radio.Set("SleepCurrentA", DoubleValue(config.sleepA));
        const auto reference = radio.Install(station, source.Install(ues).Get(0)).Get(0);
        for (int i = 1; i <= 50; i++)
        {
            Simulator::Schedule(MilliSeconds(37 * i), [this, energy, reference] {
                NS_TEST_EXPECT_MSG_EQ_TOL(energy->GetTotalJ(),
                                          reference->GetTotalEnergyConsumption(),
                                          1e-12,
                                          "as ns-3's model");
            });
        }
        Simulator::Schedule(Seconds(1), [station] { station->GetPhy()->SetSleepMode(); });
        Simulator::Schedule(Seconds(1.5), [station] { station->GetPhy()->ResumeFromSleep(); });
        Simulator::Schedule(Seconds(0.9), [this, energy] {
            NS_TEST_EXPECT_MSG_GT(energy->GetAboveIdleJ(), 1e-3, "it heard and sent");
        });
        Simulator::Stop(Seconds(2));
        Simulator::Run();
        Simulator::Destroy();
    }
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
        // 6 dB less in each 20 MHz: -76 dBm, at 32.3 m.
        NS_TEST_EXPECT_MSG_GT(ReceiveAt(wide, 32.2).rateMbps, 0, "within reach");
        NS_TEST_EXPECT_MSG_EQ(ReceiveAt(wide, 32.4).rateMbps, 0, "out of reach");
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
        AddTestCase(new EnergyTestCase);
        AddTestCase(new WidthTestCase);
        AddTestCase(new ConfigTestCase);
    }
};

static WifiLinkTestSuite g_wifiLinkTestSuite;
