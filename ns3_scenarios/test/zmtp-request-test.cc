/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * ZMTP, byte by byte. The expected bytes are those of ZeroMQ's RFC 23/ZMTP, and of a real REP socket.
 */
#include "opengym-endpoint.h"
#include "zmtp-request.h"

#include "ns3/abort.h"
#include "ns3/test.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace ns3;
using namespace std::string_literals;

namespace
{

constexpr int STREAMS = 5000;

/** @param minor of version 3. @return signature, version, mechanism NULL, as-server 0, filler */
std::string
Greeting(char minor)
{
    return "\xff"s + std::string(8, '\0') + "\x7f\3"s + minor + "NULL"s +
           std::string(16 + 32, '\0');
}

/// As libzmq's REP sends it.
const std::string READY = "\4\x19\5READY\x0bSocket-Type\0\0\0\3REP"s;
const std::string HELLO = Greeting(1) + READY;
const std::string ANSWER = "\1\0\0\3yes"s;

/** A requester and the other end of its connection. */
struct Pair
{
    Pair()
        : Pair(Handles())
    {
    }

    ~Pair()
    {
        Hang();
    }

    static std::pair<int, int> Handles()
    {
        int handles[2];
        NS_ABORT_IF(socketpair(AF_UNIX, SOCK_STREAM, 0, handles) != 0);
        return {handles[0], handles[1]};
    }

    explicit Pair(std::pair<int, int> handles)
        : requester(handles.first),
          other(handles.second)
    {
    }

    void Say(const std::string& bytes) const
    {
        NS_ABORT_IF(send(other, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
                    static_cast<ssize_t>(bytes.size()));
    }

    std::string Hear() const
    {
        char bytes[4096];
        return std::string(bytes, std::max<ssize_t>(0, recv(other, bytes, sizeof(bytes), 0)));
    }

    void Hang()
    {
        if (other >= 0)
        {
            close(other);
        }
        other = -1;
    }

    ZmtpRequester requester;
    int other;
};

void
Ask(ZmtpRequester& requester, const std::string& request)
{
    std::memcpy(requester.Prepare(request.size()), request.data(), request.size());
    requester.Send();
}

/** One to four bytes changed, removed, repeated or inserted, or the end cut off. */
std::string
Mutate(std::string bytes, std::mt19937& random)
{
    for (auto changes = 1 + random() % 4; changes > 0; changes--)
    {
        const auto at = random() % (bytes.size() + 1);
        switch (random() % 4)
        {
        case 0:
            bytes.replace(at, at < bytes.size(), 1, static_cast<char>(random()));
            break;
        case 1:
            bytes.erase(at, 1 + random() % 3);
            break;
        case 2:
            bytes.insert(at, bytes.substr(random() % (bytes.size() + 1), random() % 16));
            break;
        default:
            bytes.resize(at);
        }
    }
    return bytes;
}

} // namespace

/** Both halves of the handshake, a round trip, a heartbeat. */
class RoundTripTestCase : public TestCase
{
  public:
    RoundTripTestCase()
        : TestCase("handshake and a round trip")
    {
    }

  private:
    void Check(const std::string& hello)
    {
        Pair pair;
        pair.Say(hello);
        pair.requester.Greet();
        NS_TEST_EXPECT_MSG_EQ(
            (pair.Hear() ==
             Greeting(0) + "\4\x26\5READY\x0bSocket-Type\0\0\0\3REQ\x08Identity\0\0\0\0"s),
            true,
            "our half");
        Ask(pair.requester, "hello");
        NS_TEST_EXPECT_MSG_EQ((pair.Hear() == "\1\0\0\5hello"s), true, "a request");
        pair.Say(ANSWER);
        NS_TEST_EXPECT_MSG_EQ(pair.requester.Receive(), "yes", "its answer");
        Ask(pair.requester, std::string(300, 'x'));
        NS_TEST_EXPECT_MSG_EQ((pair.Hear() == "\1\0\2\0\0\0\0\0\0\1\x2c"s + std::string(300, 'x')),
                              true,
                              "a longer request");
        // RFC 37: a time to live, and a context of up to 16 bytes that comes back.
        pair.Say("\4\x09\4PING\0\x0a"
                 "ab"s +
                 "\1\0\2\0\0\0\0\0\0\0\1y"s); // and a short answer written as a long one
        NS_TEST_EXPECT_MSG_EQ(pair.requester.Receive(), "y", "an answer behind a heartbeat");
        NS_TEST_EXPECT_MSG_EQ((pair.Hear() == "\4\7\4PONGab"s), true, "the heartbeat's answer");
    }

    void DoRun() override
    {
        Check(HELLO);
        Check(Greeting(0) + READY);
        Check(Greeting(1) + "\4\x29\5READY\x0bSOCKET-TYPE\0\0\0\6ROUTER\x08Identity\0\0\0\0"s);
    }
};

/** Answers around the lengths at which a frame or a read takes another form, in any pieces. */
class PiecesTestCase : public TestCase
{
  public:
    PiecesTestCase()
        : TestCase("answers of every length in pieces of every length")
    {
    }

  private:
    static std::string Answer(size_t size)
    {
        std::string frames = size < 256 ? "\1\0\0"s + static_cast<char>(size) : "\1\0\2\0\0\0\0"s;
        for (int shift = 24; size >= 256 && shift >= 0; shift -= 8)
        {
            frames += static_cast<char>(size >> shift);
        }
        return frames + std::string(size, static_cast<char>(size % 251));
    }

    static void SayInPieces(const Pair& pair, const std::string& stream)
    {
        std::mt19937 random(3);
        for (size_t at = 0; at < stream.size();)
        {
            const size_t piece = 1 + random() % (at < 1000 ? 20 : 50000);
            pair.Say(stream.substr(at, piece));
            at += piece;
        }
    }

    void DoRun() override
    {
        const std::vector<size_t>
            sizes{0, 1, 255, 256, 8192, 16373, 16384, 16385, 1 << 18, 5 << 20};
        std::string stream = HELLO;
        for (const auto size : sizes)
        {
            stream += Answer(size);
        }
        Pair pair;
        std::thread agent(&PiecesTestCase::SayInPieces, std::cref(pair), std::cref(stream));
        pair.requester.Greet();
        for (const auto size : sizes)
        {
            NS_TEST_EXPECT_MSG_EQ(
                (pair.requester.Receive() == std::string(size, static_cast<char>(size % 251))),
                true,
                "answer of " << size << " bytes");
        }
        agent.join();
    }
};

/** What no REP sends is one clear line. */
class RefusedTestCase : public TestCase
{
  public:
    RefusedTestCase()
        : TestCase("what no REP sends")
    {
    }

  private:
    /** @param words of the error. @param isEnd whether it is one of a connection that ended */
    void Expect(const std::string& stream, const std::string& words, bool isEnd = false)
    {
        Pair pair;
        pair.Say(stream);
        shutdown(pair.other, SHUT_WR);
        std::string said;
        bool ended = false;
        try
        {
            pair.requester.Greet();
            pair.requester.Receive();
        }
        catch (const OpenGymError& error)
        {
            said = error.what();
            ended = dynamic_cast<const ZmtpClosed*>(&error) != nullptr;
        }
        NS_TEST_EXPECT_MSG_NE(said.find(words), std::string::npos, words << " in: " << said);
        NS_TEST_EXPECT_MSG_EQ(said.find('\n'), std::string::npos, "one line: " << said);
        NS_TEST_EXPECT_MSG_EQ(ended, isEnd, said);
        said.clear();
        try
        {
            Ask(pair.requester, "hello");
        }
        catch (const ZmtpClosed& error)
        {
            said = error.what();
        }
        NS_TEST_EXPECT_MSG_EQ(said.empty() && !isEnd, false, "nothing goes out after: " << words);
    }

    void DoRun() override
    {
        const std::string plain = Greeting(1).replace(12, 4, "PLAI");
        Expect("HTTP/1.1 400 Bad Request\r\n", "greets so: 'HTTP/1.1 400 Bad Request\\x0d\\x0a'");
        Expect(Greeting(1).replace(10, 1, "\1"), "greets so: '\\xff");
        Expect(Greeting(1).replace(9, 1, "x"), "greets so");
        Expect(plain, "greets so");
        Expect(Greeting(1) + ANSWER, "before ZeroMQ's handshake");
        Expect(Greeting(1) + "\4\x19\5READY\x0bSocket-Type\0\0\0\3PUB"s, "no ROUTER but 'PUB'");
        Expect(Greeting(1) + "\4\x06\5READY"s, "no ROUTER but ''");
        Expect(Greeting(1) + "\4\x08\5READY\x0bS"s, "no ROUTER but ''");
        Expect(Greeting(1) + "\4\x0a\5ERROR\3why"s, "handshake failed: 'why'");
        Expect(Greeting(1) + "\4\x06\5ERROR"s, "handshake failed: ''");
        Expect(Greeting(1) + "\4\7\4PING\0\0"s, "unexpected command");
        Expect(HELLO + READY, "unexpected command");
        Expect(HELLO + "\4\0"s, "unexpected command of ZeroMQ: ''");
        Expect(HELLO + "\4\1\xff"s, "unexpected command of ZeroMQ: '\\xff'");
        Expect(HELLO + "\4\6\4PING\0"s, "unexpected command");
        Expect(HELLO + "\0\5hello"s, "no REP socket's");
        Expect(HELLO + "\1\1x\0\1x"s, "no REP socket's");
        Expect(HELLO + "\1\0\1\1x\0\1x"s, "no REP socket's");
        Expect(HELLO + "\x08\0"s, "unknown flags 8");
        Expect(HELLO + "\5\0"s, "unknown flags 5");
        Expect(HELLO + "\1\0\2\0\0\0\0\4\0\0\1"s, "67108865 bytes; those above 64 MiB");
        Expect(HELLO + "\1\0\2\xff\xff\xff\xff\xff\xff\xff\xff"s, "above 64 MiB");
        Expect(HELLO.substr(0, 30), "closed the connection", true);
        Expect(HELLO, "closed the connection", true);
        Expect(HELLO + "\1\0\2\0\0\0\0\4\0\0\0only"s, "closed the connection", true);
    }
};

/** An agent that is gone, seen from every side. */
class ClosedTestCase : public TestCase
{
  public:
    ClosedTestCase()
        : TestCase("an agent that is gone")
    {
    }

  private:
    void DoRun() override
    {
        Pair pair;
        pair.Say(HELLO + ANSWER);
        pair.requester.Greet();
        pair.Hang(); // with our half of the handshake unread
        NS_TEST_EXPECT_MSG_EQ(pair.requester.Receive(), "yes", "what came before the end");
        int closed = 0;
        for (int i = 0; i < 2; i++)
        {
            try
            {
                Ask(pair.requester, std::string(1 << 24, 'x'));
            }
            catch (const ZmtpClosed&)
            {
                closed++;
            }
        }
        NS_TEST_EXPECT_MSG_EQ(closed, 2, "a request to nobody");
    }
};

/** An answer, or an OpenGymError. */
class MutatedStreamsTestCase : public TestCase
{
  public:
    MutatedStreamsTestCase()
        : TestCase("mutated streams")
    {
    }

  private:
    void DoRun() override
    {
        std::mt19937 random(5);
        int answered = 0;
        int refused = 0;
        int closed = 0;
        for (int i = 0; i < STREAMS; i++)
        {
            Pair pair;
            // Half of them mutated behind the handshake, to get there.
            pair.Say(i % 2 ? Mutate(HELLO + ANSWER, random) : HELLO + Mutate(ANSWER, random));
            shutdown(pair.other, SHUT_WR);
            try
            {
                pair.requester.Greet();
                pair.requester.Receive();
                answered++;
            }
            catch (const ZmtpClosed&)
            {
                closed++;
            }
            catch (const OpenGymError&)
            {
                refused++;
            }
        }
        NS_TEST_EXPECT_MSG_EQ(answered + refused + closed, STREAMS, "each has one of three ends");
        NS_TEST_EXPECT_MSG_GT(answered, STREAMS / 50, "some are sound");
        NS_TEST_EXPECT_MSG_GT(refused, STREAMS / 20, "some are not");
    }
};

/** Where an agent can listen. */
class EndpointTestCase : public TestCase
{
  public:
    EndpointTestCase()
        : TestCase("endpoints")
    {
    }

  private:
    void Expect(const std::string& endpoint, const std::string& words)
    {
        std::string said;
        try
        {
            Endpoint::Parse(endpoint).TryConnect();
        }
        catch (const OpenGymError& error)
        {
            said = error.what();
        }
        NS_TEST_EXPECT_MSG_EQ(said, words, endpoint);
    }

    void DoRun() override
    {
        for (const auto* text :
             {"", "udp://a:1", "tcp://", "tcp://:1", "tcp://a", "tcp://a:", "tcp://a:*"})
        {
            Expect(text,
                   "ns3-gym bridge: can't connect to "s + text +
                       ": valid are tcp://HOST:PORT with a port from 1 to 65535 and ipc://PATH");
        }
        for (const auto* port : {"0", "65536", "99999999999", "-1", "1x"})
        {
            Expect("tcp://localhost:"s + port,
                   "ns3-gym bridge: can't connect to tcp://localhost:"s + port +
                       ": valid are tcp://HOST:PORT with a port from 1 to 65535 and ipc://PATH");
        }
        for (const auto& path : {""s, std::string(108, 'x')})
        {
            Expect("ipc://" + path,
                   "ns3-gym bridge: can't connect to ipc://" + path +
                       ": a path has 1 to 107 bytes");
        }
        Expect("ipc:///dev/null/0",
               "ns3-gym bridge: can't connect to ipc:///dev/null/0: Not a directory");
        Expect("ipc:///nonexistent/0", ""); // may come to exist
        Expect("tcp://[::1]:1", "");        // nobody listens, or there is no IPv6
    }
};

class ZmtpRequestTestSuite : public TestSuite
{
  public:
    ZmtpRequestTestSuite()
        : TestSuite("splitsim-zmtp-request")
    {
        AddTestCase(new RoundTripTestCase);
        AddTestCase(new PiecesTestCase);
        AddTestCase(new RefusedTestCase);
        AddTestCase(new ClosedTestCase);
        AddTestCase(new MutatedStreamsTestCase);
        AddTestCase(new EndpointTestCase);
    }
};

static ZmtpRequestTestSuite g_zmtpRequestTestSuite;
