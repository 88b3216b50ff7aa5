/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../links/block-fading-loss-model.h"

#include "ns3/constant-position-mobility-model.h"
#include "ns3/node.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

using namespace ns3;
using splitsim::BlockFadingLossModel;

namespace
{

constexpr uint64_t SEED = 20240607;
constexpr std::size_t SAMPLES = 20000;

Ptr<BlockFadingLossModel>
MakeModel(uint64_t seed, double m, double coherenceTimeS = 0.02)
{
    auto model = CreateObject<BlockFadingLossModel>();
    model->Configure(seed, m, coherenceTimeS);
    return model;
}

/** Linear power gains of one link in its first blocks. */
std::vector<double>
Gains(Ptr<BlockFadingLossModel> model, uint32_t a = 0, uint32_t b = 1)
{
    std::vector<double> gains(SAMPLES);
    for (std::size_t block = 0; block < SAMPLES; block++)
    {
        gains[block] = std::pow(10.0, model->GetGainDb(a, b, block) / 10.0);
    }
    return gains;
}

double
Mean(const std::vector<double>& values)
{
    return std::accumulate(values.begin(), values.end(), 0.0) / values.size();
}

/** Pearson's correlation of two series, the second read `lag` places further on. */
double
Correlation(const std::vector<double>& x, const std::vector<double>& y, std::size_t lag = 0)
{
    const double meanX = Mean(x);
    const double meanY = Mean(y);
    double cross = 0;
    double squareX = 0;
    double squareY = 0;
    for (std::size_t i = 0; i + lag < x.size(); i++)
    {
        cross += (x[i] - meanX) * (y[i + lag] - meanY);
        squareX += (x[i] - meanX) * (x[i] - meanX);
        squareY += (y[i + lag] - meanY) * (y[i + lag] - meanY);
    }
    return cross / std::sqrt(squareX * squareY);
}

/** CDF of Gamma(m, 1/m), in the closed forms that these shapes have. */
double
GammaCdf(double m, double x)
{
    if (m == 0.5)
    {
        return std::erf(std::sqrt(x / 2)); // chi-squared with one degree of freedom
    }
    if (m == 1)
    {
        return 1 - std::exp(-x);
    }
    return 1 - std::exp(-3 * x) * (1 + 3 * x + 4.5 * x * x); // m = 3, Erlang
}

Ptr<MobilityModel>
MakeNode(double xM)
{
    auto node = CreateObject<Node>();
    auto mobility = CreateObject<ConstantPositionMobilityModel>();
    mobility->SetPosition({xM, 0, 0});
    node->AggregateObject(mobility);
    return mobility;
}

} // namespace

/**
 * The marginal is Nakagami-m: power gains are Gamma(m, 1/m). Tolerances: four standard errors for
 * mean and variance, the 1 % critical value of Kolmogorov and Smirnov, 1.63 / sqrt(n), for the CDF.
 */
class MarginalTestCase : public TestCase
{
  public:
    MarginalTestCase(double m)
        : TestCase("the power gain is Gamma with shape " + std::to_string(m) + " and mean 1"),
          m_m(m)
    {
    }

  private:
    void DoRun() override
    {
        auto gains = Gains(MakeModel(SEED, m_m));
        const double n = SAMPLES;
        const double mean = Mean(gains);
        double variance = 0;
        for (auto gain : gains)
        {
            variance += (gain - mean) * (gain - mean) / (n - 1);
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(mean, 1.0, 4 * std::sqrt(1 / m_m / n), "mean");
        // Gamma's excess kurtosis is 6/m.
        const double varianceError = 1 / m_m * std::sqrt((2 + 6 / m_m) / n);
        NS_TEST_EXPECT_MSG_EQ_TOL(variance, 1 / m_m, 4 * varianceError, "variance");

        std::sort(gains.begin(), gains.end());
        double distance = 0;
        for (std::size_t i = 0; i < gains.size(); i++)
        {
            const double cdf = GammaCdf(m_m, gains[i]);
            distance = std::max({distance, std::abs(cdf - i / n), std::abs(cdf - (i + 1) / n)});
        }
        NS_TEST_EXPECT_MSG_LT(distance, 1.63 / std::sqrt(n), "largest distance of the CDFs");
    }

    double m_m;
};

/** A gain depends on seed, link and block alone, not on the order or number of calls. */
class PurityTestCase : public TestCase
{
  public:
    PurityTestCase()
        : TestCase("the gain is a pure function of seed, link and block")
    {
    }

  private:
    void DoRun() override
    {
        auto forwards = MakeModel(SEED, 1);
        auto backwards = MakeModel(SEED, 1);
        std::map<uint64_t, double> expected;
        for (uint64_t block = 0; block < 500; block++)
        {
            expected[block] = forwards->GetGainDb(2, 5, block);
        }
        for (uint64_t block = 500; block-- > 0;)
        {
            backwards->GetGainDb(5, 7, block); // another link in between
            NS_TEST_EXPECT_MSG_EQ(backwards->GetGainDb(2, 5, block), expected[block], "order");
            NS_TEST_EXPECT_MSG_EQ(backwards->GetGainDb(5, 2, block),
                                  expected[block],
                                  "reciprocity");
        }
        NS_TEST_EXPECT_MSG_NE(MakeModel(SEED + 1, 1)->GetGainDb(2, 5, 0), expected[0], "seed");
        NS_TEST_EXPECT_MSG_NE(forwards->GetGainDb(2, 6, 0), expected[0], "link");
    }
};

/** Blocks, links and seeds have nothing to do with each other: correlations within 4 / sqrt(n). */
class IndependenceTestCase : public TestCase
{
  public:
    IndependenceTestCase()
        : TestCase("blocks, links and seeds are independent")
    {
    }

  private:
    void DoRun() override
    {
        const double tolerance = 4 / std::sqrt(double(SAMPLES));
        auto model = MakeModel(SEED, 1);
        const auto gains = Gains(model);
        NS_TEST_EXPECT_MSG_LT(std::abs(Correlation(gains, gains, 1)), tolerance, "lag 1");
        NS_TEST_EXPECT_MSG_LT(std::abs(Correlation(gains, gains, 2)), tolerance, "lag 2");
        NS_TEST_EXPECT_MSG_LT(std::abs(Correlation(gains, Gains(model, 0, 2))),
                              tolerance,
                              "neighbouring links");
        NS_TEST_EXPECT_MSG_LT(std::abs(Correlation(gains, Gains(MakeModel(SEED + 1, 1)))),
                              tolerance,
                              "neighbouring seeds");
    }
};

/** What the channel calls: constant within a block of simulated time, whoever asks how often. */
class ChannelTestCase : public TestCase
{
  public:
    ChannelTestCase()
        : TestCase("received power is constant within a coherence block and reciprocal")
    {
    }

  private:
    using Series = std::vector<double>;

    void DoRun() override
    {
        auto a = MakeNode(0);
        auto b = MakeNode(10);
        auto c = MakeNode(20);
        auto calm = MakeModel(SEED, 1, 0.02);
        auto busy = MakeModel(SEED, 1, 0.02);
        Series ofCalm;
        Series ofBusy;
        for (int i = 0; i < 100; i++)
        {
            // Five instants to each block, none of them on its edge.
            Simulator::Schedule(Seconds(0.002 + i * 0.004), [&, this] {
                ofCalm.push_back(calm->CalcRxPower(16, a, b));
                busy->CalcRxPower(16, a, c);
                busy->CalcRxPower(16, c, b);
                ofBusy.push_back(busy->CalcRxPower(16, b, a));
                NS_TEST_EXPECT_MSG_EQ(busy->CalcRxPower(16, a, b),
                                      ofBusy.back(),
                                      "two calls at one instant, one each way");
            });
        }
        Simulator::Run();
        Simulator::Destroy();
        NS_TEST_ASSERT_MSG_EQ(ofCalm.size(), 100, "all calls were made");
        NS_TEST_EXPECT_MSG_EQ((ofCalm == ofBusy), true, "other calls change nothing");
        const auto idA = a->GetObject<Node>()->GetId();
        const auto idB = b->GetObject<Node>()->GetId();
        for (std::size_t i = 0; i < ofCalm.size(); i++)
        {
            NS_TEST_EXPECT_MSG_EQ(ofCalm[i], 16 + calm->GetGainDb(idA, idB, i / 5), "its block");
        }
    }
};

class BlockFadingTestSuite : public TestSuite
{
  public:
    BlockFadingTestSuite()
        : TestSuite("splitsim-block-fading")
    {
        for (double m : {0.5, 1.0, 3.0})
        {
            AddTestCase(new MarginalTestCase(m));
        }
        AddTestCase(new PurityTestCase);
        AddTestCase(new IndependenceTestCase);
        AddTestCase(new ChannelTestCase);
    }
};

static BlockFadingTestSuite g_blockFadingTestSuite;
