/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * What a broken or hostile agent can send: 10,000 mutated answers over a real socket.
 */
#include "action-check.h"
#include "container.h"
#include "opengym_interface.h"
#include "spaces.h"

#include "ns3/test.h"

#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>
#include <zmq.h>

using namespace ns3;

namespace
{

constexpr int ANSWERS = 10000;
constexpr int TIMEOUT_MS = 20000;

Ptr<OpenGymSpace>
MakeSpace()
{
    const std::vector<uint32_t> shape{3};
    auto tuple = CreateObject<OpenGymTupleSpace>();
    tuple->Add(CreateObject<OpenGymDiscreteSpace>(7));
    tuple->Add(CreateObject<OpenGymBoxSpace>(-9, 9, shape, TypeNameGet<int32_t>()));
    auto space = CreateObject<OpenGymDictSpace>();
    space->Add("pair", tuple);
    space->Add("float", CreateObject<OpenGymBoxSpace>(0, 1, shape, TypeNameGet<float>()));
    space->Add("double", CreateObject<OpenGymBoxSpace>(0, 1, shape, TypeNameGet<double>()));
    space->Add("unsigned", CreateObject<OpenGymBoxSpace>(0, 9, shape, TypeNameGet<uint32_t>()));
    return space;
}

template <typename T>
Ptr<OpenGymDataContainer>
MakeBox(std::vector<T> data)
{
    auto box = CreateObject<OpenGymBoxContainer<T>>(std::vector<uint32_t>{3});
    box->SetData(data);
    return box;
}

Ptr<OpenGymDataContainer>
MakeValue()
{
    auto discrete = CreateObject<OpenGymDiscreteContainer>(7);
    discrete->SetValue(6);
    auto tuple = CreateObject<OpenGymTupleContainer>();
    tuple->Add(discrete);
    tuple->Add(MakeBox<int32_t>({-1, 0, 1}));
    auto value = CreateObject<OpenGymDictContainer>();
    value->Add("pair", tuple);
    value->Add("float", MakeBox<float>({0, 0.5, 1}));
    value->Add("double", MakeBox<double>({0, 0.5, 1}));
    value->Add("unsigned", MakeBox<uint32_t>({1, 2, 300}));
    return value;
}

std::string
GoodAnswer()
{
    ns3opengym::EnvActMsg message;
    *message.mutable_actdata() = MakeValue()->GetDataContainerPbMsg();
    return message.SerializeAsString();
}

/** One to four bytes changed, removed, repeated or inserted, or the end cut off. */
std::string
Mutate(std::string bytes, std::mt19937& random)
{
    for (auto changes = 1 + random() % 4; changes > 0 && !bytes.empty(); changes--)
    {
        const auto at = random() % bytes.size();
        switch (random() % 5)
        {
        case 0:
            bytes[at] = static_cast<char>(random());
            break;
        case 1:
            bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
            break;
        case 2:
            bytes.erase(at, 1 + random() % 3);
            break;
        case 3:
            bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 16));
            break;
        default:
            bytes.resize(at);
        }
    }
    return bytes;
}

/** A REP socket that greets properly and then answers with mutants only, until it is told. */
class MutatingAgent
{
  public:
    MutatingAgent()
    {
        char folder[] = "/tmp/opengym-test-XXXXXX";
        m_folder = mkdtemp(folder);
        m_endpoint = "ipc://" + m_folder + "/0";
        m_context = zmq_ctx_new();
        m_socket = zmq_socket(m_context, ZMQ_REP);
        const int linger = 0;
        zmq_setsockopt(m_socket, ZMQ_LINGER, &linger, sizeof(linger));
        zmq_setsockopt(m_socket, ZMQ_RCVTIMEO, &TIMEOUT_MS, sizeof(TIMEOUT_MS));
        zmq_bind(m_socket, m_endpoint.c_str());
        m_thread = std::thread(&MutatingAgent::Serve, this);
    }

    /** Waits until ANSWERS mutants are sent, and one good answer at the end. */
    ~MutatingAgent()
    {
        m_thread.join();
        zmq_close(m_socket);
        zmq_ctx_term(m_context);
        unlink((m_folder + "/0").c_str());
        rmdir(m_folder.c_str());
    }

    const std::string& GetEndpoint() const
    {
        return m_endpoint;
    }

  private:
    void Serve()
    {
        std::mt19937 random(1);
        const std::string good = GoodAnswer();
        ns3opengym::SimInitAck greeting;
        greeting.set_done(true);
        char request[65536];
        int sent = 0;
        while (sent <= ANSWERS)
        {
            const auto size = zmq_recv(m_socket, request, sizeof(request), 0);
            if (size < 0)
            {
                return; // nobody asks any more
            }
            ns3opengym::SimInitMsg init;
            const bool isInit = init.ParseFromArray(request, size) && init.obsspace().type() != 0 &&
                                init.actspace().type() != 0;
            const auto answer = isInit            ? greeting.SerializeAsString()
                                : sent == ANSWERS ? good
                                                  : Mutate(good, random);
            sent += !isInit;
            zmq_send(m_socket, answer.data(), answer.size(), 0);
        }
    }

    std::string m_folder;
    std::string m_endpoint;
    void* m_context{nullptr};
    void* m_socket{nullptr};
    std::thread m_thread;
};

} // namespace

/** Each mutant is an action that fits the space, a request to stop, or an OpenGymError. */
class MutatedAnswersTestCase : public TestCase
{
  public:
    MutatedAnswersTestCase()
        : TestCase("mutated answers")
    {
    }

  private:
    Ptr<OpenGymInterface> Connect(const std::string& endpoint)
    {
        auto interface = CreateObject<OpenGymInterface>(endpoint);
        interface->SetGetActionSpaceCb(MakeCallback(&MakeSpace));
        interface->SetGetObservationSpaceCb(MakeCallback(&MakeSpace));
        interface->SetGetObservationCb(MakeCallback(&MakeValue));
        interface->SetExecuteActionsCb(MakeCallback(&MutatedAnswersTestCase::ExecuteActions, this));
        return interface;
    }

    bool ExecuteActions(Ptr<OpenGymDataContainer> action)
    {
        m_executed++;
        m_misfits += !OpenGymMismatch(MakeSpace(), action).empty();
        return true;
    }

    void DoRun() override
    {
        MutatingAgent agent;
        auto interface = Connect(agent.GetEndpoint());
        int refused = 0;
        int stops = 0;
        for (int i = 0; i < ANSWERS; i++)
        {
            try
            {
                interface->NotifyCurrentState();
            }
            catch (const OpenGymError&)
            {
                refused++;
            }
            if (interface->IsStopRequested())
            {
                stops++;
                interface->Dispose();
                interface = Connect(agent.GetEndpoint());
            }
        }
        const int mutants = m_executed;
        interface->NotifyCurrentState(); // the one good answer
        interface->Dispose();
        NS_TEST_EXPECT_MSG_EQ(m_executed, mutants + 1, "a good answer after all that");
        NS_TEST_EXPECT_MSG_EQ(m_misfits, 0, "the scenario never sees what does not fit");
        NS_TEST_EXPECT_MSG_EQ(mutants + refused + stops, ANSWERS, "each has one of three ends");
        NS_TEST_EXPECT_MSG_GT(mutants, ANSWERS / 100, "some mutants are sound");
        NS_TEST_EXPECT_MSG_GT(refused, ANSWERS / 2, "most are not");
    }

    int m_executed{0};
    int m_misfits{0};
};

/** What an action is compared with, kind by kind. */
class MismatchTestCase : public TestCase
{
  public:
    MismatchTestCase()
        : TestCase("actions that do not fit the space")
    {
    }

  private:
    void Expect(Ptr<OpenGymSpace> space, Ptr<OpenGymDataContainer> value, const std::string& words)
    {
        NS_TEST_EXPECT_MSG_EQ(OpenGymMismatch(space, value), words, words);
    }

    void DoRun() override
    {
        auto value = DynamicCast<OpenGymDictContainer>(MakeValue());
        auto space = DynamicCast<OpenGymDictSpace>(MakeSpace());
        Expect(space, value, "");
        Expect(space, MakeBox<float>({1}), "action is no Dict of 4");
        Expect(space->Get("float"),
               MakeBox<double>({1, 2, 3}),
               "action is no Box of 3 FLOAT values");
        Expect(space->Get("float"), MakeBox<float>({1, 2}), "action is no Box of 3 FLOAT values");
        auto discrete = CreateObject<OpenGymDiscreteContainer>(7);
        discrete->SetValue(7);
        Expect(CreateObject<OpenGymDiscreteSpace>(7), discrete, "action: 7 is not below 7");
        Expect(CreateObject<OpenGymDiscreteSpace>(7), value, "action is no Discrete value");
        value->Add("unsigned", MakeBox<int32_t>({1, 2, 3}));
        Expect(space, value, "action['unsigned'] is no Box of 3 UINT values");
        auto tuple = CreateObject<OpenGymTupleContainer>();
        value->Add("pair", tuple);
        Expect(space, value, "action['pair'] is no Tuple of 2");
        tuple->Add(discrete);
        tuple->Add(discrete);
        Expect(space, value, "action['pair'][0]: 7 is not below 7");
        auto other = CreateObject<OpenGymDictContainer>();
        for (const char* key : {"a", "b", "c", "d"})
        {
            other->Add(key, discrete);
        }
        Expect(space, other, "action has no 'pair'");
    }
};

class OpenGymFaultsTestSuite : public TestSuite
{
  public:
    OpenGymFaultsTestSuite()
        : TestSuite("splitsim-opengym-faults")
    {
        AddTestCase(new MutatedAnswersTestCase);
        AddTestCase(new MismatchTestCase);
    }
};

static OpenGymFaultsTestSuite g_openGymFaultsTestSuite;
