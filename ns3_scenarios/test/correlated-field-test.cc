/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../links/correlated-field.h"

#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace ns3;
using splitsim::CorrelatedField;

namespace
{

constexpr uint64_t SEEDS = 10000;
constexpr double DECORRELATION_M = 37;

/** One place of many realisations is standard normal. */
class FieldMarginalTest : public TestCase
{
  public:
    FieldMarginalTest()
        : TestCase("the field is standard normal over the seeds")
    {
    }

  private:
    void DoRun() override
    {
        std::vector<double> values;
        double mean = 0;
        double square = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++)
        {
            values.push_back(CorrelatedField(seed, 1, DECORRELATION_M).At(-310, 1250));
            mean += values.back() / SEEDS;
            square += values.back() * values.back() / SEEDS;
        }
        // Four standard errors of 10,000 samples.
        NS_TEST_ASSERT_MSG_EQ_TOL(mean, 0, 4 / std::sqrt(SEEDS), "mean");
        NS_TEST_ASSERT_MSG_EQ_TOL(square, 1, 4 * std::sqrt(2.0 / SEEDS), "variance");
        std::sort(values.begin(), values.end());
        double largest = 0; // Kolmogorov-Smirnov
        for (std::size_t i = 0; i < values.size(); i++)
        {
            const double cdf = 0.5 * std::erfc(-values[i] / std::sqrt(2.0));
            largest = std::max(largest, std::abs(cdf - (i + 0.5) / SEEDS));
        }
        NS_TEST_ASSERT_MSG_LT(largest, 1.63 / std::sqrt(SEEDS), "its distribution");
    }
};

/** Two places of many realisations are correlated as exp(-distance / d). */
class FieldCorrelationTest : public TestCase
{
  public:
    /** @param distanceM between the places, along a slanted line */
    FieldCorrelationTest(double distanceM)
        : TestCase("correlation at " + std::to_string(distanceM) + " m"),
          m_distanceM(distanceM)
    {
    }

  private:
    void DoRun() override
    {
        double product = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++)
        {
            const CorrelatedField field(seed, 7, DECORRELATION_M);
            product += field.At(100, 50) *
                       field.At(100 + 0.6 * m_distanceM, 50 + 0.8 * m_distanceM) / SEEDS;
        }
        NS_TEST_ASSERT_MSG_EQ_TOL(product,
                                  std::exp(-m_distanceM / DECORRELATION_M),
                                  4 * std::sqrt(2.0 / SEEDS),
                                  "correlation");
    }

    double m_distanceM;
};

/** The field depends on seed, stream and place, on nothing else. */
class FieldIsPureTest : public TestCase
{
  public:
    FieldIsPureTest()
        : TestCase("a pure function of seed, stream and place")
    {
    }

  private:
    void DoRun() override
    {
        const CorrelatedField field(5, 1, DECORRELATION_M);
        const double before = field.At(3, 4);
        field.At(1000, -7);
        NS_TEST_ASSERT_MSG_EQ(field.At(3, 4), before, "asking changes nothing");
        NS_TEST_ASSERT_MSG_EQ(CorrelatedField(5, 1, DECORRELATION_M).At(3, 4), before, "remade");
        NS_TEST_ASSERT_MSG_NE(CorrelatedField(6, 1, DECORRELATION_M).At(3, 4), before, "seed");
        NS_TEST_ASSERT_MSG_NE(CorrelatedField(5, 2, DECORRELATION_M).At(3, 4), before, "stream");
        NS_TEST_ASSERT_MSG_EQ_TOL(field.UniformAt(3, 4),
                                  0.5 * std::erfc(-before / std::sqrt(2.0)),
                                  1e-15,
                                  "as uniform");
    }
};

class CorrelatedFieldTestSuite : public TestSuite
{
  public:
    CorrelatedFieldTestSuite()
        : TestSuite("splitsim-correlated-field")
    {
        AddTestCase(new FieldMarginalTest);
        for (const double distanceM : {1.0, 20.0, 37.0, 100.0})
        {
            AddTestCase(new FieldCorrelationTest(distanceM));
        }
        AddTestCase(new FieldIsPureTest);
    }
};

CorrelatedFieldTestSuite g_correlatedFieldTestSuite;

} // namespace
