/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../inference/model/compute-queue.h"
#include "../scenario/exogenous.h"

#include "ns3/simulator.h"
#include "ns3/test.h"

#include <utility>
#include <vector>

using namespace ns3;
using splitsim::ComputeQueue;
using splitsim::CounterRandom;

/** Jobs wait for those before them and end in the order in which they came. */
class FifoTestCase : public TestCase
{
  public:
    FifoTestCase()
        : TestCase("first come, first served")
    {
    }

  private:
    void DoRun() override
    {
        auto queue = CreateObject<ComputeQueue>();
        std::vector<std::pair<int, double>> done;
        auto submit = [&](int job, double serviceS) {
            return queue->Submit(Seconds(serviceS), [&done, job] {
                done.emplace_back(job, Simulator::Now().GetSeconds());
            });
        };
        Simulator::Schedule(Seconds(1), [&, this] {
            NS_TEST_EXPECT_MSG_EQ(submit(0, 2), Seconds(0), "an idle machine starts at once");
            NS_TEST_EXPECT_MSG_EQ(submit(1, 1), Seconds(2), "behind the first");
            NS_TEST_EXPECT_MSG_EQ(submit(2, 3), Seconds(3), "behind both");
            NS_TEST_EXPECT_MSG_EQ(queue->GetBacklog(), Seconds(6), "all of it to do");
        });
        Simulator::Schedule(Seconds(2.5), [&, this] {
            NS_TEST_EXPECT_MSG_EQ(queue->GetBacklog(), Seconds(4.5), "the clock works it off");
            NS_TEST_EXPECT_MSG_EQ(queue->Submit(Seconds(0.5), {}), Seconds(4.5), "no callback");
        });
        Simulator::Schedule(Seconds(20), [&, this] {
            NS_TEST_EXPECT_MSG_EQ(queue->GetBacklog(), Seconds(0), "empty, not negative");
            NS_TEST_EXPECT_MSG_EQ(submit(3, 1), Seconds(0), "idle time isn't saved up");
        });
        Simulator::Run();
        Simulator::Destroy();
        const std::vector<std::pair<int, double>> expected{{0, 3}, {1, 4}, {2, 7}, {3, 21}};
        NS_TEST_EXPECT_MSG_EQ((done == expected), true, "order and times of the ends");
    }
};

/**
 * Poisson arrivals and equal jobs: the mean wait is rho D / (2 (1 - rho)) (Pollaczek and
 * Khinchine), 1.1667 s here. Waits follow each other closely, hence 5 % for 200,000 jobs.
 */
class MeanWaitTestCase : public TestCase
{
  public:
    MeanWaitTestCase()
        : TestCase("mean wait of an M-D-1 queue")
    {
    }

  private:
    static constexpr uint64_t JOBS = 200000;
    static constexpr double RHO = 0.7;

    void Arrive(uint64_t job)
    {
        m_waitS += m_queue->Submit(Seconds(1), {}).GetSeconds();
        if (job + 1 < JOBS)
        {
            Simulator::Schedule(Seconds(m_random.Exponential(job, 1 / RHO)),
                                &MeanWaitTestCase::Arrive,
                                this,
                                job + 1);
        }
    }

    void DoRun() override
    {
        m_queue = CreateObject<ComputeQueue>();
        Simulator::Schedule(Seconds(0), &MeanWaitTestCase::Arrive, this, uint64_t{0});
        Simulator::Run();
        Simulator::Destroy();
        const double expectedS = RHO / (2 * (1 - RHO));
        NS_TEST_EXPECT_MSG_EQ_TOL(m_waitS / JOBS, expectedS, 0.05 * expectedS, "mean wait");
    }

    Ptr<ComputeQueue> m_queue;
    CounterRandom m_random{11, 1};
    double m_waitS{0};
};

class ComputeQueueTestSuite : public TestSuite
{
  public:
    ComputeQueueTestSuite()
        : TestSuite("splitsim-compute-queue")
    {
        AddTestCase(new FifoTestCase);
        AddTestCase(new MeanWaitTestCase);
    }
};

static ComputeQueueTestSuite g_computeQueueTestSuite;
