/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef ZMTP_REQUEST_H
#define ZMTP_REQUEST_H

#include "opengym-error.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ns3
{

/** The other side has ended the connection, or it broke. */
class ZmtpClosed : public OpenGymError
{
  public:
    using OpenGymError::OpenGymError;
};

/**
 * A ZeroMQ REQ socket with one connection, over a blocking socket of the kernel's.
 *
 * It speaks ZMTP 3.0 itself (ZeroMQ's RFC 23; the command PING is RFC 37's) with mechanism NULL.
 * With libzmq each message changes hands between the caller's thread and ZeroMQ's; here the thread
 * that asks is the one that reads and writes, and nothing else runs. So a PING is answered only
 * while an answer is waited for.
 *
 * Any method but the destructor throws OpenGymError when what came is not what a REP or a ROUTER of
 * ZeroMQ 4 sends, and ZmtpClosed when the connection is gone. The connection is closed after either.
 */
class ZmtpRequester
{
  public:
    /// A longer answer is refused as soon as its length is known, before it costs memory.
    static constexpr uint64_t MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

    /**
     * Wait until somebody listens, as libzmq would: for good, with a look every 100 ms. A
     * connection that ends before the handshake is over is tried again too.
     *
     * @param endpoint tcp://HOST:PORT or ipc://PATH
     * @return connected, the handshake done
     * @throws OpenGymError for another endpoint, one that can't be reached however long one waits,
     * or a listener that is not ZeroMQ's
     */
    static std::unique_ptr<ZmtpRequester> Connect(const std::string& endpoint);

    /** @param socket a connected stream socket, which belongs to this object from now on */
    explicit ZmtpRequester(int socket);
    /** Closes. The kernel still delivers what was sent. */
    ~ZmtpRequester();

    ZmtpRequester(const ZmtpRequester&) = delete;
    ZmtpRequester& operator=(const ZmtpRequester&) = delete;

    /** Both halves of the handshake. Once, before anything else. */
    void Greet();

    /** @param bytes size of the next request. @return where to write it; Send() sends it */
    uint8_t* Prepare(size_t bytes);
    /** Send the request that was prepared. */
    void Send();

    /** Wait for the answer. @return its bytes, valid until the next call of any method */
    std::string_view Receive();

  private:
    struct Frame
    {
        uint8_t flags;
        std::string_view body; ///< valid until the next frame is taken
    };

    void Close();
    [[noreturn]] void Refuse(const std::string& what);
    [[noreturn]] void RefuseCommand(std::string_view command);
    [[noreturn]] void Lose(const std::string& what);
    void TakeGreeting();
    void TakeReady();
    Frame TakeFrame();
    Frame TakeMessageFrame();
    void Obey(std::string_view command);
    void Await(size_t bytes);
    void MakeRoom(size_t bytes);
    void ReadSome();
    void Write(const uint8_t* data, size_t bytes);

    int m_socket;
    std::vector<uint8_t> m_input;  ///< what was read; kept for its memory
    size_t m_begin{0};             ///< of the bytes in m_input that were not taken yet
    size_t m_end{0};               ///< of the bytes in m_input that were read
    std::vector<uint8_t> m_output; ///< room for a head, then the request; kept for its memory
    size_t m_requestBytes{0};      ///< size of the prepared request
};

} // namespace ns3

#endif // ZMTP_REQUEST_H
