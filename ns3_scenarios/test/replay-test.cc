/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../links/replay-net-device.h"
#include "../scenario/exogenous.h"

#include "ns3/drop-tail-queue.h"
#include "ns3/ipv4-l3-protocol.h"
#include "ns3/mac48-address.h"
#include "ns3/node.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace ns3;
using splitsim::CounterRandom;
using splitsim::Nanobits;
using splitsim::ReplayNetDevice;
using splitsim::ReplayStep;
using splitsim::ReplayTrace;
using splitsim::ToNanobits;

namespace
{

using TracePtr = std::shared_ptr<const ReplayTrace>;

/** Steps of one length, each with a rate in bit/s. */
std::vector<ReplayStep>
StepsOf(const std::vector<uint64_t>& ratesBps, Time step, Time delay = Time(0), double loss = 0)
{
    std::vector<ReplayStep> steps;
    for (const auto rateBps : ratesBps)
    {
        steps.push_back({step * static_cast<int64_t>(steps.size()), rateBps, delay, loss});
    }
    return steps;
}

TracePtr
TraceOf(const std::vector<uint64_t>& ratesBps,
        Time step,
        Time offset = Time(0),
        Time delay = Time(0),
        double loss = 0)
{
    return std::make_shared<ReplayTrace>(StepsOf(ratesBps, step, delay, loss),
                                         step * static_cast<int64_t>(ratesBps.size()),
                                         offset);
}

/** The integral of a looped trace, step by step. */
Nanobits
SlowlyServed(const std::vector<ReplayStep>& steps, Time duration, Time until)
{
    Nanobits served = 0;
    for (Time loop; loop < until; loop += duration)
    {
        for (std::size_t i = 0; i < steps.size(); i++)
        {
            const Time begin = loop + steps[i].start;
            const Time end = i + 1 < steps.size() ? loop + steps[i + 1].start : loop + duration;
            if (begin < until)
            {
                served +=
                    Nanobits{(std::min(end, until) - begin).GetNanoSeconds()} * steps[i].rateBps;
            }
        }
    }
    return served;
}

/** Two nodes with a link, and what arrives at the second one. */
class Wire
{
  public:
    explicit Wire(TracePtr trace, uint32_t queuePackets = 10000, int64_t stream = 7)
        : m_sender(MakeEnd(trace, queuePackets)),
          m_receiver(MakeEnd(trace, queuePackets))
    {
        m_sender->SetPeer(m_receiver);
        m_receiver->SetPeer(m_sender);
        m_sender->AssignStreams(stream);
        m_receiver->SetReceiveCallback(
            Callback<bool, Ptr<NetDevice>, Ptr<const Packet>, uint16_t, const Address&>(
                [this](Ptr<NetDevice>, Ptr<const Packet> packet, uint16_t, const Address&) {
                    arrivals.emplace_back(Simulator::Now(), packet->GetSize());
                    return true;
                }));
        m_sender->TraceConnectWithoutContext(
            "PhyTxDrop",
            Callback<void, Ptr<const Packet>>([this](Ptr<const Packet>) { lost++; }));
        m_sender->GetQueue()->TraceConnectWithoutContext(
            "Drop",
            Callback<void, Ptr<const Packet>>([this](Ptr<const Packet>) { overflowed++; }));
    }

    /** Sends packets of so many bytes, all at once. */
    void Send(Time at, const std::vector<uint32_t>& sizes)
    {
        Simulator::Schedule(at, [this, sizes] {
            for (const auto bytes : sizes)
            {
                m_sender->Send(Create<Packet>(bytes),
                               m_receiver->GetAddress(),
                               Ipv4L3Protocol::PROT_NUMBER);
            }
        });
    }

    void Run()
    {
        Simulator::Run();
        Simulator::Destroy();
    }

    Ptr<ReplayNetDevice> GetSender() const
    {
        return m_sender;
    }

    std::vector<std::pair<Time, uint32_t>> arrivals;
    uint32_t lost{0};
    uint32_t overflowed{0};

  private:
    static Ptr<ReplayNetDevice> MakeEnd(TracePtr trace, uint32_t queuePackets)
    {
        auto queue = CreateObject<DropTailQueue<Packet>>();
        queue->SetMaxSize(QueueSize(QueueSizeUnit::PACKETS, queuePackets));
        auto device = CreateObject<ReplayNetDevice>();
        device->SetAddress(Mac48Address::Allocate());
        device->SetQueue(queue);
        device->SetTrace(std::move(trace));
        CreateObject<Node>()->AddDevice(device);
        return device;
    }

    Ptr<ReplayNetDevice> m_sender;
    Ptr<ReplayNetDevice> m_receiver;
};

/** Against the integral done step by step, for traces with outages, loops and offsets. */
class ServiceCurveTest : public TestCase
{
  public:
    ServiceCurveTest()
        : TestCase("Served bits and their times are exact")
    {
    }

  private:
    void DoRun() override
    {
        const CounterRandom random(3, 0);
        for (uint64_t k = 0; k < 200; k++)
        {
            std::vector<ReplayStep> steps;
            Time at;
            for (uint64_t i = 0; i < 1 + random.Bits(1000 * k) % 6; i++)
            {
                const auto counter = 1000 * k + 10 * i;
                const bool outage = i > 0 && random.Uniform(counter + 1) < 0.3;
                steps.push_back({at, outage ? 0 : random.Bits(counter + 2) % 40000000 + 1});
                at += NanoSeconds(1 + random.Bits(counter + 3) % 50000000);
            }
            const Time offset = NanoSeconds(random.Bits(1000 * k + 900) % 200000000);
            CheckTrace(steps, at, offset, NanoSeconds(random.Bits(1000 * k + 901) % 500000000));
        }
    }

    void CheckTrace(const std::vector<ReplayStep>& steps, Time duration, Time offset, Time now)
    {
        const ReplayTrace trace(steps, duration, offset);
        const auto served = trace.ServedUntil(now);
        NS_TEST_ASSERT_MSG_EQ((served == SlowlyServed(steps, duration, now + offset)),
                              true,
                              "integral until " << now);
        for (const auto bytes : {1U, 44U, 1500U})
        {
            const auto target = served + ToNanobits(bytes);
            const auto end = trace.WhenServed(target);
            NS_TEST_ASSERT_MSG_EQ((trace.ServedUntil(end) >= target), true, "served by then");
            NS_TEST_ASSERT_MSG_EQ((trace.ServedUntil(end - NanoSeconds(1)) < target),
                                  true,
                                  "and not a nanosecond earlier");
        }
    }
};

/** Times that can be worked out by hand. */
class HandWorkedTest : public TestCase
{
  public:
    HandWorkedTest()
        : TestCase("1500-byte packets leave when a Mahimahi trace says")
    {
    }

  private:
    void DoRun() override
    {
        // One packet in milliseconds 1 and 2, none in 3 to 5, two in 6: as `1 2 6 6`.
        const auto trace = TraceOf({12000000, 12000000, 0, 0, 0, 24000000}, MilliSeconds(1));
        Wire wire(trace);
        wire.Send(Time(0), std::vector<uint32_t>(9, 1500));
        wire.Run();
        const std::vector<int64_t>
            expectedUs{1000, 2000, 5500, 6000, 7000, 8000, 11500, 12000, 13000};
        NS_TEST_ASSERT_MSG_EQ(wire.arrivals.size(), expectedUs.size(), "all arrive");
        for (std::size_t i = 0; i < expectedUs.size(); i++)
        {
            NS_TEST_EXPECT_MSG_EQ(wire.arrivals[i].first,
                                  MicroSeconds(expectedUs[i]),
                                  "packet " << i);
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(trace->MeanRateMbps(Time(0), MilliSeconds(6)),
                                  8.0,
                                  1e-9,
                                  "mean rate");
        NS_TEST_EXPECT_MSG_EQ(trace->MeanRateMbps(MilliSeconds(2), MilliSeconds(5)), 0, "outage");
    }
};

/** What comes in an outage waits for its end; what comes later than a busy time starts afresh. */
class OutageTest : public TestCase
{
  public:
    OutageTest()
        : TestCase("An outage is waited for, an idle time is not saved up")
    {
    }

  private:
    void DoRun() override
    {
        Wire wire(TraceOf({8000000, 0, 8000000}, Seconds(1), Seconds(0), MilliSeconds(30)));
        wire.Send(MilliSeconds(500), {1000});
        wire.Send(MilliSeconds(1200), {1000, 1000});
        wire.Run();
        const std::vector<int64_t> expectedMs{500 + 1 + 30, 2000 + 1 + 30, 2000 + 2 + 30};
        NS_TEST_ASSERT_MSG_EQ(wire.arrivals.size(), expectedMs.size(), "all arrive");
        for (std::size_t i = 0; i < expectedMs.size(); i++)
        {
            NS_TEST_EXPECT_MSG_EQ(wire.arrivals[i].first,
                                  MilliSeconds(expectedMs[i]),
                                  "packet " << i);
        }
    }
};

/** The rounding of one packet's end isn't the next one's loss. */
class NoDriftTest : public TestCase
{
  public:
    NoDriftTest()
        : TestCase("Rounding to nanoseconds doesn't add up")
    {
    }

  private:
    void DoRun() override
    {
        const uint64_t rateBps = 777777777;
        const uint32_t packets = 5000;
        Wire wire(TraceOf({rateBps}, Seconds(1)));
        wire.Send(Time(0), std::vector<uint32_t>(packets, 41));
        wire.Run();
        const double expectedNs = std::ceil(packets * 41 * 8 * 1e9 / rateBps);
        NS_TEST_ASSERT_MSG_EQ(wire.arrivals.size(), packets, "all arrive");
        NS_TEST_EXPECT_MSG_EQ(wire.arrivals.back().first,
                              NanoSeconds(static_cast<int64_t>(expectedNs)),
                              "the last one");
    }
};

/** A delay that falls by more than the packets' distance. */
class OrderTest : public TestCase
{
  public:
    OrderTest()
        : TestCase("No packet overtakes another when the delay falls")
    {
    }

  private:
    void DoRun() override
    {
        auto steps = StepsOf({8000000, 8000000}, MilliSeconds(10));
        steps[0].delay = MilliSeconds(50);
        steps[1].delay = MilliSeconds(5);
        Wire wire(std::make_shared<ReplayTrace>(steps, Seconds(1), Time(0)));
        std::vector<uint32_t> sizes;
        for (uint32_t i = 0; i < 20; i++)
        {
            sizes.push_back(981 + i); // together a little less than 20 ms
        }
        wire.Send(Time(0), sizes);
        wire.Run();
        NS_TEST_ASSERT_MSG_EQ(wire.arrivals.size(), sizes.size(), "all arrive");
        for (std::size_t i = 0; i < sizes.size(); i++)
        {
            NS_TEST_EXPECT_MSG_EQ(wire.arrivals[i].second, sizes[i], "order at " << i);
        }
        NS_TEST_EXPECT_MSG_LT(wire.arrivals.back().first, MilliSeconds(60), "not 20 + 50");
        NS_TEST_EXPECT_MSG_GT(wire.arrivals.back().first, MilliSeconds(55), "behind the slow ones");
    }
};

/** The number of losses lies where a binomial one does, and belongs to the stream. */
class LossTest : public TestCase
{
  public:
    LossTest()
        : TestCase("Packets are lost with the trace's probability")
    {
    }

  private:
    static uint32_t Lost(double loss, uint32_t packets, int64_t stream)
    {
        RngSeedManager::SetSeed(1);
        RngSeedManager::SetRun(1);
        Wire wire(TraceOf({100000000}, Seconds(1), Time(0), Time(0), loss), packets, stream);
        wire.Send(Time(0), std::vector<uint32_t>(packets, 100));
        wire.Run();
        return wire.arrivals.size() + wire.lost == packets ? wire.lost : packets + 1;
    }

    void DoRun() override
    {
        const uint32_t packets = 20000;
        for (const double loss : {0.01, 0.1, 0.5})
        {
            // Four standard deviations: passed by chance but once in 16000 streams.
            const double margin = 4 * std::sqrt(packets * loss * (1 - loss));
            NS_TEST_EXPECT_MSG_EQ_TOL(Lost(loss, packets, 7), packets * loss, margin, loss);
        }
        NS_TEST_EXPECT_MSG_EQ(Lost(0, packets, 7), 0, "none");
        NS_TEST_EXPECT_MSG_EQ(Lost(1, packets, 7), packets, "all");
        NS_TEST_EXPECT_MSG_EQ(Lost(0.1, packets, 8), Lost(0.1, packets, 8), "same stream");
        NS_TEST_EXPECT_MSG_NE(Lost(0.1, packets, 8), Lost(0.1, packets, 9), "other stream");
    }
};

/** More packets than there is room for. */
class OverflowTest : public TestCase
{
  public:
    OverflowTest()
        : TestCase("What finds the queue full is dropped and told of")
    {
    }

  private:
    void DoRun() override
    {
        Wire wire(TraceOf({8000000}, Seconds(1)), 10);
        wire.Send(Time(0), std::vector<uint32_t>(25, 1000));
        wire.Run();
        // One is being served, ten wait.
        NS_TEST_EXPECT_MSG_EQ(wire.arrivals.size(), 11, "sent");
        NS_TEST_EXPECT_MSG_EQ(wire.overflowed, 14, "dropped");
        NS_TEST_EXPECT_MSG_EQ(wire.lost, 0, "none by the radio");
    }
};

/** A device whose trace is one long outage, and packets that aren't IPv4. */
class NothingPassesTest : public TestCase
{
  public:
    NothingPassesTest()
        : TestCase("Without any rate nothing passes, and nothing but IPv4 ever does")
    {
    }

  private:
    void DoRun() override
    {
        Wire silent(TraceOf({0, 0}, Seconds(1)));
        silent.Send(Time(0), {100, 100});
        silent.Run();
        NS_TEST_EXPECT_MSG_EQ(silent.arrivals.size(), 0, "no rate");
        NS_TEST_EXPECT_MSG_EQ((TraceOf({0}, Seconds(1))->WhenServed(1) == Time::Max()),
                              true,
                              "never");

        Wire wire(TraceOf({8000000}, Seconds(1)));
        const bool taken = wire.GetSender()->Send(Create<Packet>(100), Address(), 0x86DD);
        NS_TEST_EXPECT_MSG_EQ(taken, false, "IPv6");
        wire.Run();
    }
};

class ReplayTestSuite : public TestSuite
{
  public:
    ReplayTestSuite()
        : TestSuite("splitsim-replay")
    {
        AddTestCase(new ServiceCurveTest);
        AddTestCase(new HandWorkedTest);
        AddTestCase(new OutageTest);
        AddTestCase(new NoDriftTest);
        AddTestCase(new OrderTest);
        AddTestCase(new LossTest);
        AddTestCase(new OverflowTest);
        AddTestCase(new NothingPassesTest);
    }
};

} // namespace

static ReplayTestSuite g_replayTestSuite;
