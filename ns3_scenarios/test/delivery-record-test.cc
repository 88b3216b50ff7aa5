/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "../inference/model/delivery-record.h"
#include "../inference/model/fec-groups.h"
#include "../inference/model/fragment.h"

#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

using namespace ns3;
using splitsim::DeliveryRecord;
using splitsim::DeliveryRecorder;
using splitsim::FecGroups;
using splitsim::FragmentHeader;
using splitsim::FragmentTag;
using splitsim::Outcome;
using splitsim::TransportConfig;

namespace
{

constexpr uint32_t REQUEST = 4;

/** An open record of 2 prompt tokens, 3 output tokens and 2 fragments a token: 8 rows. */
Ptr<DeliveryRecorder>
Begin()
{
    DeliveryRecord record;
    record.request = REQUEST;
    record.promptTokens = 2;
    record.outputTokens = 3;
    record.fragmentsPerToken = 2;
    record.arrivalS = Simulator::Now().GetSeconds();
    auto recorder = CreateObject<DeliveryRecorder>();
    recorder->Begin(record);
    return recorder;
}

Outcome
OutcomeOf(Ptr<DeliveryRecorder> recorder, uint32_t row)
{
    return static_cast<Outcome>(recorder->Current().outcome[row]);
}

} // namespace

/** The header is 24 bytes in network order and comes back as it was. */
class FragmentHeaderTestCase : public TestCase
{
  public:
    FragmentHeaderTestCase()
        : TestCase("the fragment header on the wire")
    {
    }

  private:
    void DoRun() override
    {
        FragmentHeader header;
        header.request = 0x01020304;
        header.step = 0x0506;
        header.attempt = 0x07;
        header.split = 0x08;
        header.fragment = 0x090a0b0c;
        header.stepFragments = 0x0d0e0f10;
        header.promptTokens = 0x11121314;
        header.fragmentsPerToken = 0x1516;
        header.codec = 0x1718;
        NS_TEST_EXPECT_MSG_EQ(header.GetSerializedSize(), 24, "size");

        auto packet = Create<Packet>(100);
        packet->AddHeader(header);
        NS_TEST_ASSERT_MSG_EQ(packet->GetSize(), 124, "header and payload");
        std::vector<uint8_t> bytes(24);
        packet->CopyData(bytes.data(), 24);
        for (uint8_t i = 0; i < 24; i++)
        {
            NS_TEST_EXPECT_MSG_EQ(+bytes[i], i + 1, "byte " << +i);
        }

        FragmentHeader back;
        NS_TEST_EXPECT_MSG_EQ(packet->RemoveHeader(back), 24, "bytes read");
        NS_TEST_EXPECT_MSG_EQ(back.request, header.request, "request");
        NS_TEST_EXPECT_MSG_EQ(back.step, header.step, "step");
        NS_TEST_EXPECT_MSG_EQ(+back.attempt, +header.attempt, "attempt");
        NS_TEST_EXPECT_MSG_EQ(+back.split, +header.split, "split");
        NS_TEST_EXPECT_MSG_EQ(back.fragment, header.fragment, "fragment");
        NS_TEST_EXPECT_MSG_EQ(back.stepFragments, header.stepFragments, "fragments of the step");
        NS_TEST_EXPECT_MSG_EQ(back.promptTokens, header.promptTokens, "prompt tokens");
        NS_TEST_EXPECT_MSG_EQ(back.fragmentsPerToken, header.fragmentsPerToken, "per token");
        NS_TEST_EXPECT_MSG_EQ(back.codec, header.codec, "codec");
    }
};

/** The tag stays with a packet through headers and copies and adds no bytes. */
class FragmentTagTestCase : public TestCase
{
  public:
    FragmentTagTestCase()
        : TestCase("the tag that names a fragment")
    {
    }

  private:
    void DoRun() override
    {
        FragmentTag tag;
        tag.request = 70000;
        tag.index = 80000;
        tag.downlink = true;
        auto packet = Create<Packet>(100);
        packet->AddByteTag(tag);
        NS_TEST_EXPECT_MSG_EQ(packet->GetSize(), 100, "no bytes");
        packet->AddHeader(FragmentHeader());
        FragmentTag back;
        NS_TEST_ASSERT_MSG_EQ(packet->Copy()->FindFirstMatchingByteTag(back), true, "found");
        NS_TEST_EXPECT_MSG_EQ(back.request, tag.request, "request");
        NS_TEST_EXPECT_MSG_EQ(back.index, tag.index, "index");
        NS_TEST_EXPECT_MSG_EQ(back.downlink, tag.downlink, "direction");
    }
};

/** Of the copies of a fragment the best counts: delivered, then recovered, then late, then dropped. */
class PrecedenceTestCase : public TestCase
{
  public:
    PrecedenceTestCase()
        : TestCase("the best that happened to any copy counts")
    {
    }

  private:
    using Event = std::function<void(DeliveryRecorder&)>;

    void Expect(const std::vector<Event>& events, Outcome expected, const std::string& what)
    {
        auto recorder = Begin();
        for (const auto& event : events)
        {
            event(*recorder);
        }
        recorder->End("", 1);
        NS_TEST_EXPECT_MSG_EQ(+recorder->Current().outcome[0], +uint8_t(expected), what);
    }

    void DoRun() override
    {
        const Event sent = [](auto& r) {
            r.NoteSent(0);
        };
        const Event delivered = [](auto& r) {
            r.NoteArrived(0, 0, true);
        };
        const Event late = [](auto& r) {
            r.NoteArrived(0, 0, false);
        };
        const Event lost = [](auto& r) {
            r.NoteDropped(REQUEST, 0, false, Outcome::LOST_RADIO);
        };
        const Event dropped = [](auto& r) {
            r.NoteDropped(REQUEST, 0, false, Outcome::DROPPED_QUEUE);
        };
        const Event recovered = [](auto& r) {
            r.NoteRecovered(0);
        };
        const Event otherRequest = [](auto& r) {
            r.NoteDropped(REQUEST - 1, 0, false, Outcome::LOST_RADIO);
        };
        Expect({}, Outcome::NOT_SENT, "nothing happened");
        Expect({sent}, Outcome::LATE, "still under way at the end");
        Expect({sent, delivered}, Outcome::DELIVERED, "delivered");
        Expect({sent, late}, Outcome::LATE, "late");
        Expect({sent, lost}, Outcome::LOST_RADIO, "lost");
        Expect({sent, dropped}, Outcome::DROPPED_QUEUE, "dropped");
        Expect({sent, otherRequest}, Outcome::LATE, "a drop of an older request is not this one's");
        Expect({sent, delivered, lost}, Outcome::DELIVERED, "a late loss of a copy");
        Expect({sent, delivered, sent}, Outcome::DELIVERED, "a copy under way");
        Expect({sent, delivered, late}, Outcome::DELIVERED, "a late copy");
        Expect({sent, late, lost}, Outcome::LATE, "late, and a copy lost");
        Expect({sent, late, sent}, Outcome::LATE, "late, and a copy under way");
        Expect({sent, lost, late}, Outcome::LATE, "lost, and a copy late");
        Expect({sent, lost, sent, delivered}, Outcome::DELIVERED, "lost, then delivered");
        Expect({sent, lost, sent}, Outcome::LATE, "lost, and a copy under way");
        Expect({sent, lost, sent, dropped}, Outcome::DROPPED_QUEUE, "the last drop counts");
        Expect({sent, lost, recovered}, Outcome::RECOVERED, "lost, then recovered");
        Expect({sent, recovered, lost}, Outcome::RECOVERED, "recovered, then its loss is heard of");
        Expect({sent, recovered, sent}, Outcome::RECOVERED, "recovered, and a copy under way");
        Expect({sent, recovered, late}, Outcome::RECOVERED, "recovered, and its packet too late");
        Expect({sent, recovered, delivered}, Outcome::DELIVERED, "recovered, then delivered");
        Expect({sent, delivered, recovered}, Outcome::DELIVERED, "delivered before");
        Expect({recovered}, Outcome::NOT_SENT, "what was never sent is not recovered");
    }
};

/** Groups of fragments, the last one smaller, and the order in which packets are sent. */
class FecGroupsTestCase : public TestCase
{
  public:
    FecGroupsTestCase()
        : TestCase("groups of fragments and their parity")
    {
    }

  private:
    using Numbers = std::vector<uint32_t>;

    void DoRun() override
    {
        TransportConfig transport;
        const FecGroups bare(transport, 3);
        NS_TEST_EXPECT_MSG_EQ(bare.HasParity(), false, "none");
        NS_TEST_EXPECT_MSG_EQ((bare.Order() == Numbers{0, 1, 2}), true, "as they are");
        NS_TEST_EXPECT_MSG_EQ(bare.Packets(), 3, "no parity");
        transport.fecData = 3;
        transport.fecParity = 2;
        const FecGroups groups(transport, 5);
        NS_TEST_EXPECT_MSG_EQ(groups.Packets(), 9, "5 fragments, 2 groups of 2");
        NS_TEST_EXPECT_MSG_EQ((groups.Sizes() == Numbers{3, 2}), true, "the last is smaller");
        NS_TEST_EXPECT_MSG_EQ((groups.Order() == Numbers{0, 1, 2, 5, 6, 3, 4, 7, 8}),
                              true,
                              "parity behind its group");
        NS_TEST_EXPECT_MSG_EQ((groups.ParityOf(1) == Numbers{7, 8}), true, "of the last");
        const Numbers groupOf{0, 0, 0, 1, 1, 0, 0, 1, 1};
        for (uint32_t packet = 0; packet < groups.Packets(); packet++)
        {
            NS_TEST_EXPECT_MSG_EQ(groups.GroupOf(packet), groupOf[packet], "packet " << packet);
        }
    }
};

/** Delays are one way, of the copy that counts, and are there where something arrived. */
class DelayTestCase : public TestCase
{
  public:
    DelayTestCase()
        : TestCase("delays and token times")
    {
    }

  private:
    void DoRun() override
    {
        Ptr<DeliveryRecorder> recorder;
        Simulator::Schedule(Seconds(10), [&] {
            recorder = Begin();
            recorder->NoteSent(0);
            recorder->NoteSent(1);
            recorder->NoteSent(2);
        });
        Simulator::Schedule(Seconds(10.25), [&] {
            recorder->NoteArrived(0, 0, true);
            recorder->NoteDropped(REQUEST, 1, false, Outcome::LOST_RADIO);
            recorder->NoteSent(0);
        });
        Simulator::Schedule(Seconds(10.5), [&] {
            recorder->NoteArrived(0, 0, false);
            recorder->NoteArrived(2, 0, false);
            recorder->NoteReplySent(0);
            recorder->NoteToken(0);
            recorder->NoteReplySent(1);
            recorder->End("deadline", 3);
            recorder->NoteArrived(1, 0, true); // the request is over: nothing changes any more
            recorder->NoteDropped(REQUEST, 0, false, Outcome::LOST_RADIO);
            recorder->NoteToken(1);
        });
        Simulator::Run();
        Simulator::Destroy();

        const auto& record = recorder->Current();
        NS_TEST_ASSERT_MSG_EQ(record.outcome.size(), 8, "(P + N - 1) F rows");
        NS_TEST_EXPECT_MSG_EQ(record.delayS[0], 0.25F, "of the copy that was in time");
        NS_TEST_EXPECT_MSG_EQ(std::isnan(record.delayS[1]), true, "lost: no delay");
        NS_TEST_EXPECT_MSG_EQ(record.delayS[2], 0.5F, "late, but it arrived");
        NS_TEST_EXPECT_MSG_EQ((OutcomeOf(recorder, 1) == Outcome::LOST_RADIO), true, "as it ended");
        NS_TEST_EXPECT_MSG_EQ((OutcomeOf(recorder, 3) == Outcome::NOT_SENT), true, "never sent");
        NS_TEST_EXPECT_MSG_EQ(record.tokenTimeS[0], 0.5F, "since the arrival");
        NS_TEST_EXPECT_MSG_EQ(std::isnan(record.tokenTimeS[1]), true, "never came");
        NS_TEST_EXPECT_MSG_EQ(record.generatedTokens, 1, "tokens at the UE");
        const std::vector<uint8_t> replies{uint8_t(Outcome::DELIVERED),
                                           uint8_t(Outcome::LATE),
                                           uint8_t(Outcome::NOT_SENT)};
        NS_TEST_EXPECT_MSG_EQ((record.downlinkOutcome == replies), true, "replies");
        NS_TEST_EXPECT_MSG_EQ(record.failed, true, "there is a reason");
        NS_TEST_EXPECT_MSG_EQ(record.failReason, "deadline", "reason");
        NS_TEST_EXPECT_MSG_EQ(record.latencyS, 3, "censored");
        NS_TEST_EXPECT_MSG_EQ(recorder->IsOpen(), false, "over");
    }
};

/** All local: nothing to send, tokens all the same. */
class AllLocalTestCase : public TestCase
{
  public:
    AllLocalTestCase()
        : TestCase("a record without fragments")
    {
    }

  private:
    void DoRun() override
    {
        DeliveryRecord record;
        record.promptTokens = 2;
        record.outputTokens = 1;
        auto recorder = CreateObject<DeliveryRecorder>();
        recorder->Begin(record);
        NS_TEST_EXPECT_MSG_EQ(recorder->Current().outcome.empty(), true, "no rows");
        recorder->NoteArrived(0, 0, true);
        recorder->NoteToken(0);
        recorder->End("", 0);
        NS_TEST_EXPECT_MSG_EQ(recorder->Current().generatedTokens, 1, "the token");
        NS_TEST_EXPECT_MSG_EQ(+recorder->Current().downlinkOutcome[0],
                              +uint8_t(Outcome::NOT_SENT),
                              "no reply travelled");
        NS_TEST_EXPECT_MSG_EQ(recorder->Current().failed, false, "no reason to fail");
    }
};

class DeliveryRecordTestSuite : public TestSuite
{
  public:
    DeliveryRecordTestSuite()
        : TestSuite("splitsim-delivery-record")
    {
        AddTestCase(new FragmentHeaderTestCase);
        AddTestCase(new FragmentTagTestCase);
        AddTestCase(new FecGroupsTestCase);
        AddTestCase(new PrecedenceTestCase);
        AddTestCase(new DelayTestCase);
        AddTestCase(new AllLocalTestCase);
    }
};

static DeliveryRecordTestSuite g_deliveryRecordTestSuite;
