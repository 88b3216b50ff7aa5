/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#include "zmtp-request.h"

#include "opengym-endpoint.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <strings.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace ns3
{

namespace
{

// Flags of a frame.
constexpr uint8_t MORE = 1;
constexpr uint8_t LONG = 2;
constexpr uint8_t COMMAND = 4;

constexpr size_t GREETING_BYTES = 64;
constexpr size_t VERSION_AT = 10;   ///< in the greeting
constexpr size_t MECHANISM_AT = 12; ///< in the greeting
constexpr size_t MECHANISM_BYTES = 20;
/// An empty frame with MORE, then flags and an eight-byte length.
constexpr size_t LONGEST_HEAD_BYTES = 2 + 9;
constexpr size_t SHORTEST_HEAD_BYTES = 2 + 2;
/// To begin with; an answer of more makes it grow.
constexpr size_t INPUT_BYTES = 16 * 1024;
/// Of a PING's body, in front of what is to be returned.
constexpr size_t TIME_TO_LIVE_BYTES = 2;
constexpr size_t MAX_PING_CONTEXT_BYTES = 16;
/// How much unread input the end of a connection may cost.
constexpr int MAX_DRAIN_READS = 64;
constexpr std::chrono::milliseconds RETRY_INTERVAL{100};

const std::string NO_REP =
    "a message that is no REP socket's: expected an empty frame and one more";

/** @return RFC 23's 64 bytes: signature, version 3.0, mechanism NULL, not the server of it, filler */
std::string
Greeting()
{
    std::string greeting(GREETING_BYTES, '\0');
    greeting[0] = '\xff';
    greeting[9] = '\x7f';
    greeting[VERSION_AT] = 3;
    greeting.replace(MECHANISM_AT, 4, "NULL");
    return greeting;
}

/** @param name of the command. @param body of less than 250 bytes. @return its frame */
std::string
CommandFrame(const std::string& name, std::string_view body)
{
    std::string frame{static_cast<char>(COMMAND), static_cast<char>(1 + name.size() + body.size())};
    frame += static_cast<char>(name.size());
    return frame.append(name).append(body);
}

/** @return one pair of a READY's metadata; the value's length is a big-endian number of 4 bytes */
std::string
Metadata(const std::string& name, const std::string& value)
{
    std::string pair{static_cast<char>(name.size())};
    pair += name;
    return pair.append({0, 0, 0, static_cast<char>(value.size())}).append(value);
}

uint64_t
BigEndian(const void* data, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++)
    {
        number = number << 8 | static_cast<const uint8_t*>(data)[i];
    }
    return number;
}

/** @return the first bytes of what a stranger sent, fit for an error of one line */
std::string
Printable(std::string_view bytes)
{
    constexpr char DIGITS[] = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : bytes.substr(0, 40))
    {
        if (byte >= ' ' && byte <= '~' && byte != '\\')
        {
            text += static_cast<char>(byte);
        }
        else
        {
            text.append({'\\', 'x', DIGITS[byte >> 4], DIGITS[byte & 15]});
        }
    }
    return "'" + text + "'";
}

/** What a frame with COMMAND holds. */
struct Command
{
    std::string_view name;
    std::string_view body;
};

Command
Split(std::string_view command)
{
    if (command.empty())
    {
        return {};
    }
    const auto nameBytes = static_cast<uint8_t>(command[0]);
    command.remove_prefix(1);
    return nameBytes > command.size()
               ? Command{}
               : Command{command.substr(0, nameBytes), command.substr(nameBytes)};
}

/** Take a field with a length of so many bytes in front. @return whether it was complete */
bool
TakeField(std::string_view& from, size_t lengthBytes, std::string_view& field)
{
    if (from.size() < lengthBytes)
    {
        return false;
    }
    const auto bytes = BigEndian(from.data(), lengthBytes);
    from.remove_prefix(lengthBytes);
    if (from.size() < bytes)
    {
        return false;
    }
    field = from.substr(0, bytes);
    from.remove_prefix(bytes);
    return true;
}

/** @return the other socket's type by its READY; empty where that is malformed or silent about it */
std::string_view
SocketType(std::string_view metadata)
{
    const std::string_view wanted = "Socket-Type";
    std::string_view type;
    while (!metadata.empty())
    {
        std::string_view name;
        std::string_view value;
        if (!TakeField(metadata, 1, name) || !TakeField(metadata, 4, value))
        {
            return {};
        }
        // RFC 23: names of metadata are case-insensitive.
        if (name.size() == wanted.size() &&
            strncasecmp(name.data(), wanted.data(), wanted.size()) == 0)
        {
            type = value;
        }
    }
    return type;
}

} // namespace

std::unique_ptr<ZmtpRequester>
ZmtpRequester::Connect(const std::string& endpoint)
{
    const auto where = Endpoint::Parse(endpoint);
    while (true)
    {
        const int socket = where.TryConnect();
        if (socket >= 0)
        {
            auto requester = std::make_unique<ZmtpRequester>(socket);
            try
            {
                requester->Greet();
                return requester;
            }
            catch (const ZmtpClosed&)
            {
                // An agent that goes away or makes room for the next one: as if it had refused.
            }
        }
        std::this_thread::sleep_for(RETRY_INTERVAL);
    }
}

ZmtpRequester::ZmtpRequester(int socket)
    : m_socket(socket),
      m_input(INPUT_BYTES)
{
}

ZmtpRequester::~ZmtpRequester()
{
    Close();
}

void
ZmtpRequester::Close()
{
    if (m_socket < 0)
    {
        return;
    }
    // With unread input, the end of a TCP connection is a reset, and that overtakes what was sent.
    shutdown(m_socket, SHUT_WR);
    for (int i = 0; i < MAX_DRAIN_READS; i++)
    {
        if (recv(m_socket, m_input.data(), m_input.size(), MSG_DONTWAIT) <= 0)
        {
            break;
        }
    }
    close(m_socket);
    m_socket = -1;
}

void
ZmtpRequester::Refuse(const std::string& what)
{
    Close();
    throw OpenGymError("ns3-gym bridge: " + what);
}

void
ZmtpRequester::RefuseCommand(std::string_view command)
{
    const auto [name, body] = Split(command);
    if (name == "ERROR") // its body is a length and a reason
    {
        Refuse("ZeroMQ's handshake failed: " + Printable(body.substr(body.empty() ? 0 : 1)));
    }
    Refuse("an unexpected command of ZeroMQ: " + Printable(command));
}

void
ZmtpRequester::Lose(const std::string& what)
{
    Close();
    throw ZmtpClosed("ns3-gym bridge: " + what);
}

void
ZmtpRequester::Greet()
{
    // In one piece: a socket that greets so speaks ZMTP 3, and its READY needs nothing of ours.
    static const std::string hello =
        Greeting() +
        CommandFrame("READY", Metadata("Socket-Type", "REQ") + Metadata("Identity", ""));
    Write(reinterpret_cast<const uint8_t*>(hello.data()), hello.size());
    TakeGreeting();
    TakeReady();
}

void
ZmtpRequester::TakeGreeting()
{
    static const std::string ours = Greeting();
    Await(1); // other servers say less, and wait then
    const bool isZmtp = m_input[m_begin] == 0xff;
    if (isZmtp)
    {
        Await(GREETING_BYTES);
    }
    const std::string_view greeting(reinterpret_cast<const char*>(&m_input[m_begin]),
                                    m_end - m_begin);
    if (!isZmtp || greeting[9] != ours[9] ||
        static_cast<uint8_t>(greeting[VERSION_AT]) < static_cast<uint8_t>(ours[VERSION_AT]) ||
        greeting.compare(MECHANISM_AT, MECHANISM_BYTES, ours, MECHANISM_AT, MECHANISM_BYTES) != 0)
    {
        Refuse("no ZeroMQ 4 socket without security greets so: " + Printable(greeting));
    }
    m_begin += GREETING_BYTES;
}

void
ZmtpRequester::TakeReady()
{
    const auto frame = TakeFrame();
    if (!(frame.flags & COMMAND))
    {
        Refuse("a message before ZeroMQ's handshake was over");
    }
    const auto [name, body] = Split(frame.body);
    if (name != "READY")
    {
        RefuseCommand(frame.body);
    }
    const auto type = SocketType(body);
    if (type != "REP" && type != "ROUTER")
    {
        Refuse("a socket that is no REP and no ROUTER but " + Printable(type));
    }
}

uint8_t*
ZmtpRequester::Prepare(size_t bytes)
{
    m_requestBytes = bytes;
    if (m_output.size() < LONGEST_HEAD_BYTES + bytes)
    {
        m_output.resize(LONGEST_HEAD_BYTES + bytes);
    }
    return m_output.data() + LONGEST_HEAD_BYTES;
}

void
ZmtpRequester::Send()
{
    const bool isShort = m_requestBytes < 256;
    const auto headBytes = isShort ? SHORTEST_HEAD_BYTES : LONGEST_HEAD_BYTES;
    uint8_t* start = m_output.data() + LONGEST_HEAD_BYTES - headBytes;
    start[0] = MORE;
    start[1] = 0;
    start[2] = isShort ? 0 : LONG;
    auto rest = m_requestBytes;
    for (auto at = headBytes - 1; at > 2; at--)
    {
        start[at] = rest & 0xff;
        rest >>= 8;
    }
    Write(start, headBytes + m_requestBytes);
}

std::string_view
ZmtpRequester::Receive()
{
    const auto delimiter = TakeMessageFrame();
    if (!(delimiter.flags & MORE) || !delimiter.body.empty())
    {
        Refuse(NO_REP);
    }
    const auto answer = TakeMessageFrame();
    if (answer.flags & MORE)
    {
        Refuse(NO_REP);
    }
    return answer.body;
}

ZmtpRequester::Frame
ZmtpRequester::TakeMessageFrame()
{
    auto frame = TakeFrame();
    while (frame.flags & COMMAND)
    {
        Obey(frame.body);
        frame = TakeFrame();
    }
    return frame;
}

ZmtpRequester::Frame
ZmtpRequester::TakeFrame()
{
    Await(2);
    const auto flags = m_input[m_begin];
    if (flags & ~(MORE | LONG | COMMAND) || (flags & COMMAND && flags & MORE))
    {
        Refuse("a frame with the unknown flags " + std::to_string(flags));
    }
    size_t headBytes = 2;
    uint64_t bytes = m_input[m_begin + 1];
    if (flags & LONG)
    {
        headBytes = 9;
        Await(headBytes);
        bytes = BigEndian(&m_input[m_begin + 1], 8);
        if (bytes > MAX_MESSAGE_BYTES)
        {
            Refuse("an answer of " + std::to_string(bytes) +
                   " bytes; those above 64 MiB are refused");
        }
    }
    Await(headBytes + bytes);
    const auto* body = reinterpret_cast<const char*>(m_input.data() + m_begin + headBytes);
    m_begin += headBytes + bytes;
    return {flags, {body, bytes}};
}

void
ZmtpRequester::Obey(std::string_view command)
{
    const auto [name, body] = Split(command);
    if (name != "PING" || body.size() < TIME_TO_LIVE_BYTES)
    {
        RefuseCommand(command);
    }
    const auto pong = CommandFrame("PONG", body.substr(TIME_TO_LIVE_BYTES, MAX_PING_CONTEXT_BYTES));
    Write(reinterpret_cast<const uint8_t*>(pong.data()), pong.size());
}

void
ZmtpRequester::Await(size_t bytes)
{
    while (m_end - m_begin < bytes)
    {
        MakeRoom(bytes);
        ReadSome();
    }
}

void
ZmtpRequester::MakeRoom(size_t bytes)
{
    if (m_begin + bytes <= m_input.size())
    {
        return;
    }
    std::memmove(m_input.data(), m_input.data() + m_begin, m_end - m_begin);
    m_end -= m_begin;
    m_begin = 0;
    if (m_end == m_input.size())
    {
        // Only as fast as the bytes come: a length alone costs no memory.
        m_input.resize(std::min(bytes, 2 * m_input.size()));
    }
}

void
ZmtpRequester::ReadSome()
{
    if (m_begin == m_end)
    {
        m_begin = m_end = 0;
    }
    ssize_t count;
    do
    {
        count = recv(m_socket, m_input.data() + m_end, m_input.size() - m_end, 0);
    } while (count < 0 && errno == EINTR);
    if (count == 0)
    {
        Lose("the agent closed the connection and left a message unanswered");
    }
    if (count < 0)
    {
        Lose(std::string("the connection to the agent broke: ") + std::strerror(errno));
    }
    m_end += count;
}

void
ZmtpRequester::Write(const uint8_t* data, size_t bytes)
{
    while (bytes > 0)
    {
        const auto count = send(m_socket, data, bytes, MSG_NOSIGNAL);
        if (count >= 0)
        {
            data += count;
            bytes -= count;
        }
        else if (errno != EINTR)
        {
            Lose(std::string("the agent takes no message any more: ") + std::strerror(errno));
        }
    }
}

} // namespace ns3
