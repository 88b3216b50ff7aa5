/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../scenario/exogenous.h"

#include "ns3/test.h"

#include <cmath>
#include <set>
#include <vector>

using namespace ns3;
using splitsim::ArrivalsConfig;
using splitsim::CounterRandom;
using splitsim::MakeRequests;

namespace
{

constexpr uint64_t DRAWS = 20000;

ArrivalsConfig
Arrivals()
{
    ArrivalsConfig config;
    config.count = 2000;
    config.startS = 2;
    config.deadlineS = 3;
    config.minGapS = 4;
    config.meanExtraGapS = 1.5;
    config.promptTokens = {16, 128};
    config.outputTokens = {8, 32};
    return config;
}

} // namespace

/** The numbers of one counter are always the same, and those of another key or family are others. */
class CounterTestCase : public TestCase
{
  public:
    CounterTestCase()
        : TestCase("numbers depend on key, stream and counter alone")
    {
    }

  private:
    void DoRun() override
    {
        const CounterRandom random(7, 3);
        const CounterRandom again(7, 3);
        std::set<uint64_t> seen;
        for (uint64_t i = DRAWS; i-- > 0;)
        {
            NS_TEST_EXPECT_MSG_EQ(random.Bits(i), again.Bits(i), "same key, stream and counter");
            seen.insert(random.Bits(i));
            seen.insert(CounterRandom(8, 3).Bits(i));
            seen.insert(CounterRandom(7, 4).Bits(i));
        }
        NS_TEST_EXPECT_MSG_EQ(seen.size(), 3 * DRAWS, "no number comes twice");
    }
};

/** Uniform on (0, 1): chi-squared over 16 bins below 37.7, its 99.9 % point with 15 degrees. */
class UniformTestCase : public TestCase
{
  public:
    UniformTestCase()
        : TestCase("uniform numbers")
    {
    }

  private:
    void DoRun() override
    {
        const CounterRandom random(1, 1);
        std::vector<double> bins(16);
        for (uint64_t i = 0; i < DRAWS; i++)
        {
            const double u = random.Uniform(i);
            NS_TEST_EXPECT_MSG_GT(u, 0, "above 0");
            NS_TEST_EXPECT_MSG_LT(u, 1, "below 1");
            bins[static_cast<std::size_t>(u * 16)]++;
        }
        double chiSquared = 0;
        for (auto count : bins)
        {
            const double expected = DRAWS / 16.0;
            chiSquared += (count - expected) * (count - expected) / expected;
        }
        NS_TEST_EXPECT_MSG_LT(chiSquared, 37.7, "evenly spread");
    }
};

/** Exponential: its mean, and the share beyond it, within four standard errors. */
class ExponentialTestCase : public TestCase
{
  public:
    ExponentialTestCase()
        : TestCase("exponential numbers")
    {
    }

  private:
    void DoRun() override
    {
        const CounterRandom random(1, 2);
        const double mean = 2.5;
        double sum = 0;
        double beyond = 0;
        for (uint64_t i = 0; i < DRAWS; i++)
        {
            const double x = random.Exponential(i, mean);
            NS_TEST_EXPECT_MSG_GT(x, 0, "positive");
            sum += x;
            beyond += x > mean;
        }
        const double share = std::exp(-1);
        NS_TEST_EXPECT_MSG_EQ_TOL(sum / DRAWS, mean, 4 * mean / std::sqrt(DRAWS), "mean");
        NS_TEST_EXPECT_MSG_EQ_TOL(beyond / DRAWS,
                                  share,
                                  4 * std::sqrt(share * (1 - share) / DRAWS),
                                  "share beyond the mean");
        NS_TEST_EXPECT_MSG_EQ(random.Exponential(0, 0), 0, "mean 0 is always 0");
    }
};

/** Whole numbers: both ends come out, nothing beyond them does. */
class IntegerTestCase : public TestCase
{
  public:
    IntegerTestCase()
        : TestCase("whole numbers")
    {
    }

  private:
    void DoRun() override
    {
        const CounterRandom random(1, 3);
        std::set<uint32_t> seen;
        for (uint64_t i = 0; i < DRAWS; i++)
        {
            seen.insert(random.Integer(i, {3, 7}));
            NS_TEST_EXPECT_MSG_EQ(random.Integer(i, {5, 5}), 5, "a range of one number");
        }
        NS_TEST_EXPECT_MSG_EQ((seen == std::set<uint32_t>{3, 4, 5, 6, 7}), true, "3 to 7");
    }
};

/** Requests: in bounds, never closer than the least gap, made by the seed alone. */
class RequestsTestCase : public TestCase
{
  public:
    RequestsTestCase()
        : TestCase("requests")
    {
    }

  private:
    void DoRun() override
    {
        const auto config = Arrivals();
        const auto requests = MakeRequests(config, 5);
        const auto again = MakeRequests(config, 5);
        const auto other = MakeRequests(config, 6);
        NS_TEST_ASSERT_MSG_EQ(requests.size(), config.count, "as many as asked for");
        NS_TEST_EXPECT_MSG_EQ(requests[0].arrivalS, config.startS, "the first comes at the start");
        double extraS = 0;
        std::size_t differing = 0;
        for (std::size_t k = 0; k < requests.size(); k++)
        {
            const auto& request = requests[k];
            NS_TEST_EXPECT_MSG_EQ((request.promptTokens >= 16 && request.promptTokens <= 128),
                                  true,
                                  "prompt length");
            NS_TEST_EXPECT_MSG_EQ((request.outputTokens >= 8 && request.outputTokens <= 32),
                                  true,
                                  "output length");
            NS_TEST_EXPECT_MSG_EQ(request.arrivalS, again[k].arrivalS, "same seed");
            NS_TEST_EXPECT_MSG_EQ(request.promptTokens, again[k].promptTokens, "same seed");
            NS_TEST_EXPECT_MSG_EQ(request.outputTokens, again[k].outputTokens, "same seed");
            differing += request.promptTokens != other[k].promptTokens;
            if (k > 0)
            {
                const double gapS = request.arrivalS - requests[k - 1].arrivalS;
                NS_TEST_EXPECT_MSG_GT_OR_EQ(gapS, config.minGapS, "least gap");
                extraS += (gapS - config.minGapS) / (requests.size() - 1);
            }
        }
        NS_TEST_EXPECT_MSG_GT(differing, 0.9 * requests.size(), "another seed, other requests");
        NS_TEST_EXPECT_MSG_EQ_TOL(extraS,
                                  config.meanExtraGapS,
                                  4 * config.meanExtraGapS / std::sqrt(requests.size()),
                                  "mean extra gap");
    }
};

/** A longer episode begins with the requests of a shorter one. */
class PrefixTestCase : public TestCase
{
  public:
    PrefixTestCase()
        : TestCase("the first requests don't depend on how many follow")
    {
    }

  private:
    void DoRun() override
    {
        auto config = Arrivals();
        const auto all = MakeRequests(config, 5);
        config.count = 10;
        const auto first = MakeRequests(config, 5);
        for (std::size_t k = 0; k < first.size(); k++)
        {
            NS_TEST_EXPECT_MSG_EQ(first[k].arrivalS, all[k].arrivalS, "arrival");
            NS_TEST_EXPECT_MSG_EQ(first[k].promptTokens, all[k].promptTokens, "prompt");
        }
    }
};

class ExogenousTestSuite : public TestSuite
{
  public:
    ExogenousTestSuite()
        : TestSuite("splitsim-exogenous")
    {
        AddTestCase(new CounterTestCase);
        AddTestCase(new UniformTestCase);
        AddTestCase(new ExponentialTestCase);
        AddTestCase(new IntegerTestCase);
        AddTestCase(new RequestsTestCase);
        AddTestCase(new PrefixTestCase);
    }
};

static ExogenousTestSuite g_exogenousTestSuite;
