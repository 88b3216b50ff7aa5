/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * What the LTE link is made of, against closed forms and arithmetic.
 */
#include "../links/line-of-sight.h"
#include "../links/lte-buffer-probe.h"
#include "../links/path-loss.h"
#include "../links/radio-energy.h"
#include "../links/trace-fading-loss-model.h"
#include "../scenario/config-section.h"

#include "ns3/constant-position-mobility-model.h"
#include "ns3/node.h"
#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <cmath>
#include <fstream>
#include <string>
#include <vector>

using namespace ns3;
using splitsim::ConfigError;
using splitsim::FadingTrace;
using splitsim::LineOfSightProbability;
using splitsim::LteBufferProbe;
using splitsim::MakePathLoss;
using splitsim::PathLossConfig;
using splitsim::PlaceConditionModel;
using splitsim::RadioEnergy;
using splitsim::RadioEnergyConfig;

namespace
{

constexpr double FREQUENCY_HZ = 1842.5e6;
constexpr double UE_HEIGHT_M = 1.5;

Ptr<MobilityModel>
At(double x, double y, double z)
{
    auto place = CreateObject<ConstantPositionMobilityModel>();
    place->SetPosition(Vector(x, y, z));
    return place;
}

double
Loss(const PathLossConfig& config,
     double groundM,
     double siteHeightM,
     uint64_t seed = 1,
     bool uplink = false)
{
    const auto site = At(0, 0, siteHeightM);
    const auto ue = At(groundM, 0, UE_HEIGHT_M);
    const auto loss = MakePathLoss(config, FREQUENCY_HZ, {site}, seed);
    return uplink ? -loss->CalcRxPower(0, ue, site) : -loss->CalcRxPower(0, site, ue);
}

double
Log(double x)
{
    return std::log10(x);
}

/** TR 38.901, table 7.4.1-1, of a UE at 1.5 m; frequencies there are in GHz, distances in metres. */
double
ClosedForm(const std::string& model, bool sight, double groundM, double site)
{
    const double ghz = FREQUENCY_HZ / 1e9;
    const double rise = site - UE_HEIGHT_M;
    const double d = std::hypot(groundM, rise);
    if (model == "rma")
    {
        const double h = 5; // of buildings, and streets 20 m wide: the table's defaults
        const double near = 20 * Log(40 * M_PI * d * ghz / 3) +
                            std::min(0.03 * std::pow(h, 1.72), 10.0) * Log(d) -
                            std::min(0.044 * std::pow(h, 1.72), 14.77) + 0.002 * Log(h) * d;
        const double breakM = 2 * M_PI * site * UE_HEIGHT_M * FREQUENCY_HZ / 3e8;
        if (groundM > breakM)
        {
            return NAN; // not asked of here
        }
        const double hidden = 161.04 - 7.1 * Log(20) + 7.5 * Log(h) -
                              (24.37 - 3.7 * std::pow(h / site, 2)) * Log(site) +
                              (43.42 - 3.1 * Log(site)) * (Log(d) - 3) + 20 * Log(ghz) -
                              (3.2 * std::pow(Log(11.75 * UE_HEIGHT_M), 2) - 4.97);
        return sight ? near : std::max(near, hidden);
    }
    // The effective heights are a metre less.
    const double breakM = 4 * (site - 1) * (UE_HEIGHT_M - 1) * FREQUENCY_HZ / 3e8;
    const bool uma = model == "uma";
    double seen = 0;
    if (groundM <= breakM)
    {
        seen = (uma ? 28 + 22 * Log(d) : 32.4 + 21 * Log(d)) + 20 * Log(ghz);
    }
    else
    {
        seen = (uma ? 28 : 32.4) + 40 * Log(d) + 20 * Log(ghz) -
               (uma ? 9 : 9.5) * Log(breakM * breakM + rise * rise);
    }
    const double hidden = uma ? 13.54 + 39.08 * Log(d) + 20 * Log(ghz) - 0.6 * (UE_HEIGHT_M - 1.5)
                              : 35.3 * Log(d) + 22.4 + 21.3 * Log(ghz) - 0.3 * (UE_HEIGHT_M - 1.5);
    return sight ? seen : std::max(seen, hidden);
}

/** The path losses of 3GPP against the formulas of their table. */
class ThreeGppLossTest : public TestCase
{
  public:
    /** @param model uma, umi or rma @param sight whether the UE sees the site */
    ThreeGppLossTest(const std::string& model, bool sight)
        : TestCase(model + (sight ? " in line of sight" : " out of sight")),
          m_model(model),
          m_sight(sight)
    {
    }

  private:
    void DoRun() override
    {
        PathLossConfig config;
        config.model = m_model;
        config.lineOfSight = m_sight ? "always" : "never";
        const double usual = m_model == "uma" ? 25 : m_model == "umi" ? 10 : 35;
        for (const double site : {usual, 15.0, 28.0})
        {
            // On both sides of the break points of uma and umi, 295 m and 111 m at the usual heights.
            for (const double groundM : {20.0, 100.0, 290.0, 500.0, 1900.0})
            {
                const double expected = ClosedForm(m_model, m_sight, groundM, site);
                if (std::isnan(expected))
                {
                    continue;
                }
                const auto where = std::to_string(groundM) + " m, site at " + std::to_string(site);
                NS_TEST_ASSERT_MSG_EQ_TOL(Loss(config, groundM, site), expected, 0.02, where);
                NS_TEST_ASSERT_MSG_EQ_TOL(Loss(config, groundM, site, 1, true),
                                          Loss(config, groundM, site),
                                          1e-9,
                                          "the way back, " << where);
            }
        }
    }

    std::string m_model;
    bool m_sight;
};

/** The other losses: free space, and log-distance. */
class PlainLossTest : public TestCase
{
  public:
    PlainLossTest()
        : TestCase("free space and log-distance")
    {
    }

  private:
    void DoRun() override
    {
        PathLossConfig config;
        config.model = "friis";
        NS_TEST_ASSERT_MSG_EQ_TOL(Loss(config, 400, UE_HEIGHT_M),
                                  20 * Log(4 * M_PI * 400 * FREQUENCY_HZ / 299792458.0),
                                  0.01,
                                  "free space");
        config.model = "log-distance";
        config.referenceLossDb = 37.8;
        config.exponent = 3.5;
        NS_TEST_ASSERT_MSG_EQ_TOL(Loss(config, 400, UE_HEIGHT_M),
                                  37.8 + 35 * Log(400),
                                  1e-6,
                                  "log-distance");
    }
};

/** How often a UE sees its site, over the seeds. */
class SightShareTest : public TestCase
{
  public:
    /** @param environment of the table @param groundM distance @param expected its probability */
    SightShareTest(const std::string& environment, double groundM, double expected)
        : TestCase("share of line of sight, " + environment + " at " + std::to_string(groundM)),
          m_environment(environment),
          m_groundM(groundM),
          m_expected(expected)
    {
    }

  private:
    void DoRun() override
    {
        NS_TEST_ASSERT_MSG_EQ_TOL(LineOfSightProbability(m_environment, m_groundM, UE_HEIGHT_M),
                                  m_expected,
                                  5e-4,
                                  "table 7.4.2-1");
        constexpr int SEEDS = 4000;
        const auto site = At(0, 0, 25);
        const auto ue = At(0, m_groundM, UE_HEIGHT_M);
        double share = 0;
        for (int seed = 0; seed < SEEDS; seed++)
        {
            PlaceConditionModel model;
            model.Configure(m_environment, {site}, seed);
            share += model.GetChannelCondition(ue, site)->IsLos() / double(SEEDS);
        }
        const double deviation = std::sqrt(m_expected * (1 - m_expected) / SEEDS);
        NS_TEST_ASSERT_MSG_EQ_TOL(share, m_expected, 4 * deviation + 5e-4, "share of the seeds");
    }

    std::string m_environment;
    double m_groundM;
    double m_expected;
};

/** Line of sight depends on seed, site and place, on nothing else; near places agree. */
class SightIsPureTest : public TestCase
{
  public:
    SightIsPureTest()
        : TestCase("line of sight is a pure function of seed, site and place")
    {
    }

  private:
    void DoRun() override
    {
        const auto first = At(0, 0, 25);
        const auto second = At(500, 0, 25);
        PlaceConditionModel model;
        PlaceConditionModel other;
        model.Configure("umi", {first, second}, 3);
        other.Configure("umi", {first, second}, 3);
        int changes = 0;
        int disagreements = 0;
        bool before = false;
        for (int x = 2000; x > 0; x--)
        {
            // The other is asked in another order, the other way round, and by other objects.
            other.GetChannelCondition(At(x / 2.0, 20, UE_HEIGHT_M), second);
        }
        for (int x = 1; x <= 2000; x++)
        {
            const bool seen = model.GetChannelCondition(first, At(x, 40, UE_HEIGHT_M))->IsLos();
            const bool far = model.GetChannelCondition(second, At(x, 40, UE_HEIGHT_M))->IsLos();
            NS_TEST_ASSERT_MSG_EQ(other.GetChannelCondition(At(x, 40, UE_HEIGHT_M), first)->IsLos(),
                                  seen,
                                  "order");
            changes += x > 1 && seen != before;
            disagreements += seen != far;
            before = seen;
        }
        NS_TEST_ASSERT_MSG_LT(changes, 200, "correlated over metres");
        NS_TEST_ASSERT_MSG_GT(disagreements, 10, "each site has a field of its own");
    }
};

/** Energy of a radio that sends at known times. */
class RadioEnergyTest : public TestCase
{
  public:
    RadioEnergyTest()
        : TestCase("energy by states and bits against arithmetic")
    {
    }

  private:
    void Expect(std::shared_ptr<RadioEnergy> energy, double timeS, double expectedJ)
    {
        Simulator::Schedule(Seconds(timeS), [=, this] {
            NS_TEST_EXPECT_MSG_EQ_TOL(energy->GetAboveSleepJ(),
                                      expectedJ,
                                      1e-9,
                                      "at " << timeS << " s");
        });
    }

    void DoRun() override
    {
        RadioEnergyConfig config;
        config.activeW = 2;
        config.tailW = 0.5;
        config.inactivityS = 0.1;
        config.tailS = 4;
        config.uplinkWPerMbps = 0.4;
        config.downlinkWPerMbps = 0.05;
        auto energy = std::make_shared<RadioEnergy>(config);
        Simulator::Schedule(Seconds(1), [=] { energy->NoteData(125000, 0); }); // a Mbit
        Simulator::Schedule(Seconds(1.05), [=] { energy->NoteData(0, 250000); });
        Simulator::Schedule(Seconds(3), [=] { energy->NoteData(0, 0); });
        Expect(energy, 0.9, 0);
        Expect(energy, 1.04, 0.04 * 2 + 0.4);
        // Active from 1.0 to 1.15, the tail after.
        Expect(energy, 1.15, 0.15 * 2 + 0.4 + 0.1);
        Expect(energy, 2.15, 0.15 * 2 + 1 * 0.5 + 0.5);
        // The tail ends where data comes again, at 3.0; from 3.1 it has 3.9 s to run.
        Expect(energy, 5.1, 0.25 * 2 + (1.85 + 2) * 0.5 + 0.5);
        Expect(energy, 7, 0.25 * 2 + (1.85 + 3.9) * 0.5 + 0.5);
        Expect(energy, 20, 0.25 * 2 + (1.85 + 3.9) * 0.5 + 0.5);
        Simulator::Run();
        Simulator::Destroy();
    }
};

/** Where the probe passes things on to. */
class RecordingMac : public LteMacSapProvider
{
  public:
    void TransmitPdu(TransmitPduParameters params) override
    {
        sentBytes += params.pdu->GetSize();
    }

    void ReportBufferStatus(ReportBufferStatusParameters params) override
    {
        toldBytes = params.txQueueSize;
    }

    uint32_t sentBytes{0};
    uint32_t toldBytes{0};
};

/** The probe counts the data bearer's packets and passes everything on. */
class LteBufferProbeTest : public TestCase
{
  public:
    LteBufferProbeTest()
        : TestCase("packets in the RLC buffer")
    {
    }

  private:
    void Tell(LteBufferProbe& probe, uint8_t channel, uint32_t bytes)
    {
        LteMacSapProvider::ReportBufferStatusParameters report{};
        report.lcid = channel;
        report.txQueueSize = bytes;
        probe.ReportBufferStatus(report);
    }

    void Send(LteBufferProbe& probe, uint8_t channel, uint32_t bytes)
    {
        LteMacSapProvider::TransmitPduParameters pdu{};
        pdu.lcid = channel;
        pdu.pdu = Create<Packet>(bytes);
        probe.TransmitPdu(pdu);
    }

    void DoRun() override
    {
        RecordingMac mac;
        LteBufferProbe probe(&mac);
        uint32_t left = 0;
        probe.SetSentCallback([&](uint32_t bytes) { left += bytes; });
        NS_TEST_ASSERT_MSG_EQ(probe.GetPackets(), 0, "empty");
        probe.SetPacketBytes(996);
        Tell(probe, 3, 3000);
        NS_TEST_ASSERT_MSG_EQ(mac.toldBytes, 3000, "the MAC hears of it");
        NS_TEST_ASSERT_MSG_EQ(probe.GetPackets(), 3, "three packets");
        Tell(probe, 1, 50000);
        NS_TEST_ASSERT_MSG_EQ(probe.GetPackets(), 3, "signalling isn't counted");
        Send(probe, 3, 1500);
        NS_TEST_ASSERT_MSG_EQ(probe.GetPackets(), 2, "one and a half left");
        Send(probe, 1, 40);
        NS_TEST_ASSERT_MSG_EQ(left, 1500, "what left");
        NS_TEST_ASSERT_MSG_EQ(mac.sentBytes, 1540, "passed on");
        Send(probe, 3, 1600);
        NS_TEST_ASSERT_MSG_EQ(probe.GetPackets(), 0, "headers are not owed");
        Tell(probe, 3, 10);
        probe.Reset();
        NS_TEST_ASSERT_MSG_EQ(probe.GetPackets(), 0, "the bearer is gone");
    }
};

/** Fading from a file: read as it stands, the same both ways, each link at its own place of it. */
class FadingTraceTest : public TestCase
{
  public:
    FadingTraceTest()
        : TestCase("fading from a trace")
    {
    }

  private:
    std::string Write(const std::string& name, const std::string& text)
    {
        const auto path = CreateTempDirFilename(name);
        std::ofstream(path) << text;
        return path;
    }

    bool Refuses(const std::string& path)
    {
        try
        {
            CreateObject<FadingTrace>()->Load(path, 2, 0.001, 1);
        }
        catch (const ConfigError& error)
        {
            return std::string(error.what()).find(path) == 0;
        }
        return false;
    }

    void DoRun() override
    {
        // Sample i has i dB in the first block and -i in the second.
        const auto path = Write("good.fad", "0 1 2 3 4 5 6 7 8 9\n0 -1 -2 -3 -4 -5 -6 -7 -8 -9\n");
        FadingTrace trace;
        trace.Load(path, 2, 0.001, 4);
        int otherLinks = 0;
        for (int ms = 0; ms < 100; ms++)
        {
            const double timeS = ms / 1e3 + 5e-4;
            const auto gains = trace.GetGains(3, 8, timeS);
            NS_TEST_ASSERT_MSG_EQ_TOL(gains[0] * gains[1], 1, 1e-5, "one sample of both blocks");
            NS_TEST_ASSERT_MSG_EQ((trace.GetGains(8, 3, timeS) == gains), true, "reciprocal");
            otherLinks += trace.GetGains(3, 9, timeS) != gains;
            const double stepDb = 10 * Log(trace.GetGains(3, 8, timeS + 0.001)[0] / gains[0]);
            const bool follows = std::abs(stepDb - 1) < 1e-3 || std::abs(stepDb + 9) < 1e-3;
            NS_TEST_ASSERT_MSG_EQ((follows || ms % 10 == 9), true, "the next, or round the end");
        }
        NS_TEST_ASSERT_MSG_GT(otherLinks, 50, "links differ");
        NS_TEST_ASSERT_MSG_EQ(Refuses(Write("short.fad", "0 1 2\n")), true, "too few rows");
        NS_TEST_ASSERT_MSG_EQ(Refuses(Write("ragged.fad", "0 1 2\n0 1\n")), true, "a short row");
        NS_TEST_ASSERT_MSG_EQ(Refuses(Write("words.fad", "0 1\n0 x\n")), true, "no number");
        NS_TEST_ASSERT_MSG_EQ(Refuses(CreateTempDirFilename("none.fad")), true, "no file");
    }
};

class LteTestSuite : public TestSuite
{
  public:
    LteTestSuite()
        : TestSuite("splitsim-lte")
    {
        for (const std::string model : {"uma", "umi", "rma"})
        {
            AddTestCase(new ThreeGppLossTest(model, true));
            AddTestCase(new ThreeGppLossTest(model, false));
        }
        AddTestCase(new PlainLossTest);
        AddTestCase(new SightShareTest("rma", 510, std::exp(-0.5)));
        AddTestCase(new SightShareTest("umi", 72, 0.25 + 0.75 * std::exp(-2.0)));
        AddTestCase(new SightShareTest("uma", 126, 18 / 126.0 + std::exp(-2.0) * (1 - 18 / 126.0)));
        AddTestCase(new SightShareTest("uma", 18, 1));
        AddTestCase(new SightIsPureTest);
        AddTestCase(new RadioEnergyTest);
        AddTestCase(new LteBufferProbeTest);
        AddTestCase(new FadingTraceTest);
    }
};

LteTestSuite g_lteTestSuite;

} // namespace
